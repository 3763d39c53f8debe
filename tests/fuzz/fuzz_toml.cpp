// SPDX-License-Identifier: Apache-2.0
// Configuration files: the first byte chooses which file the rest is. What is accepted must be
// writable as TOML again and mean the same.
#include <cstdint>
#include <cstdlib>

#include "config/layers.hpp"
#include "config/settings_table.hpp"

using namespace fabric::config;

namespace {

void demand(bool good) {
  if (!good) std::abort();
}

// The draft as text, at the top level of the file that has the key.
std::string written(const Draft& draft, unsigned kind) {
  std::string out;
  for (const Setting& setting : settings_table()) {
    if (!(setting.files & kind) || !setting.value) continue;
    std::string_view key = setting.key;
    if (kind == k_agent) key.remove_prefix(std::string_view("agent.").size());
    if (draft.origins.count(std::string(setting.key)))
      out += std::string(key) + " = " + setting.value(draft.settings) + "\n";
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto kind = static_cast<FileKind>(1U << (data[0] % 4));
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  Draft draft;
  std::vector<Problem> problems;
  apply_text(text, "f", kind, draft, problems);
  for (const Problem& problem : problems) {
    demand(problem.error.message.starts_with("f:"));
    for (char c : problem.error.message + problem.error.hint)
      demand(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  }
  const std::string again = written(draft, kind);
  Draft second;
  std::vector<Problem> none;
  apply_text(again, "again", kind, second, none);
  demand(none.empty());
  demand(written(second, kind) == again);
  return 0;
}
