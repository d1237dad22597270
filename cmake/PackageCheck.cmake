# Run by cpack for each generator. The directory of the plugins is compiled in, so the packages need a build for /usr.
if(CPACK_GENERATOR STREQUAL "DEB" AND NOT CPACK_INSTALL_PREFIX STREQUAL "/usr")
  message(FATAL_ERROR "this build is for ${CPACK_INSTALL_PREFIX}; packages need the preset package (scripts/package)")
endif()
# The synopsis is that of each package, not that of the project.
if(CPACK_GENERATOR STREQUAL "DEB")
  set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")
endif()
