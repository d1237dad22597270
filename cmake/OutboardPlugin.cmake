# Two functions for plugins, provided by find_package(outboard).

# outboard_add_plugin(NAME SOURCE... [LIBRARIES LIBRARY...]): build the module NAME.so in the directory `plugins` of the build.
# It includes the headers of outboard and is linked with the LIBRARIES, but not with outboard. Whatever the umask, only the
# owner can write to it and to its directory: the loader refuses others.
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

# outboard_check_plugin(NAME [ARGUMENTS ARGUMENT...]): add a test that runs `outboard plugin check` on it. Call
# enable_testing() before. A transport may need the arguments --listen URI.
function(outboard_check_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "ARGUMENTS")
  add_test(NAME check-${name} COMMAND ${outboard_COMMAND} plugin check ${arg_ARGUMENTS} $<TARGET_FILE:${name}>)
  set_tests_properties(check-${name} PROPERTIES ENVIRONMENT "OUTBOARD_PLUGIN_PATH=${outboard_PLUGIN_DIR}")
endfunction()
