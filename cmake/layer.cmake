# trawl_layer(NAME SOURCES ... DEPENDS layers... LIBRARIES targets...)
# One static library a layer of lib/. DEPENDS repeats the layer's line of lib/LAYERS.
function(trawl_layer name)
  cmake_parse_arguments(A "" "" "SOURCES;DEPENDS;LIBRARIES" ${ARGN})
  add_library(trawl_${name} STATIC ${A_SOURCES})
  list(TRANSFORM A_DEPENDS PREPEND trawl_)
  target_link_libraries(trawl_${name} PUBLIC trawl_flags ${A_DEPENDS} ${A_LIBRARIES})
endfunction()

# trawl_test(LAYER FILE [LABELS ...] [LIBRARIES ...]): one Criterion program a test file.
function(trawl_test layer file)
  cmake_parse_arguments(A "" "" "LABELS;LIBRARIES" ${ARGN})
  get_filename_component(name ${file} NAME_WE)
  add_executable(${name} ${file})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/support ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE trawl_${layer} trawl_test_support ${A_LIBRARIES})
  add_test(NAME ${layer}/${name} COMMAND ${CMAKE_SOURCE_DIR}/tests/support/run-test $<TARGET_FILE:${name}>)
  set_tests_properties(${layer}/${name} PROPERTIES LABELS "${A_LABELS}" TIMEOUT 300)
endfunction()

# trawl_has_threads(LAYER FILE VARIABLE): may the test have a second thread? Without one there are no
# races to be found. Layers whose code starts none by itself are asked for what the test starts.
function(trawl_has_threads layer file variable)
  set(${variable} TRUE PARENT_SCOPE)
  if(layer MATCHES "^(base|text|gram|proto|index|query)$")
    file(STRINGS ${file} starts REGEX "pool_create|pool_default|thread_start|SCOPE\\(|text_place.h" LIMIT_COUNT 1)
    if(NOT starts)
      set(${variable} FALSE PARENT_SCOPE)
    endif()
  endif()
endfunction()
