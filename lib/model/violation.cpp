// SPDX-License-Identifier: Apache-2.0
#include "model/violation.hpp"

#include <array>

namespace fabric {

namespace {

constexpr std::array<std::string_view, 10> k_kinds{"call",   "file", "connect",   "name", "publish",
                                                   "memory", "pids", "file_size", "disk", "output"};
constexpr std::array<std::string_view, 5> k_sources{"filter", "landlock", "egress", "limit",
                                                    "output"};
constexpr size_t k_longest_text = 300;

bool is_limit(ViolationKind kind) { return kind >= ViolationKind::memory; }

void tidy_text(std::string& text) {
  if (text.size() > k_longest_text) text.resize(k_longest_text);
  for (char& c : text)
    if (c < ' ' || c > '~') c = '?';
}

}  // namespace

std::string_view to_string(ViolationKind kind) { return k_kinds[static_cast<size_t>(kind)]; }
std::string_view to_string(ViolationSource source) {
  return k_sources[static_cast<size_t>(source)];
}

bool same_violation(const Violation& a, const Violation& b) {
  return a.kind == b.kind && a.what == b.what && a.rule == b.rule && a.process == b.process &&
         a.task == b.task && a.attempt_id == b.attempt_id && a.source == b.source;
}

std::string explain_violation(const Violation& v) {
  std::string text = v.what;
  if (v.source == ViolationSource::output)
    text += " is not allowed by the sandbox, it seems";
  else if (is_limit(v.kind))
    text += " reached the limit " + v.rule;
  else
    text += " was denied (" + v.rule + ")";
  if (!v.allow.empty()) text += "; " + v.allow + " would allow it";
  return text;
}

void tidy(Violation& v) {
  for (std::string* text : {&v.agent, &v.task, &v.process, &v.what, &v.rule, &v.allow})
    tidy_text(*text);
}

}  // namespace fabric
