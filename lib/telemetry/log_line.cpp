// SPDX-License-Identifier: Apache-2.0
#include "telemetry/log_line.hpp"

#include <algorithm>
#include <array>

#include "base/json.hpp"

namespace fabric::log {
namespace {

constexpr std::array<std::string_view, 4> k_levels{"debug", "info", "warn", "error"};
constexpr std::array<std::string_view, 4> k_colours{"\x1b[2m", "\x1b[32m", "\x1b[33m", "\x1b[31m"};

bool plain(char c) { return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '='; }

std::string escaped(std::string_view text) {
  std::string out;
  json::append_quoted(out, text);
  return out;
}

}  // namespace

std::string_view to_string(Level level) { return k_levels[static_cast<size_t>(level)]; }

Result<Level> parse_level(std::string_view text) {
  for (size_t i = 0; i < k_levels.size(); ++i)
    if (text == k_levels[i]) return static_cast<Level>(i);
  return fail(ErrorCode::usage, "unknown log level '" + std::string(text.substr(0, 40)) + "'",
              "use debug, info, warn or error");
}

std::string json_line(WallTime now, Level level, std::string_view message, Fields fields) {
  json::Writer out;
  out.begin_object();
  out.field("ts", to_rfc3339(now)).field("level", to_string(level)).field("msg", message);
  for (const Field& field : fields) {
    if (field.is_json())
      out.key(field.key()).raw(field.text());
    else
      out.field(field.key(), field.text());
  }
  out.end_object();
  return out.take();
}

std::string text_line(WallTime now, Level level, std::string_view message, Fields fields,
                      Colour colour) {
  std::string out = to_rfc3339(now) + " ";
  if (colour == Colour::yes) out += k_colours[static_cast<size_t>(level)];
  out += to_string(level);
  if (colour == Colour::yes) out += "\x1b[0m";
  out.append(6 - to_string(level).size(), ' ');
  const std::string shown = escaped(message);
  out.append(shown, 1, shown.size() - 2);
  for (const Field& field : fields) {
    out += " " + std::string(field.key()) + "=";
    const std::string_view text = field.text();
    const bool bare = !text.empty() && std::all_of(text.begin(), text.end(), plain);
    out += bare ? std::string(text) : escaped(text);
  }
  return out;
}

}  // namespace fabric::log
