# The version is written in include/llmap/version.hpp alone.
file(STRINGS ${CMAKE_CURRENT_SOURCE_DIR}/include/llmap/version.hpp llmap_version_lines REGEX "^#define LLMAP_VERSION_[A-Z]+ [0-9]+$")
string(REGEX REPLACE "[^0-9;]" "" llmap_version "${llmap_version_lines}")
string(REPLACE ";" "." llmap_version "${llmap_version}")
