// SPDX-License-Identifier: Apache-2.0
// Checks that hold for values from files and from the command line alike.
#include <algorithm>

#include "base/json.hpp"
#include "config/values.hpp"

namespace fabric::config {
namespace {

constexpr size_t k_max_label_name = 128;

bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool digit(char c) { return c >= '0' && c <= '9'; }
bool control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

}  // namespace

std::string quoted(std::string_view text, size_t longest) {
  std::string out;
  if (text.size() <= longest) {
    json::append_quoted(out, text);
    return out;
  }
  while (longest > 0 && (static_cast<unsigned char>(text[longest]) & 0xc0) == 0x80) --longest;
  json::append_quoted(out, text.substr(0, longest));
  out.insert(out.size() - 1, "...");
  return out;
}

std::string printable(std::string_view text) {
  std::string out;
  for (char c : text) out += control(c) ? '?' : c;
  return out;
}

Status check_plain_text(std::string_view what, const std::string& text) {
  if (text.size() > k_max_text)
    return fail(ErrorCode::usage,
                std::string(what) + " is longer than " + std::to_string(k_max_text) + " bytes");
  if (text.find('\0') != std::string::npos)
    return fail(ErrorCode::usage, std::string(what) + " contains a NUL character");
  return {};
}

Status check_env(const std::string& name, const std::string& value) {
  if (name.empty() || !letter(name[0]) ||
      !std::all_of(name.begin(), name.end(), [](char c) { return letter(c) || digit(c); }))
    return fail(ErrorCode::usage, "invalid name of an environment variable " + quoted(name),
                "use letters, digits and _, and do not start with a digit");
  if (name.starts_with("FABRIC_"))
    return fail(ErrorCode::usage, "the environment variable " + name + " is set by fabric itself",
                "choose a name that does not begin with FABRIC_");
  return check_plain_text("the value of " + name, value);
}

Status check_label(const std::string& name, const std::string& value) {
  if (name.empty() || name.size() > k_max_label_name ||
      std::any_of(name.begin(), name.end(), control))
    return fail(ErrorCode::usage, "invalid name of a label " + quoted(name),
                "use 1 to " + std::to_string(k_max_label_name) + " characters");
  return check_plain_text("the label " + quoted(name), value);
}

}  // namespace fabric::config
