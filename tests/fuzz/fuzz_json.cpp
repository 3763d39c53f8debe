// SPDX-License-Identifier: Apache-2.0
// JSON from outside, and commands with values from it. Input: a command argument, a line break,
// JSON.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "base/json.hpp"
#include "model/command_template.hpp"

using namespace fabric;

namespace {

void demand(bool good) {
  if (!good) std::abort();
}

// raw_member() and find() must speak of the same value.
void compare_members(const json::Document& document, std::string_view text) {
  if (!document.IsObject()) return;
  size_t seen = 0;
  for (const auto& member : document.GetObject()) {
    if (++seen > 32) return;
    const std::string_view key = json::text_of(member.name);
    const std::string_view raw = json::raw_member(text, key);
    const auto parsed = json::parse(raw);
    demand(parsed.has_value());
    demand(json::to_text(*parsed) == json::to_text(*json::find(document, key)));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t split = std::min(input.find('\n'), size);
  const std::string argument(input.substr(0, split));
  const std::string_view text = input.substr(std::min(split + 1, size));

  std::string quoted;
  json::append_quoted(quoted, input);
  demand(json::validate(quoted).has_value());

  const auto document = json::parse(text);
  demand(document.has_value() == json::validate(text).has_value());
  if (!document) return 0;
  const std::string compact = json::to_text(*document);
  const auto second = json::parse(compact);
  demand(second.has_value() && json::to_text(*second) == compact);
  compare_members(*document, text);

  const auto command = expand_command({"program", argument, "{payload.a}", "end"}, text);
  if (command) {
    demand(command->size() == 4 && command->front() == "program" && command->back() == "end");
    for (const std::string& word : *command) demand(word.find('\0') == std::string::npos);
  }
  return 0;
}
