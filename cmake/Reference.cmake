# The target "reference": HTML pages of the public headers by Doxygen, in BUILD/reference/html. A warning is an error.
find_program(DOXYGEN doxygen)
find_package(Python3 COMPONENTS Interpreter QUIET)
mark_as_advanced(DOXYGEN)
if(NOT DOXYGEN OR NOT Python3_FOUND)
  add_custom_target(reference COMMAND ${CMAKE_COMMAND} -E echo "The reference requires doxygen and Python 3." COMMAND ${CMAKE_COMMAND} -E false
                              VERBATIM)
  return()
endif()

configure_file(${CMAKE_CURRENT_LIST_DIR}/Doxyfile.in ${CMAKE_BINARY_DIR}/Doxyfile @ONLY)
add_custom_target(reference COMMAND ${DOXYGEN} ${CMAKE_BINARY_DIR}/Doxyfile VERBATIM)
