# Every build of this project checks the rules for includes and folders. The check runs when a source has changed.
find_program(OUTBOARD_BASH bash DOC "Runs tests/source/layout.sh as a step of the build")
set(script ${PROJECT_SOURCE_DIR}/tests/source/layout.sh)
if(PROJECT_IS_TOP_LEVEL AND EXISTS ${script})
  if(OUTBOARD_BASH)
    set(patterns "")
    file(STRINGS ${PROJECT_SOURCE_DIR}/tests/source/directories.txt directories)
    foreach(dir ${directories})
      list(APPEND patterns ${PROJECT_SOURCE_DIR}/${dir}/*.c ${PROJECT_SOURCE_DIR}/${dir}/*.h)
    endforeach()
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${patterns})
    set(stamp ${PROJECT_BINARY_DIR}/layout.stamp)
    add_custom_command(OUTPUT ${stamp} DEPENDS ${script} ${sources} VERBATIM
                       COMMENT "Checking the layout of the sources"
                       COMMAND ${CMAKE_COMMAND} -E env OB_TEST_SOURCE=${PROJECT_SOURCE_DIR} ${OUTBOARD_BASH} ${script}
                       COMMAND ${CMAKE_COMMAND} -E touch ${stamp})
    add_custom_target(layout ALL DEPENDS ${stamp})
  else()
    message(STATUS "bash is missing: the layout of the sources is not checked")
  endif()
endif()
