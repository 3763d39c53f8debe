// SPDX-License-Identifier: Apache-2.0
// Values of one file after another, each with where it came from.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"
#include "config/values.hpp"

namespace fabric::config {

// The layers, lowest first; bits, so that a setting can name several.
enum FileKind : unsigned {
  k_managed = 1,
  k_tenant = 2,
  k_workspace = 4,
  k_agent = 8,
};

// Something wrong in a file; sorts by file, then line.
struct Problem {
  std::string file;
  Position at;
  Error error;  // message begins with file:line:column
};

struct Draft {
  Settings settings;  // agent_defaults become the definition once an agent.toml was applied
  std::map<std::string, std::string> origins;  // by full key ("agent.env.LANG"): file:line:column
};

std::string place(const std::string& file, Position at);

// Parses `text` and applies it on top of the draft; what is wrong is added to `problems` and not
// applied. Touches no file.
void apply_text(std::string_view text, const std::string& file, FileKind kind, Draft& draft,
                std::vector<Problem>& problems);

}  // namespace fabric::config
