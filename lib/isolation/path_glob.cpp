// SPDX-License-Identifier: Apache-2.0
#include "isolation/path_glob.hpp"

#include <vector>

namespace fabric {

namespace {

std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const size_t end = path.find('/');
    parts.push_back(path.substr(0, end));
    if (end == std::string_view::npos) break;
    path.remove_prefix(end);
  }
  return parts;
}

// Both texts, one after the other, with the last star to return to: linear in practice, never
// exponential.
bool matches_part(std::string_view pattern, std::string_view text) {
  size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace

bool is_pattern(std::string_view path) { return path.find_first_of("*?") != path.npos; }

bool matches_pattern(std::string_view pattern, std::string_view path) {
  const auto wanted = parts_of(pattern), given = parts_of(path);
  size_t p = 0, t = 0, stars = std::string_view::npos, resume = 0;
  while (t < given.size()) {
    if (p < wanted.size() && wanted[p] == "**") {
      stars = p++;
      resume = t;
    } else if (p < wanted.size() && matches_part(wanted[p], given[t])) {
      ++p;
      ++t;
    } else if (stars != std::string_view::npos) {
      p = stars + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < wanted.size() && wanted[p] == "**") ++p;
  return p == wanted.size();
}

std::string fixed_part(std::string_view pattern) {
  const size_t wild = pattern.find_first_of("*?");
  const size_t slash = pattern.rfind('/', wild);
  return slash == 0 || slash == std::string_view::npos ? "/"
                                                       : std::string(pattern.substr(0, slash));
}

}  // namespace fabric
