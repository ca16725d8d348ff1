#include "cuda/ptx/warp.hpp"
#include <algorithm>
#include <cstdlib>
#include <cxxabi.h>

namespace ptx {

launch::launch(const module& code, const function& kernel, device_memory& memory, extent grid, extent threads,
               std::uint64_t dynamic, const void* const* arguments, const launch_options& options)
    : random_(options.seed), code(code), kernel(kernel), memory(memory), grid(grid), threads(threads),
      dynamic_shared(dynamic), options(options) {
  if (threads.count() == 0 || threads.count() > 1024 || threads.z > 64)
    throw error(kernel.name + ": a block has 1 to 1024 threads, got " + std::to_string(threads.count()));
  if (grid.count() == 0 || grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535)
    throw error(kernel.name + ": the grid is empty or too large");
  if (kernel.max_threads != 0 && threads.count() > kernel.max_threads)
    throw error(kernel.name + ": launched with " + std::to_string(threads.count()) +
                " threads, its launch bounds say " + std::to_string(kernel.max_threads));
  dynamic_offset = kernel.dynamic_offset;
  shared_bytes = dynamic > 0 ? dynamic_offset + dynamic : kernel.shared_bytes;
  params.assign(kernel.param_bytes, std::byte{0});
  for (std::size_t i = 0; i < kernel.params.size(); ++i)
    std::memcpy(params.data() + kernel.params[i].second.offset, arguments[i], kernel.params[i].second.size);
  own_.resize(kernel.end - kernel.begin);
}

void launch::run() {
  block one(*this);
  const std::uint64_t blocks = grid.count();
  for (std::uint64_t i = 0; i < blocks; ++i) {
    first_level_.clear();
    const std::uint64_t b = options.first == order::backward ? blocks - 1 - i : i;
    one.run({static_cast<std::uint32_t>(b % grid.x), static_cast<std::uint32_t>(b / grid.x % grid.y),
             static_cast<std::uint32_t>(b / grid.x / grid.y)});
  }
  counted.launches = 1, counted.blocks = blocks;
  counted.loads.distinct_sectors = loaded_.size(), counted.stores.distinct_sectors = stored_.size();
  const auto add = [&](const std::vector<count>& counts, const instruction* first) {
    for (std::size_t i = 0; i < counts.size(); ++i) {
      const count& c = counts[i];
      if (c.issued == 0) continue;
      counted.instructions += c.issued, counted.lane_instructions += c.active;
      counted.by_name[first[i].name] += c.issued;
      if (c.conflicts != 0) counted.conflict_places[source_of(code, first[i])] += c.conflicts;
    }
  };
  add(own_, code.code.data() + kernel.begin);
  add(others_, code.code.data());
}

void launch::count_sectors(const std::uint64_t* sectors, std::size_t count, bool store) {
  (store ? stored_ : loaded_).insert(sectors, sectors + count);
  if (store) counted.stores.passed_sectors += count;
  else
    for (std::size_t i = 0; i < count; ++i) counted.loads.passed_sectors += first_level_.take(sectors[i]);
}

void count_global(launch& in, lane_mask lanes, const std::uint64_t* addresses, unsigned bytes, bool store) {
  traffic& to = store ? in.counted.stores : in.counted.loads;
  std::uint64_t sectors[2 * warp_size];
  std::size_t count = 0;
  std::uint64_t last = ~0ull, distinct = 0, last_address = ~0ull;
  for_lanes(lanes, [&](unsigned lane) {
    const std::uint64_t a = addresses[lane];
    to.bytes += bytes;
    if (a != last_address) distinct += bytes;
    last_address = a;
    for (std::uint64_t s = a / 32; s <= (a + bytes - 1) / 32; ++s) {
      if (s == last) continue;
      last = s;
      if (std::find(sectors, sectors + count, s) == sectors + count) sectors[count++] = s;
    }
  });
  ++to.requests;
  to.sectors += count;
  if (in.options.sectors) in.count_sectors(sectors, count, store);
  to.needed_sectors += std::min<std::uint64_t>(count, (distinct + 31) / 32);
}

/// 32 banks of 4 bytes. Requests of 8 and 16 bytes go in halves and quarters of the warp.
void count_shared(launch& in, const instruction& what, lane_mask lanes, const std::uint64_t* addresses,
                  unsigned bytes) {
  const unsigned together = bytes <= 4 ? 32 : 128 / bytes;
  std::uint64_t passes = 0, least = 0;
  for (unsigned first = 0; first < warp_size; first += together) {
    std::uint64_t words[32][8];
    unsigned depth[32] = {}, most = 0;
    for (unsigned lane = first; lane < first + together; ++lane) {
      if (!(lanes >> lane & 1)) continue;
      for (std::uint64_t w = addresses[lane] / 4; w <= (addresses[lane] + bytes - 1) / 4; ++w) {
        const std::size_t bank = w % 32;
        const unsigned kept = std::min(depth[bank], 8u);
        if (std::find(words[bank], words[bank] + kept, w) != words[bank] + kept) continue;
        if (depth[bank] < 8) words[bank][depth[bank]] = w;
        most = std::max(most, ++depth[bank]);
      }
    }
    passes += most, least += most > 0;
  }
  ++in.counted.shared_requests;
  in.counted.shared_passes += passes;
  in.counted.bank_conflicts += passes - least;
  if (passes > least) in.of(static_cast<std::uint64_t>(&what - in.code.code.data())).conflicts += passes - least;
}

void counters::add(const counters& other) {
  launches += other.launches, blocks += other.blocks;
  instructions += other.instructions, lane_instructions += other.lane_instructions;
  for (const auto& [name, count] : other.by_name) by_name[name] += count;
  for (const auto& [from, to] : {std::pair{&other.loads, &loads}, std::pair{&other.stores, &stores}}) {
    to->requests += from->requests, to->bytes += from->bytes;
    to->sectors += from->sectors, to->needed_sectors += from->needed_sectors;
    to->distinct_sectors += from->distinct_sectors, to->passed_sectors += from->passed_sectors;
  }
  shared_requests += other.shared_requests, shared_passes += other.shared_passes;
  bank_conflicts += other.bank_conflicts, barriers += other.barriers;
  for (const auto& [place, count] : other.conflict_places) conflict_places[place] += count;
  mma_operations += other.mma_operations, local_requests += other.local_requests;
}

std::string source_of(const module& code, const instruction& at) {
  const auto source = [&](std::uint32_t file, std::uint32_t line) {
    const std::string name = file < code.files.size() ? code.files[file] : std::string();
    return name.substr(name.rfind('/') + 1) + ":" + std::to_string(line);
  };
  std::string text = source(at.file, at.source_line);
  if (at.called_line != 0) text += " inlined at " + source(at.called_file, at.called_line);
  return text;
}

std::string readable(const std::string& mangled) {
  int status = 0;
  char* const name = abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status);
  const std::string text = status == 0 ? name : mangled;
  std::free(name);
  return text;
}

std::string place(const launch& in, extent block_id, unsigned thread, const instruction& at) {
  const extent& n = in.threads;
  const auto triple = [](std::uint64_t x, std::uint64_t y, std::uint64_t z) {
    return "(" + std::to_string(x) + "," + std::to_string(y) + "," + std::to_string(z) + ")";
  };
  std::string text = readable(in.kernel.name) + " block " + triple(block_id.x, block_id.y, block_id.z) + " thread " +
                     triple(thread % n.x, thread / n.x % n.y, thread / n.x / n.y) + ", PTX line " +
                     std::to_string(at.line);
  if (at.line > 0 && at.line <= in.code.lines.size()) text += ": " + in.code.lines[at.line - 1];
  if (at.source_line != 0) text += ", " + source_of(in.code, at);
  return text;
}

} // namespace ptx
