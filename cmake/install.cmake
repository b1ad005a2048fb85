# What `cmake --install` puts where, so that the installed tree can be moved as a whole: every path in it is relative.

function(relative_to folder target result)
  file(RELATIVE_PATH path "${CMAKE_INSTALL_FULL_${folder}}" "${CMAKE_INSTALL_FULL_${target}}")
  string(REGEX REPLACE "/$" "" path "${path}")
  set(${result} "${path}" PARENT_SCOPE)
endfunction()
relative_to(BINDIR LIBDIR bin_to_lib)
relative_to(LIBEXECDIR LIBDIR libexec_to_lib)
file(RELATIVE_PATH pc_to_prefix "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
string(REGEX REPLACE "/$" "" pc_to_prefix "${pc_to_prefix}")

set_target_properties(allot allot_numeric PROPERTIES INSTALL_RPATH "$ORIGIN")
set_target_properties(allot_command PROPERTIES INSTALL_RPATH "$ORIGIN/${bin_to_lib}")
set_target_properties(allot_static PROPERTIES EXPORT_NAME allot_static)
set_target_properties(allot_numeric PROPERTIES EXPORT_NAME numeric)
set_target_properties(allot_numeric_static PROPERTIES EXPORT_NAME numeric_static)

install(TARGETS allot allot_static allot_numeric allot_numeric_static EXPORT allot-targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS allot_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(TARGET allot_worker)
  set_target_properties(allot_worker PROPERTIES INSTALL_RPATH "$ORIGIN/../${libexec_to_lib}")
  install(TARGETS allot_worker RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/allot)
endif()
install(DIRECTORY include/allot DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(DIRECTORY bench/data/ DESTINATION ${CMAKE_INSTALL_DATADIR}/allot/data)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# ---- The CMake package: find_package(allot) gives allot::allot, allot::numeric, and both with _static ----
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/allot)
configure_package_config_file(cmake/allot-config.cmake.in ${PROJECT_BINARY_DIR}/allot-config.cmake
  INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/allot-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/allot-config.cmake ${PROJECT_BINARY_DIR}/allot-config-version.cmake
  DESTINATION ${package_folder})
install(EXPORT allot-targets NAMESPACE allot:: DESTINATION ${package_folder})

# ---- pkg-config: allot, and allot-static for the archives ----
# Foreign libraries are named by their own flags: with Requires.private, even a program that links the shared library would
# need their development packages.
set(foreign_flags -lpthread -ldl -lm)
foreach(library HWLOC OPENCL OPENBLAS SECCOMP)
  if(ALLOT_${library})
    list(PREPEND foreign_flags ${${library}_LDFLAGS})
  endif()
endforeach()
if(ALLOT_SIMULATION)
  list(PREPEND foreign_flags ${JANSSON_LDFLAGS})
endif()
list(JOIN foreign_flags " " PC_FOREIGN)
file(RELATIVE_PATH PC_LIBDIR "${CMAKE_INSTALL_PREFIX}" "${CMAKE_INSTALL_FULL_LIBDIR}")
file(RELATIVE_PATH PC_INCLUDEDIR "${CMAKE_INSTALL_PREFIX}" "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
set(PC_PREFIX "\${pcfiledir}/${pc_to_prefix}")
foreach(name allot allot-static)
  configure_file(cmake/${name}.pc.in ${PROJECT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
