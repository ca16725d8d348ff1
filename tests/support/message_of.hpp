// The message of an llmap::error.
#pragma once
#include "llmap/core/error.hpp"
#include <gtest/gtest.h>
#include <string>

/// Calls body() and gives the message of the llmap::error that it throws; anything else fails the test.
template <class Body> std::string message_of(const Body& body) {
  try {
    body();
  } catch (const llmap::error& problem) {
    const std::string message = problem.what();
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    return message;
  } catch (const std::exception& problem) {
    ADD_FAILURE() << "expected an llmap::error, got: " << problem.what();
    return "";
  }
  ADD_FAILURE() << "expected an llmap::error, got none";
  return "";
}

/// message_of(body) holds every part, in any order.
#define EXPECT_MESSAGE(body, ...)                                                                                      \
  do {                                                                                                                 \
    const std::string message = message_of([&] { body; });                                                             \
    for (const char* part : {__VA_ARGS__})                                                                             \
      EXPECT_NE(message.find(part), std::string::npos) << part << " is not in: " << message;                           \
  } while (false)
