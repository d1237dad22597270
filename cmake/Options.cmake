# The options of a build, and the flags of every target.
option(OUTBOARD_TESTS "Build the tests" ON)
option(OUTBOARD_EXAMPLES "Build the examples" ON)
option(OUTBOARD_BENCH "Build the benchmarks" ON)
option(OUTBOARD_BUILTIN_PLUGINS "Compile the shipped plugins into liboutboard.a" ON)
option(OUTBOARD_FUZZ "Build the fuzz targets with libFuzzer (clang)" OFF)
option(OUTBOARD_FAILPOINTS "Compile in the failpoints of the fault tests" OFF)
option(OUTBOARD_WERROR "Treat warnings as errors; the presets do, a user's compiler may know newer warnings" OFF)
option(OUTBOARD_COVERAGE "Count which lines and branches are run (gcc)" OFF)
set(OUTBOARD_SANITIZE "" CACHE STRING "Sanitizers, as in -fsanitize=: address,undefined or thread")

# In /usr an installation belongs to packages, and follows the rules of Debian.
set(OB_SYSTEM_PREFIX OFF)
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  set(OB_SYSTEM_PREFIX ON)
endif()

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_library(ob_flags INTERFACE)
target_compile_definitions(ob_flags INTERFACE _GNU_SOURCE OB_BUILDING)
target_compile_options(ob_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                       $<$<BOOL:${OUTBOARD_WERROR}>:-Werror>)
if(OUTBOARD_FAILPOINTS)
  target_compile_definitions(ob_flags INTERFACE OB_FAILPOINTS)
endif()
if(OUTBOARD_COVERAGE)
  include(cmake/Coverage.cmake)
endif()
if(OUTBOARD_FUZZ)
  # A fuzzer explores only instrumented code.
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(OUTBOARD_SANITIZE)
  add_compile_options(-fsanitize=${OUTBOARD_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${OUTBOARD_SANITIZE})
endif()

# The directory of the plugins in the build tree.
set(OUTBOARD_PLUGIN_OUTPUT ${CMAKE_BINARY_DIR}/plugins)

# The loader refuses plugins in directories that others can write to, so the umask must not decide the mode.
set(CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
                                                WORLD_READ WORLD_EXECUTE)
