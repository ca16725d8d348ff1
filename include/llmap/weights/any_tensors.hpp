// Any tensor source behind one type: what reads a model is compiled once, however its weights are stored.
#pragma once
#include "llmap/weights/tensor_source.hpp"
#include <utility>

namespace llmap {

/// A tensor source (tensor_source.hpp) of any type. Copies share what they hold.
class any_tensors {
  struct interface {
    virtual ~interface() = default;
    virtual std::vector<std::string> names() const = 0;
    virtual std::optional<tensor_info> find(const std::string& name) const = 0;
    virtual tensor_data read(const std::string& name) const = 0;
    virtual tensor_data read_slice(const std::string& name, std::int64_t slice) const = 0;
    virtual std::optional<coding> coding_of(const std::string& name) const = 0;
    virtual coded_rows read_coded(const std::string& name) const = 0;
    virtual std::optional<input_rounding> rounding_of(const std::string& name) const = 0;
  };
  template <class Held> struct holder final : interface {
    Held held;
    explicit holder(Held h) : held(std::move(h)) {}
    const auto& source() const {
      if constexpr (requires { *held; }) return *held;
      else return held;
    }
    std::vector<std::string> names() const override { return source().names(); }
    std::optional<tensor_info> find(const std::string& name) const override { return source().find(name); }
    tensor_data read(const std::string& name) const override { return source().read(name); }
    tensor_data read_slice(const std::string& name, std::int64_t slice) const override {
      return llmap::read_slice(source(), name, slice);
    }
    std::optional<coding> coding_of(const std::string& name) const override { return llmap::coding_of(source(), name); }
    coded_rows read_coded(const std::string& name) const override { return llmap::read_coded(source(), name); }
    std::optional<input_rounding> rounding_of(const std::string& name) const override {
      return llmap::rounding_of(source(), name);
    }
  };
  std::shared_ptr<const interface> source_;
  explicit any_tensors(std::shared_ptr<const interface> source) : source_(std::move(source)) {}

public:
  /// Keeps the source.
  template <tensor_source Source> static any_tensors of(Source source) {
    return any_tensors(std::make_shared<holder<Source>>(std::move(source)));
  }
  /// Refers to a source that outlives this.
  template <tensor_source Source> static any_tensors referring_to(const Source& source) {
    return any_tensors(std::make_shared<holder<const Source*>>(&source));
  }

  std::vector<std::string> names() const { return source_->names(); }
  std::optional<tensor_info> find(const std::string& name) const { return source_->find(name); }
  tensor_data read(const std::string& name) const { return source_->read(name); }
  tensor_data read_slice(const std::string& name, std::int64_t slice) const { return source_->read_slice(name, slice); }
  std::optional<coding> coding_of(const std::string& name) const { return source_->coding_of(name); }
  coded_rows read_coded(const std::string& name) const { return source_->read_coded(name); }
  std::optional<input_rounding> rounding_of(const std::string& name) const { return source_->rounding_of(name); }
};

} // namespace llmap
