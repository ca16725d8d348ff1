// What every tokenizer that loads must hold: its ids are of its vocabulary.
#pragma once
#include "llmap/text/tokenizer.hpp"

inline void expect_own_ids(const llmap::tokenizer& words) {
  for (const char* text : {"", "a", "Hello  world \n 123", " \xc3\xa9 \xf0\x9f\x98\x80 <s>"})
    for (const std::int32_t id : words.encode(text))
      if (id < 0 || id >= words.vocab_size()) __builtin_trap();
}
