# A build that counts which lines and branches are run: scripts/coverage reports them. Threads share the counters.
add_compile_options(--coverage -O0 -fprofile-update=atomic)
add_link_options(--coverage)

# tests/coverage/flush.c writes the counters of processes that do not end with exit(). Every program, library and plugin needs
# a copy, so it is compiled here and named as an option of the linker.
set(flush ${PROJECT_SOURCE_DIR}/tests/coverage/flush.c)
set(flush_object ${CMAKE_BINARY_DIR}/coverage-flush.o)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${flush})
execute_process(COMMAND ${CMAKE_C_COMPILER} -std=c11 -D_GNU_SOURCE -fPIC -O1 -c ${flush} -o ${flush_object}
                COMMAND_ERROR_IS_FATAL ANY)
add_link_options(${flush_object} -Wl,--wrap=kill -Wl,--wrap=raise -Wl,--wrap=_exit)
