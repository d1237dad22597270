# The completion scripts of the shells, printed by the command from its own tables of options. When the command cannot run
# here, because it is built for another machine, there are none.
if(CMAKE_CROSSCOMPILING AND NOT CMAKE_CROSSCOMPILING_EMULATOR)
  message(STATUS "The command cannot run here: no completion scripts")
  return()
endif()
set(zsh_dir site-functions)
if(OB_SYSTEM_PREFIX)
  set(zsh_dir vendor-completions)
endif()
set(scripts "")
foreach(entry bash|outboard|bash-completion/completions zsh|_outboard|zsh/${zsh_dir}
              fish|outboard.fish|fish/vendor_completions.d)
  string(REPLACE "|" ";" entry ${entry})
  list(GET entry 0 shell)
  list(GET entry 1 name)
  list(GET entry 2 dir)
  set(script ${CMAKE_BINARY_DIR}/completion/${shell}/${name})
  add_custom_command(OUTPUT ${script} DEPENDS outboard_cli VERBATIM
                     COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/completion/${shell}
                     COMMAND outboard_cli completion ${shell} > ${script})
  install(FILES ${script} DESTINATION ${CMAKE_INSTALL_DATADIR}/${dir} COMPONENT command)
  list(APPEND scripts ${script})
endforeach()
add_custom_target(completion ALL DEPENDS ${scripts})
