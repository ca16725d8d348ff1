// The module that scores on a CUDA device; device.hpp says how the tool comes to it.
#include "device.hpp"
#include "llmap/cuda.cuh"
#include "llmap/forward/cuda/check_library.cuh"
#include "llmap/forward/cuda/product_facts.cuh"
#include <algorithm>
#include <cstdio>
#include <limits>
#include <unistd.h>

namespace {

class cuda_scoring final : public scoring_device {
  std::vector<llmap::cuda_executor> execs_; // of devices with the same facts
  std::string facts_;
  mutable std::string trouble_; // with cuBLASLt, until it is said

  void say_trouble() const {
    if (trouble_.empty()) return;
    std::fprintf(stderr, "%sllmap: --device cuda:%d: products by llmap's own kernels, not cuBLASLt: %s\n",
                 ::isatty(STDERR_FILENO) ? "\r\033[K" : "", execs_.front().device, trouble_.c_str());
    trouble_.clear();
  }

  template <class T>
  llmap::scoring_report score(llmap::score_store& store, const llmap::model_to_score<device_words>& model,
                              const llmap::text_set& texts, llmap::store_scoring_options options,
                              const llmap::scoring_watch& watch) const {
    options.load.available = std::numeric_limits<std::uint64_t>::max();
    for (const llmap::cuda_executor& exec : execs_) {
      enter(exec);
      options.load.available = std::min(options.load.available, llmap::available_memory(exec));
    }
    return llmap::score_missing<T>(store, std::span(execs_), model, texts, options,
                                   [&](const llmap::scoring_progress& now) {
                                     if (now.now == llmap::scoring_progress::phase::packing_weights) say_trouble();
                                     return !watch || watch(now);
                                   });
  }

  /// Adds the device, whose scores must be as good as those of the others.
  void open(const llmap::cuda_device& device, const std::string& where) {
    std::string trouble;
    execs_.push_back(llmap::with_library(llmap::use_device(device), trouble));
    const std::string facts = llmap::device_facts(device) + ", " + llmap::product_facts(execs_.back());
    if (execs_.size() == 1) facts_ = facts, trouble_ = trouble;
    else if (facts != facts_)
      llmap::fail(where, "expected devices of one kind, whose scores may be mixed, got ", execs_.front().device, " (",
                  facts_, ") and ", device.number, " (", facts, ")");
  }

public:
  cuda_scoring(const std::string& name, const std::vector<int>& numbers) {
    const std::vector<llmap::cuda_device> devices = llmap::cuda_devices();
    if (devices.empty())
      llmap::fail("--device ", name,
                  ": no CUDA device of compute capability 8.0 or later, or no driver, on this machine");
    std::string there;
    for (const llmap::cuda_device& d : devices)
      there += (there.empty() ? "" : ", ") + std::to_string(d.number) + " (" + d.name + ")";
    std::vector<llmap::cuda_device> wanted;
    for (const int number : numbers) {
      const auto at = std::find_if(devices.begin(), devices.end(), [&](const auto& d) { return d.number == number; });
      if (at == devices.end()) llmap::fail("--device cuda:", number, ": no such device; there are ", there);
      wanted.push_back(*at);
    }
    for (const llmap::cuda_device& d : numbers.empty() ? devices : wanted) open(d, "--device " + name + ": ");
  }
  std::string facts(const llmap::decoder_plan& plan, llmap::dtype precision) const override {
    std::string first;
    for (const llmap::cuda_executor& exec : execs_) {
      enter(exec);
      const std::string algorithms = precision == llmap::dtype::f64 ? llmap::product_algorithms<double>(exec, plan)
                                                                    : llmap::product_algorithms<float>(exec, plan);
      if (&exec == &execs_.front()) first = algorithms;
      else if (algorithms != first)
        llmap::fail("--device cuda: expected the same algorithms of cuBLASLt on every device, got on ",
                    execs_.front().device, ": ", first, "; on ", exec.device, ": ", algorithms);
    }
    return first.empty() ? facts_ : facts_ + ", algorithms " + llmap::fingerprint().add(first).hex().substr(0, 16);
  }
  llmap::scoring_report score_f32(llmap::score_store& store, const llmap::model_to_score<device_words>& model,
                                  const llmap::text_set& texts, llmap::store_scoring_options options,
                                  const llmap::scoring_watch& watch) const override {
    return score<float>(store, model, texts, std::move(options), watch);
  }
  llmap::scoring_report score_f64(llmap::score_store& store, const llmap::model_to_score<device_words>& model,
                                  const llmap::text_set& texts, llmap::store_scoring_options options,
                                  const llmap::scoring_watch& watch) const override {
    return score<double>(store, model, texts, std::move(options), watch);
  }
};

} // namespace

extern "C" __attribute__((visibility("default"))) const scoring_device*
llmap_open_device(const std::string& name, const std::vector<int>& numbers) {
  return new cuda_scoring(name, numbers);
}
