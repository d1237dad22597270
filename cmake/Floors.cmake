# A floor sees the floors below it and nothing else. Includes are written from the floor's root ("base/buf.h"), so each
# floor's root is put under a directory of its own, and a target gets only the directories of what it may see.
function(ob_floor_root floor dir)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/floors/${floor})
  file(CREATE_LINK ${dir} ${CMAKE_BINARY_DIR}/floors/${floor}/${floor} SYMBOLIC)
endfunction()

# ob_floor(base SEES floor... LINK lib...): a static library core/<floor> whose sources see public headers and SEES.
function(ob_floor floor)
  cmake_parse_arguments(arg "" "" "SEES;LINK" ${ARGN})
  ob_floor_root(${floor} ${CMAKE_CURRENT_SOURCE_DIR}/${floor})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${floor}/*.c)
  add_library(ob_${floor} STATIC ${sources})
  target_link_libraries(ob_${floor} PRIVATE ob_flags ${arg_LINK})
  target_include_directories(ob_${floor} PUBLIC ${PROJECT_SOURCE_DIR}/include)
  foreach(seen ${floor} ${arg_SEES})
    target_include_directories(ob_${floor} PRIVATE ${CMAKE_BINARY_DIR}/floors/${seen})
  endforeach()
endfunction()

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
