// SPDX-License-Identifier: Apache-2.0
#include "fabric/arguments.hpp"

#include <algorithm>

namespace fabric::cmd {

bool Arguments::has(std::string_view option) const {
  return std::any_of(options_.begin(), options_.end(),
                     [&](const auto& entry) { return entry.first == option; });
}

std::optional<std::string> Arguments::value(std::string_view option) const {
  for (const auto& [name, value] : options_)
    if (name == option) return value;
  return std::nullopt;
}

std::vector<std::string> Arguments::values(std::string_view option) const {
  std::vector<std::string> found;
  for (const auto& [name, value] : options_)
    if (name == option) found.push_back(value);
  return found;
}

std::string Arguments::positional(size_t index) const {
  return index < positionals_.size() ? positionals_[index] : std::string{};
}

void Arguments::add(std::string_view option, std::string value) {
  options_.emplace_back(option, std::move(value));
}

void Arguments::set_tail(std::vector<std::string> tail) {
  tail_ = std::move(tail);
  has_tail_ = true;
}

Result<std::vector<std::pair<std::string, std::string>>> parsed_pairs(const Arguments& arguments,
                                                                      std::string_view option) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string& text : arguments.values(option)) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      return fail(ErrorCode::usage, std::string(option) + " '" + text + "': no KEY=VALUE",
                  "write for example " + std::string(option) + " team=web");
    std::string key = text.substr(0, equals);
    for (const auto& pair : pairs)
      if (pair.first == key)
        return fail(ErrorCode::usage, std::string(option) + ": '" + key + "' is given twice");
    pairs.emplace_back(std::move(key), text.substr(equals + 1));
  }
  return pairs;
}

}  // namespace fabric::cmd
