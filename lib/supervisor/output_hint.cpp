// SPDX-License-Identifier: Apache-2.0
#include "supervisor/output_hint.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

namespace fabric {
namespace {

constexpr size_t k_longest = 200;

bool in_host(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-' || c == '_';
}

// Each is followed by the host, maybe in quotes.
constexpr std::array<std::string_view, 9> k_before_hosts{
    "Could not resolve host: ",         // curl, git
    "unable to resolve host address ",  // wget
    "Temporary failure resolving ",     // apt
    "getaddrinfo ENOTFOUND ",           // node
    "getaddrinfo EAI_AGAIN ",           //
    "HTTPSConnectionPool(host=",        // python requests
    "HTTPConnectionPool(host=",         //
    "could not translate host name ",   // psql
    "Failed to connect to "};           // curl

std::optional<std::string> host_in(std::string_view line) {
  for (std::string_view before : k_before_hosts) {
    size_t at = line.find(before);
    if (at == std::string_view::npos) continue;
    at += before.size();
    while (at < line.size() && !in_host(line[at])) ++at;
    size_t end = at;
    while (end < line.size() && in_host(line[end])) ++end;
    while (end > at && line[end - 1] == '.') --end;
    const std::string host(line.substr(at, end - at));
    if (host.find('.') != std::string::npos && host.size() <= k_longest) return host;
  }
  return std::nullopt;
}

bool is_below(std::string_view path, std::string_view directory) {
  return path.starts_with(directory) &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

// The first absolute path of the line that is not the sandbox's own.
std::optional<std::string> path_in(std::string_view line) {
  for (size_t at = line.find('/'); at != std::string_view::npos; at = line.find('/', at + 1)) {
    const char before = at == 0 ? ' ' : line[at - 1];
    if (before != ' ' && before != '\'' && before != '"' && before != '`') continue;
    size_t end = line.find_first_of(" '\":,`", at);
    const std::string_view path = line.substr(at, end - at);
    if (path.size() < 2 || path.size() > k_longest || path.find('\\') != std::string_view::npos)
      continue;
    const bool own = is_below(path, "/work") || is_below(path, "/tmp") || is_below(path, "/dev");
    if (!own) return std::string(path);
  }
  return std::nullopt;
}

bool has(std::string_view line, std::string_view text) {
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) ==
           std::tolower(static_cast<unsigned char>(b));
  };
  return std::search(line.begin(), line.end(), text.begin(), text.end(), same) != line.end();
}

std::optional<Violation> hint_of(std::string_view line) {
  Violation v;
  v.source = ViolationSource::output;
  v.hint = true;
  if (auto host = host_in(line)) {
    v.kind = ViolationKind::connect;
    v.what = *host;
    v.rule = "not listed";
    v.allow = "isolation.egress = [\"" + *host + "\"]";
    return v;
  }
  const bool write = has(line, "read-only file system") || has(line, "permission denied") ||
                     has(line, "cannot create");
  if (!write && !has(line, "no such file or directory")) return std::nullopt;
  auto path = path_in(line);
  if (!path) return std::nullopt;
  v.kind = ViolationKind::file;
  v.what = *path + (write ? " (write)" : " (read)");
  v.rule = "not listed";
  v.allow = std::string("isolation.") + (write ? "rw" : "ro") + " = [\"" + *path + "\"]";
  return v;
}

}  // namespace

std::optional<Violation> hint_in(std::string_view tail) {
  while (!tail.empty()) {
    if (tail.back() == '\n') tail.remove_suffix(1);
    const size_t newline = tail.rfind('\n');
    const size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
    if (auto hint = hint_of(tail.substr(begin))) return hint;
    tail = tail.substr(0, begin);
  }
  return std::nullopt;
}

}  // namespace fabric
