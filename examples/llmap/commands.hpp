// The commands of the llmap tool, one source file each: the arguments of each, as main.cpp reads them from the command
// line, and the function that runs it. A command throws llmap::error for bad input.
#pragma once
#include "llmap/core/parallel.hpp"
#include "llmap/geometry/select_models.hpp"
#include "llmap/text/chunk.hpp"
#include "llmap/text/text_set.hpp"
#include "score_model.hpp"
#include <cstdio>
#include <string>
#include <vector>

/// Names are untrusted: characters that could steer a terminal are shown as '?'.
inline std::string shown(std::string name) {
  for (char& c : name)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return name;
}

/// Says on standard error which models are left out because they have no scores.
inline void say_left_out(const llmap::selected_models& selected) {
  for (const std::string& name : selected.without_scores)
    std::fprintf(stderr, "llmap: left out: %s has no scores\n", shown(name).c_str());
}

/// Where texts come from, and which of their fields are read.
struct texts_arguments {
  std::string path;
  llmap::text_set_options options;
};

struct info_arguments {
  std::string path, base;
  bool json = false;
};
void run_info(const info_arguments& a);

struct tokenize_arguments {
  std::string folder;
  texts_arguments texts;
  bool no_special = false;
  int threads = llmap::default_threads();
};
void run_tokenize(const tokenize_arguments& a);

struct logprobs_arguments {
  std::string folder, base, ids, precision = "f32", activations = "full";
  int threads = llmap::default_threads();
};
void run_logprobs(const logprobs_arguments& a);

struct score_arguments {
  std::vector<std::string> folders;
  texts_arguments texts;
  std::string store, name; // name: of the one model, if not the default
  bool json = false;
  std::string command; // as it was typed; typed again, it resumes
  score_settings settings;
};
void run_score(const score_arguments& a);

struct models_arguments {
  std::string store;
  bool json = false;
};
void run_models(const models_arguments& a);

struct remove_arguments {
  std::string store;
  std::vector<std::string> models;
};
void run_remove(const remove_arguments& a);

struct merge_arguments {
  std::string out;
  std::vector<std::string> stores;
  bool force = false;
};
void run_merge(const merge_arguments& a);

struct export_arguments {
  std::string store, out;
  llmap::model_selection selection;
  bool force = false;
};
void run_export(const export_arguments& a);

struct map_arguments {
  std::string store, matrix, html, json, svg, tsv, newick, title, labels, affinity = "euclidean";
  double perplexity = 0, clip = 0.02;
  int threads = 0; // 0: all processors
  llmap::model_selection selection;
  bool force = false;
};
void run_map(const map_arguments& a);

struct compare_arguments {
  std::string store, a, b;
  double clip = 0.02;
  bool json = false;
  llmap::model_selection selection;
};
void run_compare(const compare_arguments& args);

struct chunk_arguments {
  std::vector<std::string> files;
  std::string out, domain;
  llmap::chunk_options options;
  bool force = false;
};
void run_chunk(const chunk_arguments& a);
