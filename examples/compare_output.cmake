# Runs PROGRAM and compares what it prints with the file EXPECTED.
execute_process(COMMAND ${PROGRAM} OUTPUT_VARIABLE got ERROR_VARIABLE problem RESULT_VARIABLE result)
file(READ ${EXPECTED} expected)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} failed (${result}): ${problem}")
endif()
if(NOT got STREQUAL expected)
  message(FATAL_ERROR "expected\n${expected}\ngot\n${got}")
endif()
