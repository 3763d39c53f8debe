// SPDX-License-Identifier: Apache-2.0
#include "fabric/json_strings.hpp"

namespace fabric::cmd {

void for_each_string_value(std::string_view json,
                           const std::function<void(size_t at, size_t length)>& visit) {
  for (size_t at = json.find('"'); at != std::string_view::npos; at = json.find('"', at)) {
    const size_t start = ++at;
    while (at < json.size() && json[at] != '"') at += json[at] == '\\' ? size_t{2} : size_t{1};
    if (at >= json.size()) return;
    const size_t next = json.find_first_not_of(" \t\r\n", at + 1);
    const bool is_key = next != std::string_view::npos && json[next] == ':';
    if (!is_key) visit(start, at - start);
    ++at;
  }
}

}  // namespace fabric::cmd
