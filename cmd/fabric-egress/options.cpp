// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include <charconv>
#include <cstdio>
#include <string_view>

namespace fabric::egress {
namespace {

std::optional<uid_t> uid_of(std::string_view text) {
  uid_t uid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), uid);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return uid;
}

}  // namespace

std::optional<ProgramOptions> read_options(int argc, char** argv) {
  ProgramOptions out;
  bool owner = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name(argv[i]);
    if (name == "--help" || name == "--version") {
      (name == "--help" ? out.help : out.version) = true;
      return out;
    }
    if (name == "--private") {
      out.alone = true;
      continue;
    }
    const char* value = i + 1 < argc ? argv[++i] : nullptr;
    bool good = value != nullptr;
    if (good && name == "--owner") {
      const std::optional<uid_t> uid = uid_of(value);
      good = owner = uid.has_value();
      out.owner = uid.value_or(0);
    } else if (good && name == "--user") {
      out.user = uid_of(value);
      good = out.user.value_or(0) != 0;
    } else if (good && name == "--hosts") {
      out.hosts = value;
    } else if (good && name == "--authorities") {
      out.authorities = value;
    } else {
      good = false;
    }
    if (!good) {
      std::fprintf(stderr, "fabric-egress: error: bad option '%s'\nsee fabric-egress --help\n",
                   argv[i]);
      return std::nullopt;
    }
  }
  if (owner) return out;
  std::fputs("fabric-egress: error: --owner is missing\n`fabric` starts this program\n", stderr);
  return std::nullopt;
}

}  // namespace fabric::egress
