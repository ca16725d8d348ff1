add_test(NAME packaging_headers COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/packaging/headers.sh ${CMAKE_CXX_COMPILER} ${PROJECT_SOURCE_DIR})
add_test(NAME packaging_include_rule COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/packaging/include_rule.sh ${PROJECT_SOURCE_DIR})
add_test(NAME packaging_consumers COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/packaging/consumers.sh ${PROJECT_SOURCE_DIR} ${CMAKE_BINARY_DIR})
