// SPDX-License-Identifier: Apache-2.0
#include "config/settings_text.hpp"

#include "config/settings_table.hpp"

namespace fabric::config {
namespace {

// "agent.isolation.level" -> "agent.isolation" and "level".
std::string_view table_of(std::string_view key) {
  const size_t dot = key.rfind('.');
  return dot == std::string_view::npos ? std::string_view{} : key.substr(0, dot);
}

// The table that a setting is shown under. Those of the scheduler stand under one heading, for
// `pools = {web = 4}` below [scheduler] would clash with a heading [scheduler.pools] later on.
std::string_view heading_of(const Setting& setting) {
  constexpr std::string_view scheduler = "scheduler";
  if (setting.key.starts_with(scheduler)) return scheduler;
  return setting.map ? setting.key : table_of(setting.key);
}

std::string example_of(const Setting& setting, std::string_view heading) {
  if (setting.map) return "NAME = \"value\"";
  const std::string name(setting.key.substr(heading.size() + 1));
  return name + " = " + (setting.value ? setting.value(Settings{}) : "{ NAME = 1 }");
}

std::string default_of(const Setting& setting) {
  return setting.value ? setting.value(Settings{}) : std::string("{}");
}

std::string cell(std::string_view text) {
  std::string out;
  for (char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out;
}

}  // namespace

std::string default_settings_file() {
  std::string out =
      "# Settings of this workspace. What is commented out shows the default.\n"
      "# `fabric config show --origin` prints every value that holds, and where it comes from.\n";
  std::string_view table;
  for (const Setting& setting : settings_table()) {
    if (!(setting.files & k_workspace)) continue;
    const std::string_view parent = heading_of(setting);
    if (parent == "agent" && table != parent)
      out +=
          "\n# Defaults of every agent; an agents/ID/agent.toml has the same keys without [agent].";
    if (parent != table) out += "\n[" + std::string(parent) + "]\n";
    table = parent;
    out += "# " + std::string(setting.meaning) + " (" + std::string(setting.type) + ")\n";
    out += "# " + example_of(setting, parent) + "\n";
  }
  return out;
}

std::string settings_markdown() {
  std::string out = "| Key | Type | Default | Meaning | Files |\n|---|---|---|---|---|\n";
  for (const Setting& setting : settings_table())
    out += "| `" + std::string(setting.key) + "` | " + cell(setting.type) + " | `" +
           cell(default_of(setting)) + "` | " + cell(setting.meaning) + " | " +
           file_names(setting.files) + " |\n";
  return out;
}

}  // namespace fabric::config
