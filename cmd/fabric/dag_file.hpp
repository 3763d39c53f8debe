// SPDX-License-Identifier: Apache-2.0
// Reads a file of tasks with dependencies, in TOML ([[task]] tables) or JSON ({"tasks": [...]}),
// into fields as JSON text that know their place. What the fields mean is dag.hpp's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "config/toml_tree.hpp"

namespace fabric::cmd {

struct DagField {
  std::string name;
  config::Position name_at;
  config::Position at;  // of the value
  std::string json;     // verbatim, where it was JSON
};
struct DagEntry {
  config::Position at;
  std::vector<DagField> fields;  // each name once
};

constexpr size_t k_largest_dag = size_t{8} << 20;

// "tasks.toml:3:10: message".
tl::unexpected<Error> fail_at(const std::string& path, config::Position at, std::string message,
                              std::string hint = {});
// `path` is for messages.
Result<std::vector<DagEntry>> read_dag_toml(const std::string& path, std::string_view text);
Result<std::vector<DagEntry>> read_dag_json(const std::string& path, std::string_view text);
// By the end of its name; without .toml or .json by what it looks like. "-" is standard input.
Result<std::vector<DagEntry>> read_dag_file(const std::string& path);

}  // namespace fabric::cmd
