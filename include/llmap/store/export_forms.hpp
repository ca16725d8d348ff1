// A matrix in the form that the name of its file says: .safetensors, .npy (log-likelihoods alone), .npz, .tsv.
#pragma once
#include "llmap/core/utf8.hpp"
#include "llmap/core/write_file.hpp"
#include "llmap/store/export.hpp"
#include <charconv>
#include <zlib.h>

namespace llmap {

namespace detail {

/// An array as NumPy keeps it (format 1.0): a header that ends on a multiple of 64 bytes, then the numbers.
template <class T>
std::string npy(const std::string& type, const std::vector<std::size_t>& shape, std::span<const T> values) {
  std::string dimensions;
  for (const std::size_t d : shape) dimensions += std::to_string(d) + ",";
  std::string header = "{'descr': '" + type + "', 'fortran_order': False, 'shape': (" + dimensions + "), }";
  header.resize((10 + header.size() + 1 + 63) / 64 * 64 - 10 - 1, ' ');
  header += '\n';
  std::string out("\x93NUMPY\x01\x00", 8);
  out += static_cast<char>(header.size() & 0xff);
  out += static_cast<char>(header.size() >> 8);
  out += header;
  out.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  return out;
}

/// Strings as an array of NumPy: code points of 32 bits, padded with 0.
inline std::string npy(const std::vector<std::string>& strings) {
  std::vector<std::u32string> wide;
  std::size_t longest = 1;
  for (const std::string& s : strings) {
    const std::string valid = valid_utf8(s);
    std::u32string& w = wide.emplace_back();
    for (std::size_t i = 0; i < valid.size();) {
      const code_point c = code_point_at(valid, i);
      w += c.value;
      i += c.size;
    }
    longest = std::max(longest, w.size());
  }
  std::vector<char32_t> all;
  for (std::u32string& w : wide) {
    w.resize(longest, 0);
    all.insert(all.end(), w.begin(), w.end());
  }
  return npy<char32_t>("<U" + std::to_string(longest), {strings.size()}, all);
}

/// A zip archive of members that are stored as they are, without ZIP64.
class zip_archive {
  std::string bytes_, directory_;
  std::uint16_t members_ = 0;

  static void put(std::string& to, std::uint64_t value, int size) {
    for (int i = 0; i < size; ++i, value >>= 8) to += static_cast<char>(value & 0xff);
  }

public:
  void add(const std::string& name, const std::string& content) {
    const std::uint64_t offset = bytes_.size();
    if (offset + content.size() > 0xffffffffu) fail(name, ": expected an archive of less than 4 GiB");
    std::string common;         // of the member's own header and its entry in the directory
    put(common, 20, 2);         // version 2.0
    put(common, 0, 2);          // flags
    put(common, 0, 2);          // stored
    put(common, 0x00210000, 4); // the first day that the format knows
    put(common, crc32_z(0, reinterpret_cast<const Bytef*>(content.data()), content.size()), 4);
    put(common, content.size(), 4);
    put(common, content.size(), 4);
    put(common, name.size(), 2);
    put(common, 0, 2);
    bytes_ += "PK\x03\x04" + common + name + content;
    directory_ += "PK\x01\x02";
    put(directory_, 20, 2);
    directory_ += common;
    put(directory_, 0, 2 + 2 + 2 + 4);
    put(directory_, offset, 4);
    directory_ += name;
    ++members_;
  }
  std::string finish() {
    const std::uint64_t at = bytes_.size();
    std::string out = std::move(bytes_) + directory_ + "PK\x05\x06";
    put(out, 0, 4);
    put(out, members_, 2);
    put(out, members_, 2);
    put(out, directory_.size(), 4);
    put(out, at, 4);
    put(out, 0, 2);
    return out;
  }
};

inline std::string matrix_npz(const scored_matrix& scored) {
  const score_matrix& m = scored.matrix;
  const std::size_t K = m.log_likelihood.rows(), N = m.log_likelihood.cols();
  zip_archive zip;
  zip.add("log_likelihood.npy", npy<double>("<f8", {K, N}, m.log_likelihood.span()));
  zip.add("tokens_scored.npy", npy<std::int32_t>("<i4", {K, N}, scored.tokens_scored));
  zip.add("flags.npy", npy<std::uint8_t>("|u1", {K, N}, m.flags.span()));
  zip.add("bytes.npy", npy<std::int64_t>("<i8", {N}, m.bytes));
  zip.add("models.npy", npy(m.models));
  zip.add("texts.npy", npy(m.texts));
  return zip.finish();
}

/// A row for each text; blank where a model has no value that can be used.
inline std::string matrix_tsv(const score_matrix& m) {
  const auto field = [](std::string text) {
    for (char& c : text)
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    return text;
  };
  std::string out = "text\tbytes\tdomain";
  for (const std::string& name : m.models) out += '\t' + field(name);
  out += '\n';
  for (std::size_t s = 0; s < m.texts.size(); ++s) {
    out += field(m.texts[s]) + '\t' + (m.bytes.empty() ? "" : std::to_string(m.bytes[s])) + '\t' +
           (m.domains.empty() ? "" : field(m.domains[s]));
    for (std::size_t i = 0; i < m.models.size(); ++i) {
      out += '\t';
      char digits[32];
      if (usable(m, i, s))
        out.append(digits, std::to_chars(digits, digits + sizeof digits, m.log_likelihood(i, s)).ptr);
    }
    out += '\n';
  }
  return out;
}

} // namespace detail

/// The files that write_matrix_as writes: one, or two where names lie beside the numbers. An open descriptor such as
/// /dev/stdout gets safetensors, without names.
inline std::vector<std::filesystem::path> files_of_matrix(const std::filesystem::path& path) {
  const std::string form = path.extension().string();
  if (named_descriptor(path) || form == ".npz" || form == ".tsv") return {path};
  if (form == ".safetensors" || form == ".npy") return {path, names_path(path)};
  fail(path.string(), ": expected a name that ends in .safetensors, .npy, .npz or .tsv, which says the form");
}

/// Writes the files of files_of_matrix, which refuses a name that says no form.
inline void write_matrix_as(const std::filesystem::path& path, const scored_matrix& m) {
  const std::string form = path.extension().string();
  const auto files = files_of_matrix(path);
  if (form == ".tsv") write_file(path, detail::matrix_tsv(m.matrix));
  else if (form == ".npz") write_file(path, detail::matrix_npz(m));
  else if (form == ".npy")
    write_file(path, detail::npy<double>("<f8", {m.matrix.log_likelihood.rows(), m.matrix.log_likelihood.cols()},
                                         m.matrix.log_likelihood.span()));
  else write_tensors(path, m);
  if (files.size() > 1) write_names(files[1], m.matrix);
}

} // namespace llmap
