# For those who write plugins: find_package(outboard) brings these two functions.

# outboard_add_plugin(NAME SOURCE... [LIBRARIES LIBRARY...]): a module NAME.so in the build's directory `plugins`. It sees
# outboard's headers and links with the LIBRARIES; it is not linked with outboard. Others may not write to it or to its
# directory, whatever the umask, for then the loader would refuse it.
function(outboard_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LIBRARIES")
  add_library(${name} MODULE ${arg_UNPARSED_ARGUMENTS})
  set_target_properties(${name} PROPERTIES PREFIX "" SUFFIX ".so" C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden
                        VISIBILITY_INLINES_HIDDEN ON LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/plugins)
  target_compile_features(${name} PRIVATE c_std_11)
  target_include_directories(${name} PRIVATE $<TARGET_PROPERTY:outboard::outboard,INTERFACE_INCLUDE_DIRECTORIES>)
  target_link_libraries(${name} PRIVATE ${arg_LIBRARIES})
  add_custom_command(TARGET ${name} POST_BUILD
                     COMMAND chmod go-w $<TARGET_FILE:${name}> $<TARGET_FILE_DIR:${name}> VERBATIM)
endfunction()

# outboard_check_plugin(NAME [ARGUMENTS ARGUMENT...]): a test that runs `outboard plugin check` on it. Call enable_testing()
# before. A transport may need the arguments --listen URI.
function(outboard_check_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "ARGUMENTS")
  add_test(NAME check-${name} COMMAND ${outboard_COMMAND} plugin check ${arg_ARGUMENTS} $<TARGET_FILE:${name}>)
  set_tests_properties(check-${name} PROPERTIES ENVIRONMENT "OUTBOARD_PLUGIN_PATH=${outboard_PLUGIN_DIR}")
endfunction()
