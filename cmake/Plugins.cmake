# ob_plugin(unix SOURCES a.c LINK lib...): a plugin in the build tree's plugin directory. It sees the public headers only.
function(ob_plugin name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  add_library(plugin_${name} MODULE ${arg_SOURCES})
  set_target_properties(plugin_${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name} LIBRARY_OUTPUT_DIRECTORY ${OUTBOARD_PLUGIN_OUTPUT})
  target_include_directories(plugin_${name} PRIVATE ${PROJECT_SOURCE_DIR}/include)
  target_link_libraries(plugin_${name} PRIVATE ob_flags ${arg_LINK})
  # The loader refuses what others could have written, so a umask of 002 must not leak into what we build.
  add_custom_command(TARGET plugin_${name} POST_BUILD
                     COMMAND chmod go-w $<TARGET_FILE:plugin_${name}> ${OUTBOARD_PLUGIN_OUTPUT})
  install(TARGETS plugin_${name} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/outboard/plugins)
endfunction()
