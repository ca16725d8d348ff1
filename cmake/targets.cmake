function(llmap_target name)
  add_library(llmap_${name} INTERFACE)
  add_library(llmap::${name} ALIAS llmap_${name})
  set_target_properties(llmap_${name} PROPERTIES EXPORT_NAME ${name})
  target_link_libraries(llmap_${name} INTERFACE ${ARGN})
endfunction()

llmap_target(core Threads::Threads rapidjson::rapidjson)
target_compile_features(llmap_core INTERFACE cxx_std_20)
target_include_directories(llmap_core INTERFACE
  $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
llmap_target(llmap llmap::core Eigen3::Eigen)
llmap_target(text llmap::llmap PkgConfig::pcre2 PkgConfig::utf8proc)
llmap_target(store llmap::text PkgConfig::sqlite3 PkgConfig::xxhash)
llmap_target(picture llmap::llmap)

include(CMakePackageConfigHelpers)
install(TARGETS llmap_core llmap_llmap llmap_text llmap_store llmap_picture EXPORT llmap-targets)
install(DIRECTORY include/llmap DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT llmap-targets NAMESPACE llmap:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/llmap)
configure_package_config_file(cmake/llmap-config.cmake.in llmap-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/llmap)
write_basic_package_version_file(llmap-config-version.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/llmap-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/llmap-config-version.cmake cmake/dependencies.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/llmap)
