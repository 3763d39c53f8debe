// SPDX-License-Identifier: Apache-2.0
#include "egress/target.hpp"

#include <algorithm>
#include <charconv>

#include "model/sandbox_rules.hpp"

namespace fabric::egress {
namespace {

bool numeric_label(std::string_view name) {
  std::string_view last = name.substr(name.rfind('.') + 1);
  const bool hex = last.starts_with("0x");
  if (hex) last.remove_prefix(2);
  return std::all_of(last.begin(), last.end(), [hex](char c) {
    return (c >= '0' && c <= '9') || (hex && c >= 'a' && c <= 'f');
  });
}

}  // namespace

std::optional<Target> parse_target(std::string_view text, uint16_t default_port) {
  Target target;
  target.port = default_port;
  const size_t bracket = text.starts_with('[') ? text.find(']') : 0;
  if (bracket == std::string_view::npos) return std::nullopt;
  const size_t colon = text.find(':', bracket);
  if (colon != std::string_view::npos) {
    const std::string_view digits = text.substr(colon + 1);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), target.port);
    if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    text = text.substr(0, colon);
  }
  if (target.port == 0) return std::nullopt;
  target.address = parse_address(text);
  if (target.address) {
    target.name = target.address->text();
    return target;
  }
  Result<std::string> name = normal_host_name(text);
  if (!name || numeric_label(*name)) return std::nullopt;
  target.name = std::move(*name);
  return target;
}

}  // namespace fabric::egress
