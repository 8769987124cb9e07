# `cmake --install` puts everything where a Debian system looks for it: with -DCMAKE_INSTALL_PREFIX=/usr
# the configuration goes to /etc, with any other prefix below that prefix, and the unit is told so.
set(TRAWL_UNIT_DIR lib/systemd/system CACHE STRING "where systemd units go, below the prefix")

if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  set(conf_dir /etc/trawl)
  set(unit_command /usr/sbin/trawld)
else()
  set(conf_dir ${CMAKE_INSTALL_SYSCONFDIR}/trawl)
  set(unit_command "${CMAKE_INSTALL_FULL_SBINDIR}/trawld -c ${CMAKE_INSTALL_FULL_SYSCONFDIR}/trawl/trawld.conf")
endif()

install(TARGETS trawl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(TARGET trawld)
  install(TARGETS trawld RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})
  install(TARGETS trawl-exec RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/trawl)
endif()

file(READ systemd/trawld.service unit)
string(REPLACE "ExecStart=/usr/sbin/trawld" "ExecStart=${unit_command}" unit "${unit}")
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/systemd/trawld.service CONTENT "${unit}" @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/systemd/trawld.service systemd/trawld.socket DESTINATION ${TRAWL_UNIT_DIR})
install(FILES systemd/sysusers.d/trawl.conf DESTINATION lib/sysusers.d)
install(FILES systemd/tmpfiles.d/trawl.conf DESTINATION lib/tmpfiles.d)

# A configuration that is there already was somebody's work: it stays.
install(CODE "
  set(dir \"${conf_dir}\")
  if(NOT IS_ABSOLUTE \"\${dir}\")
    set(dir \"\${CMAKE_INSTALL_PREFIX}/\${dir}\")
  endif()
  if(EXISTS \"\$ENV{DESTDIR}\${dir}/trawld.conf\")
    message(STATUS \"Kept: \$ENV{DESTDIR}\${dir}/trawld.conf\")
  else()
    file(INSTALL \"${CMAKE_SOURCE_DIR}/config/trawld.conf\" DESTINATION \"\${dir}\")
  endif()
  file(MAKE_DIRECTORY \"\$ENV{DESTDIR}\${dir}/trawld.conf.d\")
")
install(DIRECTORY config/examples DESTINATION ${CMAKE_INSTALL_DOCDIR})

foreach(section 1 5 7 8)
  file(GLOB pages CONFIGURE_DEPENDS packaging/man/*.${section})
  install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()

install(FILES packaging/completions/trawl.bash
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME trawl)
install(FILES packaging/completions/_trawl DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES packaging/completions/trawl.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
