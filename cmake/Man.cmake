# The manual pages, made from docs/ by scripts/man.py and pandoc. AUTO: if both can run.
set(OUTBOARD_MAN AUTO CACHE STRING "Make the manual pages: ON, OFF, or AUTO, where pandoc is installed")
set_property(CACHE OUTBOARD_MAN PROPERTY STRINGS AUTO ON OFF)
if(NOT OUTBOARD_MAN)
  return()
endif()
find_program(PANDOC pandoc)
find_package(Python3 3.9 COMPONENTS Interpreter QUIET)
if(NOT PANDOC OR NOT Python3_FOUND)
  if(OUTBOARD_MAN STREQUAL "AUTO")
    message(STATUS "pandoc or Python is missing: no manual pages")
    return()
  endif()
  message(FATAL_ERROR "OUTBOARD_MAN requires pandoc and Python 3.9")
endif()

set(script ${PROJECT_SOURCE_DIR}/scripts/man.py)
set(pages "")
foreach(entry outboard.1|command outboard-run.json.5|command outboard.json.5|dev outboard-plugin.7|dev outboard-protocol.7|dev)
  string(REPLACE "|" ";" entry ${entry})
  list(GET entry 0 name)
  list(GET entry 1 component)
  string(REGEX REPLACE ".*\\." "" section ${name})
  set(page ${CMAKE_BINARY_DIR}/man/${name})
  add_custom_command(OUTPUT ${page} VERBATIM
                     DEPENDS ${script} ${PROJECT_SOURCE_DIR}/scripts/man
                             ${PROJECT_SOURCE_DIR}/docs/OPERATING.md ${PROJECT_SOURCE_DIR}/docs/PLUGINS.md ${PROJECT_SOURCE_DIR}/docs/PROTOCOL.md
                     COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/man
                     COMMAND ${PROJECT_SOURCE_DIR}/scripts/man ${PROJECT_VERSION} ${name} ${page})
  if(OB_SYSTEM_PREFIX)
    # Debian has its pages compressed, without a time in them.
    add_custom_command(OUTPUT ${page}.gz DEPENDS ${page} COMMAND gzip -9nkf ${page} VERBATIM)
    set(page ${page}.gz)
  endif()
  install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section} COMPONENT ${component})
  list(APPEND pages ${page})
endforeach()
add_custom_target(man ALL DEPENDS ${pages})
