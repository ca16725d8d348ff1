foreach(component core llmap text model store picture)
  llmap_find_dependencies(${component})
  if(NOT llmap_${component}_FOUND)
    message(FATAL_ERROR "llmap: ${component} needs ${llmap_${component}_MISSING}")
  endif()
endforeach()

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
llmap_target(llmap llmap::core)
llmap_target(text llmap::core PkgConfig::pcre2 PkgConfig::utf8proc PkgConfig::zlib PkgConfig::zstd)
llmap_target(model llmap::llmap llmap::text)
llmap_target(store llmap::model PkgConfig::sqlite3 PkgConfig::xxhash)
llmap_target(picture llmap::llmap)
include(cmake/cuda.cmake)

# The templates that take long to compile, compiled once: a program that also links this does not compile them again.
# Built if LLMAP_KERNELS is on or something here links it; installed if LLMAP_KERNELS is on.
add_library(llmap_kernels STATIC EXCLUDE_FROM_ALL
  cmake/kernels/f32.cpp cmake/kernels/f64.cpp cmake/kernels/map.cpp cmake/kernels/model.cpp
  cmake/kernels/plans.cpp cmake/kernels/tokenizer.cpp cmake/kernels/weights.cpp)
add_library(llmap::kernels ALIAS llmap_kernels)
set_target_properties(llmap_kernels PROPERTIES EXPORT_NAME kernels POSITION_INDEPENDENT_CODE ON)
target_link_libraries(llmap_kernels PUBLIC llmap::model)
target_compile_definitions(llmap_kernels INTERFACE LLMAP_KERNELS)
target_compile_options(llmap_kernels PRIVATE $<$<CONFIG:Release>:-O3>)
set_source_files_properties(cmake/kernels/f64.cpp cmake/kernels/map.cpp cmake/kernels/model.cpp cmake/kernels/tokenizer.cpp cmake/kernels/weights.cpp
  PROPERTIES COMPILE_OPTIONS $<$<CONFIG:Release>:-O2>)
set_source_files_properties(cmake/kernels/plans.cpp PROPERTIES COMPILE_OPTIONS $<$<CONFIG:Release>:-O1>) # runs once a model

include(CMakePackageConfigHelpers)
set(installed llmap_core llmap_llmap llmap_text llmap_model llmap_store llmap_picture llmap_cuda)
if(LLMAP_KERNELS)
  set_target_properties(llmap_kernels PROPERTIES EXCLUDE_FROM_ALL OFF)
  list(APPEND installed llmap_kernels)
endif()
install(TARGETS ${installed} EXPORT llmap-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/llmap DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT llmap-targets NAMESPACE llmap:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/llmap)
configure_package_config_file(cmake/llmap-config.cmake.in llmap-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/llmap)
write_basic_package_version_file(llmap-config-version.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/llmap-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/llmap-config-version.cmake cmake/dependencies.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/llmap)
