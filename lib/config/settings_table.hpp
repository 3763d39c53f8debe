// SPDX-License-Identifier: Apache-2.0
// The one list of all settings. Parsing, `config show`, `config check`, the fabric.toml that `init`
// writes and the tables of the documentation come from it; no key is written down twice.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/layers.hpp"
#include "config/settings.hpp"

namespace fabric::config {

struct Setting {
  std::string_view key;      // full: "agent.isolation.level"; agent.toml omits "agent."
  std::string_view type;     // for people
  std::string_view meaning;  // one line
  unsigned files;            // FileKind bits: where it may stand
  void (*set)(Settings&, const Node&, Complaints&);
  // One of these three:
  std::string (*value)(const Settings&) = nullptr;         // as TOML
  const Metadata& (*map)(const Settings&) = nullptr;       // of a table of strings
  const NumberMap& (*numbers)(const Settings&) = nullptr;  // of a table of integers
  // Its members are named by whoever writes the file, and merge over the files, key by key.
  [[nodiscard]] bool is_table() const { return !value; }
};

const std::vector<Setting>& settings_table();
const Setting* find_setting(std::string_view key);

// Names of the files that `files` stands for: "fabric.toml, tenant.toml".
std::string file_names(unsigned files);

}  // namespace fabric::config
