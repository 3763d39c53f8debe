# What a package holds: the program, its init, manual pages, completions and the licence.
include(GNUInstallDirs)

if(TARGET fabric)
  install(TARGETS fabric RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(PROGRAMS ${PROJECT_BINARY_DIR}/cmd/fabric-init/fabric-init
        DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/fabric)
if(TARGET fabric-egress)
  install(TARGETS fabric-egress RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/fabric)
endif()
if(TARGET fabric-unpack)
  install(TARGETS fabric-unpack RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/fabric)
endif()
file(GLOB pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/man/*.[1-8])
foreach(page ${pages})
  string(REGEX REPLACE ".*\\." "" section ${page})
  install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()
install(FILES completions/fabric.bash RENAME fabric
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES completions/_fabric DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES completions/fabric.fish
        DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
install(FILES LICENSE RENAME copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME fabric)
set(CPACK_PACKAGE_CONTACT "fabric developers <fabric@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "runs fleets of AI agents, each in its own sandbox")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS tzdata)  # only UTC is known without
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
include(CPack)
