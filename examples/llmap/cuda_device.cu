// The module that scores on a CUDA device; device.hpp says how the tool comes to it.
#include "device.hpp"
#include "llmap/cuda.cuh"
#include "llmap/forward/cuda/check_library.cuh"
#include <cstdio>
#include <unistd.h>

namespace {

class cuda_scoring final : public scoring_device {
  llmap::cuda_device device_;
  llmap::cuda_executor exec_;
  mutable std::string trouble_; // with cuBLASLt, until it is said

  void say_trouble() const {
    if (trouble_.empty()) return;
    std::fprintf(stderr, "%sllmap: --device cuda:%d: products by llmap's own kernels, not cuBLASLt: %s\n",
                 ::isatty(STDERR_FILENO) ? "\r\033[K" : "", device_.number, trouble_.c_str());
    trouble_.clear();
  }

  template <class T>
  llmap::scoring_report score(llmap::score_store& store, const llmap::model_to_score<device_words>& model,
                              const llmap::text_set& texts, llmap::store_scoring_options options,
                              const llmap::scoring_watch& watch) const {
    options.load.available = llmap::available_memory(exec_);
    return llmap::score_missing<T>(store, exec_, model, texts, options, [&](const llmap::scoring_progress& now) {
      if (now.now == llmap::scoring_progress::phase::packing_weights) say_trouble();
      return !watch || watch(now);
    });
  }

public:
  explicit cuda_scoring(int number) {
    const std::vector<llmap::cuda_device> devices = llmap::cuda_devices();
    const std::string where = "--device cuda:" + std::to_string(number) + ": ";
    if (devices.empty())
      llmap::fail(where, "no CUDA device of compute capability 8.0 or later, or no driver, on this machine");
    for (const llmap::cuda_device& d : devices)
      if (d.number == number) device_ = d;
    if (device_.name.empty()) {
      std::string there;
      for (const llmap::cuda_device& d : devices)
        there += (there.empty() ? "" : ", ") + std::to_string(d.number) + " (" + d.name + ")";
      llmap::fail(where, "no such device; there are ", there);
    }
    exec_ = llmap::with_library(llmap::use_device(device_), trouble_);
  }
  std::string facts() const override { return llmap::device_facts(device_) + ", " + llmap::product_facts(exec_); }
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

extern "C" __attribute__((visibility("default"))) const scoring_device* llmap_open_device(int number) {
  return new cuda_scoring(number);
}
