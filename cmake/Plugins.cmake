# ob_plugin(unix SOURCES a.c LINK lib...): a plugin in the build tree's plugin directory. It sees the public headers only.
# With OUTBOARD_BUILTIN_PLUGINS it is compiled for liboutboard.a as well, with its entry function as obi_builtin_unix(), unless
# it says NOT_BUILTIN.
function(ob_plugin name)
  cmake_parse_arguments(arg "NOT_BUILTIN" "" "SOURCES;LINK" ${ARGN})
  add_library(plugin_${name} MODULE ${arg_SOURCES})
  set_target_properties(plugin_${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name} LIBRARY_OUTPUT_DIRECTORY ${OUTBOARD_PLUGIN_OUTPUT})
  target_include_directories(plugin_${name} PRIVATE ${PROJECT_SOURCE_DIR}/include)
  target_link_libraries(plugin_${name} PRIVATE ob_flags ${arg_LINK})
  # The loader refuses files and directories that others can write to: a umask of 002 must make none.
  add_custom_command(TARGET plugin_${name} POST_BUILD
                     COMMAND chmod go-w $<TARGET_FILE:plugin_${name}> ${OUTBOARD_PLUGIN_OUTPUT})
  install(TARGETS plugin_${name} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/outboard/plugins COMPONENT plugins)
  if(OUTBOARD_BUILTIN_PLUGINS AND NOT arg_NOT_BUILTIN)
    add_library(builtin_${name} OBJECT ${arg_SOURCES})
    target_compile_definitions(builtin_${name} PRIVATE outboard_plugin_v1=obi_builtin_${name})
    target_include_directories(builtin_${name} PRIVATE ${PROJECT_SOURCE_DIR}/include)
    target_link_libraries(builtin_${name} PRIVATE ob_flags ${arg_LINK})
    set_property(GLOBAL APPEND PROPERTY OB_BUILTIN_PLUGINS ${name})
    set_property(GLOBAL APPEND PROPERTY OB_BUILTIN_PARTS ${arg_LINK})
  endif()
endfunction()
