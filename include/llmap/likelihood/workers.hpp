// Workers that share texts: executors side by side, devices of one machine for example, each with the model loaded onto
// it. Each takes the next texts when it is done with its last, so that a fast one does more. A text's bits do not
// depend on the texts beside it, hence not on the number of workers either.
#pragma once
#include "llmap/core/error.hpp"
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <mutex>
#include <span>
#include <vector>

namespace llmap {

/// Texts given as ids that nobody has taken yet, handed out from the first to the last. Any thread may call.
class texts_to_take {
  std::span<const std::vector<std::int32_t>> texts_;
  std::size_t next_ = 0, longest_ = 0, tokens_ = 0;
  std::mutex lock_; // of next_

public:
  /// Texts [first, last).
  struct part {
    std::size_t first, last;                     ///< numbers of texts
    bool empty() const { return first == last; } ///< nothing was left
  };

  /// The texts must outlive this.
  explicit texts_to_take(std::span<const std::vector<std::int32_t>> texts) : texts_(texts) {
    for (const auto& text : texts) longest_ = std::max(longest_, text.size()), tokens_ += text.size();
  }
  std::size_t longest() const { return longest_; } ///< tokens
  /// Of all texts, taken or not.
  std::size_t tokens() const { return tokens_; }
  const std::vector<std::int32_t>& operator[](std::size_t i) const { return texts_[i]; } ///< ids of text i
  /// The next texts of at most `rows` tokens together, but at least one; empty: none is left.
  part take(std::size_t rows) {
    const std::lock_guard hold(lock_);
    const std::size_t first = next_;
    for (std::size_t tokens = 0; next_ < texts_.size(); ++next_) {
      tokens += texts_[next_].size();
      if (next_ > first && tokens > rows) break;
    }
    return {first, next_};
  }
  /// Leaves none.
  void stop() {
    const std::lock_guard hold(lock_);
    next_ = texts_.size();
  }
};

/// Calls body(exec) for every executor, each in a thread of its own, the first in the caller's. Where one fails the
/// others are left without texts, and its failure is thrown when all have ended.
template <class Exec, class Body>
void with_workers(std::span<const Exec> execs, texts_to_take& texts, const Body& body) {
  LLMAP_EXPECTS(!execs.empty(), "with_workers: an executor");
  const auto work = [&](const Exec& exec) {
    try {
      enter(exec);
      body(exec);
    } catch (...) {
      texts.stop();
      throw;
    }
  };
  std::vector<std::future<void>> others; // each waits for its thread when it goes
  for (const Exec& exec : execs.subspan(1)) others.push_back(std::async(std::launch::async, work, std::cref(exec)));
  work(execs.front());
  for (std::future<void>& other : others) other.get();
}

} // namespace llmap
