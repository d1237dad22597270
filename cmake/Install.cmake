# What an installation holds: the libraries, the plugins (each installs itself), the command, the public headers, and the
# files by which CMake and pkg-config find them. The components are the packages of cmake/Package.cmake: library, dev, command,
# plugins.
include(CMakePackageConfigHelpers)

set(OUTBOARD_INSTALL_CMAKEDIR ${CMAKE_INSTALL_LIBDIR}/cmake/outboard)
set(OUTBOARD_INSTALL_PLUGINDIR ${CMAKE_INSTALL_LIBDIR}/outboard/plugins)

install(TARGETS ${OB_LIBRARIES} EXPORT outboardTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library NAMELINK_COMPONENT dev
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
install(DIRECTORY include/outboard DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev FILES_MATCHING PATTERN "*.h")

# find_package(outboard): the targets outboard::outboard and outboard::outboard_static, variables, and functions for plugins.
set(OUTBOARD_INSTALL_COMMAND ${CMAKE_INSTALL_BINDIR}/outboard)
install(EXPORT outboardTargets NAMESPACE outboard:: DESTINATION ${OUTBOARD_INSTALL_CMAKEDIR} COMPONENT dev)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/outboardConfig.cmake.in
                              ${CMAKE_BINARY_DIR}/outboardConfig.cmake
                              INSTALL_DESTINATION ${OUTBOARD_INSTALL_CMAKEDIR}
                              PATH_VARS OUTBOARD_INSTALL_PLUGINDIR OUTBOARD_INSTALL_COMMAND)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/outboardConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/outboardConfig.cmake ${CMAKE_BINARY_DIR}/outboardConfigVersion.cmake
              ${CMAKE_CURRENT_LIST_DIR}/OutboardPlugin.cmake
        DESTINATION ${OUTBOARD_INSTALL_CMAKEDIR} COMPONENT dev)

# pkg-config outboard. It is written at installation because the prefix is known only then (cmake --install --prefix DIR).
list(JOIN OB_STATIC_FLAGS " " flags)
set(flags_of LIBS_PRIVATE)
if(NOT OB_SHARED)
  set(flags_of LIBS_MORE)
endif()
install(CODE "
  set(${flags_of} \" ${flags}\")
  set(PROJECT_VERSION \"${PROJECT_VERSION}\")
  set(PROJECT_DESCRIPTION \"${PROJECT_DESCRIPTION}\")
  set(LIBDIR \"${CMAKE_INSTALL_LIBDIR}\")
  set(INCLUDEDIR \"${CMAKE_INSTALL_INCLUDEDIR}\")
  set(PLUGINDIR \"${OUTBOARD_INSTALL_PLUGINDIR}\")
  foreach(dir LIBDIR INCLUDEDIR PLUGINDIR)
    cmake_path(ABSOLUTE_PATH \${dir} BASE_DIRECTORY \"\${CMAKE_INSTALL_PREFIX}\")
  endforeach()
  configure_file(\"${CMAKE_CURRENT_LIST_DIR}/outboard.pc.in\" \"${CMAKE_BINARY_DIR}/outboard.pc\" @ONLY)
  file(INSTALL DESTINATION \"\${LIBDIR}/pkgconfig\" TYPE FILE FILES \"${CMAKE_BINARY_DIR}/outboard.pc\")
" COMPONENT dev)

# In a package, `copyright` has the licence.
if(NOT OB_SYSTEM_PREFIX)
  install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/outboard COMPONENT command)
endif()

add_custom_target(uninstall VERBATIM
                  COMMAND ${CMAKE_COMMAND} -DMANIFEST=${CMAKE_BINARY_DIR}/install_manifest.txt
                          -P ${CMAKE_CURRENT_LIST_DIR}/Uninstall.cmake)
