# CPack: the packages of Debian (`cpack -G DEB` in a build of the preset package), and the source archive (the target
# package_source). A component of the installation is a package.
set(OUTBOARD_MAINTAINER "The outboard authors <outboard@localhost>" CACHE STRING "The maintainer of the packages")

set(CPACK_PACKAGE_NAME outboard)
set(CPACK_PACKAGE_CONTACT "${OUTBOARD_MAINTAINER}")
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_CURRENT_LIST_DIR}/PackageCheck.cmake)
set(CPACK_STRIP_FILES ON)

# The sources: the tree without builds and without git.
set(CPACK_SOURCE_GENERATOR TGZ)
set(CPACK_SOURCE_PACKAGE_FILE_NAME outboard-${PROJECT_VERSION})
string(REGEX REPLACE "([][+.*()^$?|\\])" "\\\\\\1" root "${PROJECT_SOURCE_DIR}")
string(REGEX REPLACE "([][+.*()^$?|\\])" "\\\\\\1" build "${CMAKE_BINARY_DIR}")
set(CPACK_SOURCE_IGNORE_FILES "^${root}/\\.git(/|$)" "^${root}/build[^/]*/" "^${root}/\\.cache/" "^${build}/"
                              "^${root}/compile_commands\\.json$" "/__pycache__/")

# The packages. DESTDIR keeps the prefix, which is in outboard.pc and in the library.
set(CPACK_GENERATOR DEB)
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL library dev command plugins)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION TRUE)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CMAKE_BINARY_DIR})
# CPack would call ldconfig in maintainer scripts, and takes plugins for libraries.
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/package-control/shlibs @ONLY
     CONTENT "liboutboard @PROJECT_VERSION_MAJOR@ liboutboard@PROJECT_VERSION_MAJOR@ (>= @PROJECT_VERSION@)\n")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA ${CMAKE_BINARY_DIR}/package-control/shlibs ${PROJECT_SOURCE_DIR}/packaging/triggers)

# The same in each package: copyright, both changelogs, and what lintian is told, with reasons. Run at configuration.
set(docs ${CMAKE_BINARY_DIR}/package-docs)
file(MAKE_DIRECTORY ${docs})

file(READ ${PROJECT_SOURCE_DIR}/LICENSE licence)
string(REGEX REPLACE "^.*Permission is" "Permission is" licence "${licence}")
string(REGEX REPLACE "\n\n" "\n.\n" licence "${licence}")
string(REGEX REPLACE "\n(.)" "\n \\1" licence "${licence}")
file(READ ${PROJECT_SOURCE_DIR}/packaging/copyright copyright)
file(WRITE ${docs}/copyright "${copyright} ${licence}")
find_program(GZIP gzip)
function(compress from to)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${from})
  execute_process(COMMAND ${GZIP} -9nc ${from} OUTPUT_FILE ${docs}/${to}.gz COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# ob_package(COMPONENT NAME SECTION SYNOPSIS DESCRIPTION)
function(ob_package component name section synopsis description)
  string(TOUPPER ${component} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${name} PARENT_SCOPE)
  set(CPACK_DEBIAN_${upper}_PACKAGE_SECTION ${section} PARENT_SCOPE)
  set(CPACK_COMPONENT_${upper}_DESCRIPTION "${synopsis}\n${description}" PARENT_SCOPE)
  if(OB_SYSTEM_PREFIX AND GZIP)
    install(FILES ${docs}/copyright ${docs}/changelog.gz ${docs}/changelog.Debian.gz
            DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${name} COMPONENT ${component})
    install(FILES ${PROJECT_SOURCE_DIR}/packaging/overrides/${name} DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides
            COMPONENT ${component} OPTIONAL)
  endif()
endfunction()
if(OB_SYSTEM_PREFIX AND GZIP)
  compress(${PROJECT_SOURCE_DIR}/CHANGES.md changelog)
  compress(${PROJECT_SOURCE_DIR}/packaging/changelog changelog.Debian)
endif()

set(what "outboard runs parts of a program in processes of their own: it starts,\nsupervises and calls them, and keeps them running over restarts of their\nparent.")
ob_package(library liboutboard${PROJECT_VERSION_MAJOR} libs "library to run parts of a program out of process"
           "${what}\n.\nThis package has the shared library.")
ob_package(dev liboutboard-dev libdevel "development files of the library outboard"
           "${what}\n.\nThis package has the headers, the static library, and files for\nCMake and pkg-config.")
ob_package(command outboard admin "supervisor of processes that are called as a library"
           "${what}\n.\nThis package has the command, which supervises the children of a config\nfile.")
ob_package(plugins outboard-plugins libs "transports, codecs and authenticators for outboard"
           "${what}\n.\nThis package has the plugins that the library loads by name.")
set(CPACK_COMPONENT_LIBRARY_DEPENDS plugins)
set(CPACK_COMPONENT_DEV_DEPENDS library)
set(CPACK_COMPONENT_COMMAND_DEPENDS library)
# For programs that link the static library.
set(CPACK_DEBIAN_DEV_PACKAGE_RECOMMENDS "libev-dev, libsodium-dev")
set(CPACK_DEBIAN_DEV_PACKAGE_SUGGESTS outboard)

include(CPack)
