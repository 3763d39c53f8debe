// SPDX-License-Identifier: Apache-2.0
// References to results in a payload, both from outside. Input: a result, a line break, a payload.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "base/id.hpp"
#include "base/json.hpp"
#include "model/references.hpp"
#include "model/task.hpp"

using namespace fabric;

namespace {

void demand(bool good) {
  if (!good) std::abort();
}

// One pass down a path and one look-up a level must find the same.
void compare_paths(std::string_view text) {
  if (!json::validate(text)) return;
  const std::vector<std::vector<std::string_view>> paths = {
      {"a"}, {"k", "a"}, {"a", "a"}, {"a", "k", "a"}};
  for (const auto& path : paths) {
    std::string_view value = text;
    for (std::string_view key : path) value = json::raw_member(value, key);
    demand(value == json::raw_at(text, path));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t split = std::min(input.find('\n'), size);
  const std::string result(input.substr(0, split));
  const std::string_view payload = input.substr(std::min(split + 1, size));
  compare_paths(result);

  const auto ids = referenced_tasks(payload);
  std::vector<std::string> asked;
  const auto out = expand_references(payload, [&](std::string_view id) -> Result<std::string> {
    asked.emplace_back(id);
    return result;
  });
  if (!ids) {
    demand(!out && ids.error().message == out.error().message && asked.empty());
    return 0;
  }
  for (const std::string& id : *ids) demand(is_valid_id(id));
  for (size_t i = 0; i < ids->size(); ++i)
    demand(std::find(ids->begin(), ids->begin() + static_cast<ptrdiff_t>(i), (*ids)[i]) ==
           ids->begin() + static_cast<ptrdiff_t>(i));
  demand(asked.size() <= ids->size() && std::equal(asked.begin(), asked.end(), ids->begin()));
  if (!out) {
    demand(out.error().code == ErrorCode::usage && !out.error().message.empty());
    return 0;
  }
  demand(asked.size() == ids->size());
  if (ids->empty()) demand(*out == payload);
  if (!ids->empty()) demand(out->size() <= k_max_payload && json::validate(*out).has_value());
  return 0;
}
