# Files for pkg-config beside those for CMake: llmap (everything that needs RapidJSON alone), llmap-text, llmap-store.
file(RELATIVE_PATH llmap_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX}) # a moved folder still works
function(llmap_pkg_config name description requires)
  configure_file(cmake/llmap.pc.in ${name}.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()
llmap_pkg_config(llmap "${PROJECT_DESCRIPTION}" "")
llmap_pkg_config(llmap-text "llmap with tokenizers and models" "llmap, libpcre2-8, libutf8proc, zlib, libzstd")
llmap_pkg_config(llmap-store "llmap with the store of log-likelihoods" "llmap-text, sqlite3, libxxhash")
