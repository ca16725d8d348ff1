#include "cuda/ptx/module.hpp"
#include <algorithm>
#include <limits>

namespace ptx {

namespace {

std::vector<std::uint32_t> next_of(const module& code, std::uint32_t i) {
  const instruction& in = code.code[i];
  std::vector<std::uint32_t> next;
  if (in.way == flow::branch) next.push_back(in.operands[0].slot);
  if (in.way == flow::indexed_branch) next = code.branch_tables[in.operands[1].slot];
  const bool always_leaves = in.guard < 0 && (in.way == flow::branch || in.way == flow::indexed_branch ||
                                              in.way == flow::leave || in.way == flow::trap);
  if (!always_leaves) next.push_back(i + 1);
  return next;
}

} // namespace

/// Strongly connected components (Tarjan 1972), with a stack of its own.
std::vector<std::uint32_t> instructions_in_loops(const module& code, const function& of) {
  constexpr std::uint32_t unseen = std::numeric_limits<std::uint32_t>::max();
  struct visit {
    std::uint32_t at;
    std::vector<std::uint32_t> next;
  };
  const std::uint32_t count = of.end - of.begin;
  std::vector<std::uint32_t> number(count, unseen), low(count), open, found;
  std::vector<bool> is_open(count);
  std::vector<visit> stack;
  std::uint32_t numbers = 0;
  const auto enter = [&](std::uint32_t at) {
    number[at] = low[at] = numbers++;
    open.push_back(at);
    is_open[at] = true;
    std::vector<std::uint32_t> next;
    for (const std::uint32_t to : next_of(code, of.begin + at))
      if (to < of.end) next.push_back(to - of.begin);
    stack.push_back({at, std::move(next)});
  };
  enter(0);
  while (!stack.empty()) {
    visit& now = stack.back();
    const std::uint32_t at = now.at;
    if (!now.next.empty()) {
      const std::uint32_t to = now.next.back();
      now.next.pop_back();
      if (number[to] == unseen) enter(to);
      else if (is_open[to]) low[at] = std::min(low[at], number[to]);
      continue;
    }
    stack.pop_back();
    if (!stack.empty()) low[stack.back().at] = std::min(low[stack.back().at], low[at]);
    if (low[at] != number[at]) continue;
    const auto first = std::find(open.begin(), open.end(), at);
    const auto own = next_of(code, of.begin + at);
    const bool loop = open.end() - first > 1 || std::find(own.begin(), own.end(), of.begin + at) != own.end();
    for (auto member = first; member != open.end(); ++member) {
      is_open[*member] = false;
      if (loop) found.push_back(of.begin + *member);
    }
    open.erase(first, open.end());
  }
  std::sort(found.begin(), found.end());
  return found;
}

} // namespace ptx
