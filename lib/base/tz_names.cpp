// SPDX-License-Identifier: Apache-2.0
// The names of all zones, to find the one that was meant. Only read for a message.
#include <algorithm>

#include "base/fd.hpp"
#include "base/nearest.hpp"
#include "base/timezone.hpp"

namespace fabric {
namespace {

constexpr size_t k_most_suggestions = 3;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  std::replace(out.begin(), out.end(), ' ', '_');
  return out;
}

// From the compiler's input that tzdata carries: "Z NAME ..." is a zone, "L TARGET NAME" a link.
std::vector<std::string> all_names() {
  std::vector<std::string> names;
  const Result<std::string> text = read_file("/usr/share/zoneinfo/tzdata.zi");
  if (!text) return names;
  for (size_t begin = 0; begin < text->size();) {
    const size_t end = std::min(text->find('\n', begin), text->size());
    const std::string_view line = std::string_view(*text).substr(begin, end - begin);
    begin = end + 1;
    if (line.starts_with("Z "))
      names.emplace_back(line.substr(2, line.substr(2).find(' ')));
    else if (line.starts_with("L "))
      names.emplace_back(line.substr(line.rfind(' ') + 1));
  }
  return names;
}

}  // namespace

std::vector<std::string> nearest_time_zones(std::string_view typed) {
  std::vector<std::string> found;
  if (typed.empty() || typed.size() > 64) return found;
  const std::string wanted = lower(typed);
  const std::vector<std::string> names = all_names();
  for (const std::string& name : names)
    if (lower(name) == wanted) return {name};
  for (const std::string& name : names)
    if (lower(name).ends_with("/" + wanted) && found.size() < k_most_suggestions)
      found.push_back(name);
  if (!found.empty()) return found;
  std::vector<std::string> lowered;
  for (const std::string& name : names) lowered.push_back(lower(name));
  std::string near = nearest(wanted, lowered);
  if (near.empty()) {  // a slip in the last part alone: "Berln"
    for (std::string& name : lowered) name.erase(0, name.rfind('/') + 1);
    near = nearest(wanted, lowered);
  }
  for (size_t i = 0; i < names.size() && !near.empty(); ++i)
    if (lowered[i] == near && found.size() < k_most_suggestions) found.push_back(names[i]);
  return found;
}

}  // namespace fabric
