option(TRAWL_TESTS "build the tests (needs Criterion)" ON)
option(TRAWL_BENCH "build the benchmarks" OFF)
option(TRAWL_FUZZ "build the libFuzzer targets (needs clang)" OFF)
option(TRAWL_JEMALLOC "link jemalloc and report its figures" OFF)
option(TRAWL_WERROR "treat warnings as errors" OFF)
set(TRAWL_SANITIZE "" CACHE STRING "sanitizers, comma separated: address,undefined or thread")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")

# One interface target carries what every source of the project is compiled with.
add_library(trawl_flags INTERFACE)
target_compile_features(trawl_flags INTERFACE c_std_17)
target_compile_options(trawl_flags INTERFACE
  -std=gnu17 -pthread -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2
  -Wundef -Wcast-qual -Wwrite-strings -Wpointer-arith -Wimplicit-fallthrough
  # Cutting a message to its buffer is meant; other cuts are checked.
  $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation>
  -fno-omit-frame-pointer)
target_compile_definitions(trawl_flags INTERFACE _GNU_SOURCE TRAWL_VERSION="${PROJECT_VERSION}")
target_include_directories(trawl_flags INTERFACE ${CMAKE_SOURCE_DIR}/lib)
target_link_options(trawl_flags INTERFACE -pthread)
if(TRAWL_WERROR)
  target_compile_options(trawl_flags INTERFACE -Werror)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_definitions(trawl_flags INTERFACE TRAWL_DEBUG=1)
else()
  target_compile_definitions(trawl_flags INTERFACE TRAWL_DEBUG=0)
endif()
# Hundreds of programs are linked, each of them in a third of the time; every Debian has it with its
# compilers.
find_program(TRAWL_GOLD ld.gold)
mark_as_advanced(TRAWL_GOLD)
if(TRAWL_GOLD AND CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_link_options(trawl_flags INTERFACE -fuse-ld=gold)
endif()
if(TRAWL_SANITIZE)
  target_compile_options(trawl_flags INTERFACE -fsanitize=${TRAWL_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(trawl_flags INTERFACE -fsanitize=${TRAWL_SANITIZE})
elseif(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_options(trawl_flags INTERFACE -fstack-protector-strong)
  target_compile_definitions(trawl_flags INTERFACE _FORTIFY_SOURCE=3)
  target_link_options(trawl_flags INTERFACE -Wl,-z,relro,-z,now)
  include(CheckPIESupported)
  check_pie_supported()
endif()
if(TRAWL_FUZZ)
  target_compile_options(trawl_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
