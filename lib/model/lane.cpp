// SPDX-License-Identifier: Apache-2.0
#include "model/lane.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace fabric {
namespace {

constexpr std::array<std::string_view, k_priority_levels> k_priorities{"critical", "high", "normal",
                                                                       "low"};

// Names of labels: what an id may be made of.
bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
         });
}

tl::unexpected<Error> bad(std::string message, std::string hint = {}) {
  return fail(ErrorCode::usage, std::move(message), std::move(hint));
}

}  // namespace

std::string_view to_string(Priority priority) {
  return k_priorities[static_cast<size_t>(priority)];
}

Result<Priority> parse_priority(std::string_view text) {
  for (size_t i = 0; i < k_priorities.size(); ++i)
    if (text == k_priorities[i]) return static_cast<Priority>(i);
  return bad("unknown priority '" + std::string(text.substr(0, 40)) + "'",
             "use critical, high, normal or low");
}

std::string to_string(const Slots& slots) {
  std::string out;
  for (const auto& [label, count] : slots)
    out += (out.empty() ? "" : ",") + label + "=" + std::to_string(count);
  return out;
}

Status normalise(Slots& slots) {
  std::sort(slots.begin(), slots.end());
  for (size_t i = 0; i < slots.size(); ++i) {
    const auto& [label, count] = slots[i];
    if (!is_name(label))
      return bad("'" + label.substr(0, 64) + "' is no label: use letters, digits, '.', '_', '-'");
    if (count == 0) return bad("slots of " + label + ": the number must be above 0");
    if (i > 0 && slots[i - 1].first == label) return bad("slots of " + label + " are asked twice");
  }
  return {};
}

Result<Slots> parse_slots(std::string_view text) {
  Slots slots;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    std::string_view entry = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    const size_t equals = entry.find('=');
    uint32_t count = 1;
    if (equals != std::string_view::npos) {
      std::string_view number = entry.substr(equals + 1);
      const char* end = number.data() + number.size();
      const auto [at, error] = std::from_chars(number.data(), end, count);
      if (error != std::errc{} || at != end)
        return bad("'" + std::string(entry.substr(0, 80)) + "': not a number of slots",
                   "write LABEL or LABEL=N, for example gpu=1");
    }
    slots.emplace_back(entry.substr(0, equals), count);
  }
  TRY_STATUS(normalise(slots));
  return slots;
}

std::string to_string(const Requirements& requirements) {
  std::string out;
  for (const auto& [key, value] : requirements) out += (out.empty() ? "" : ",") + key + "=" + value;
  return out;
}

Result<Requirements> parse_requirements(std::string_view text) {
  Requirements requirements;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    const std::string_view entry = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    const size_t equals = entry.find('=');
    if (equals == std::string_view::npos)
      return bad("'" + std::string(entry.substr(0, 80)) + "' is not KEY=VALUE",
                 "for example tool=browser");
    requirements.emplace_back(entry.substr(0, equals), entry.substr(equals + 1));
  }
  TRY_STATUS(normalise(requirements));
  return requirements;
}

Status normalise(Requirements& requirements) {
  std::sort(requirements.begin(), requirements.end());
  requirements.erase(std::unique(requirements.begin(), requirements.end()), requirements.end());
  for (const auto& [key, value] : requirements) {
    if (!is_name(key))
      return bad("'" + key.substr(0, 64) + "' is nothing that an agent can be asked for",
                 "use tool=NAME, model=NAME, pool=NAME or LABEL=VALUE");
    if (value.empty() || value.size() > 128 ||
        std::any_of(value.begin(), value.end(),
                    [](unsigned char c) { return c < 0x20 || c == ',' || c == 0x7f; }))
      return bad("the value of '" + key + "' must have 1 to 128 bytes without commas");
  }
  return {};
}

}  // namespace fabric
