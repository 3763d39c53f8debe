// SPDX-License-Identifier: Apache-2.0
#include "isolation/learned_policy.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <vector>

#include "base/json.hpp"
#include "base/toml_library.hpp"
#include "isolation/init_wire.hpp"
#include "isolation/learning_filter.hpp"
#include "isolation/learning_view.hpp"
#include "isolation/seccomp_policy.hpp"
#include "model/sandbox_rules.hpp"

namespace fabric {

namespace {

namespace fs = std::filesystem;
using Paths = std::set<std::string>;

constexpr size_t k_siblings = 8;
constexpr size_t k_most_rules = 48;    // a sandbox takes 64 trees (path_plan.cpp)
constexpr size_t k_most_kept = 20000;  // of each kind: the agent chooses the paths
constexpr std::string_view k_runs = "# learned from ",
                           k_calls = "# calls: ", k_not_given = "# not given: ";

std::string parent_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

bool beneath(const std::string& path, const std::string& directory) {
  return directory == "/" || path == directory ||
         (path.starts_with(directory) && path[directory.size()] == '/');
}

// "/", "/srv", "/home/ann", "/root": never given as a whole because of what is used in them.
bool too_much(const std::string& directory) {
  const auto depth = std::count(directory.begin(), directory.end(), '/');
  return directory == "/" || depth < 2 || parent_of(directory) == "/home" || directory == "/root";
}

void keep(Paths& paths, const std::string& path) {
  if (paths.size() < k_most_kept) paths.insert(path);
}

// That there is, on the host: what is to be changed may have to be made in it.
std::string directory_for(const std::string& path) {
  std::error_code error;
  std::string at = path;
  while (at != "/" && !fs::is_directory(at, error)) at = parent_of(at);
  return at;
}

Paths without_nested(const Paths& paths, const Paths& above) {
  Paths rest;
  for (const std::string& path : paths) {
    const auto holds = [&](const std::string& directory) {
      return directory != path && beneath(path, directory);
    };
    const bool nested = std::any_of(paths.begin(), paths.end(), holds) ||
                        std::any_of(above.begin(), above.end(), [&](const std::string& directory) {
                          return beneath(path, directory);
                        });
    if (!nested) rest.insert(path);
  }
  return rest;
}

// The directory with most of the paths in it, if it may stand for them; "" when none has `least`.
std::string fullest(const Paths& paths, size_t least) {
  std::map<std::string, size_t> counts;
  for (const std::string& path : paths) ++counts[parent_of(path)];
  std::string best;
  for (const auto& [directory, count] : counts)
    if (count >= least && !too_much(directory) && (best.empty() || count > counts[best]))
      best = directory;
  return best;
}

Paths collapsed(Paths paths, const Paths& above) {
  for (;;) {
    paths = without_nested(paths, above);
    std::string directory = fullest(paths, k_siblings);
    if (directory.empty() && paths.size() > k_most_rules) directory = fullest(paths, 2);
    if (directory.empty()) return paths;
    paths.insert(directory);
  }
}

// Agents choose names: a file of TOML has to be UTF-8, and a comment to end where it does.
bool is_utf8(const std::string& text) {
  constexpr std::string_view k_replaced = "\xef\xbf\xbd";
  std::string json;
  json::append_quoted(json, text);
  return text.find(k_replaced) != std::string::npos || json.find(k_replaced) == std::string::npos;
}

std::string printable(std::string text) {
  const bool utf8 = is_utf8(text);
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f ||
        (!utf8 && static_cast<unsigned char>(c) >= 0x80))
      c = '?';
  return text;
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    constexpr std::string_view k_digits = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\u00";
      out += k_digits[byte >> 4];
      out += k_digits[byte & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

void write_list(std::string& out, std::string_view key, const Paths& list) {
  if (list.empty()) return;
  out += std::string(key) + " = [\n";
  for (const std::string& item : list) out += "  " + quoted(item) + ",\n";
  out += "]\n";
}

// "HOST:INSIDE" where a rule of the definition shows it elsewhere than it is; "" for a path that no
// rule can say.
std::string rule_for(const std::string& inside, const SandboxOptions& options) {
  std::string best, host = inside;
  for (const auto* rules : {&options.read_only, &options.read_write})
    for (const std::string& text : *rules) {
      const auto rule = parse_path_rule(text);
      if (!rule || !beneath(inside, rule->inside) || rule->inside.size() < best.size()) continue;
      best = rule->inside;
      host = rule->host + inside.substr(best.size());
    }
  const std::string rule = host == inside ? inside : host + ":" + inside;
  const auto parsed = parse_path_rule(rule);
  return parsed && is_utf8(rule) && parsed->inside == inside ? rule : "";
}

Paths rules_for(const Paths& paths, const SandboxOptions& options, Paths& not_given) {
  Paths rules;
  for (const std::string& path : paths) {
    const std::string rule = rule_for(path, options);
    rule.empty() ? not_given.insert(path) : rules.insert(rule);
  }
  return rules;
}

// Of what is given, what nobody should see by that.
Paths secrets_in(const Paths& given) {
  Paths hidden;
  for (const std::string& secret : known_secrets())
    for (const std::string& directory : given)
      if (secret != directory && beneath(secret, directory)) hidden.insert(secret);
  return hidden;
}

void read_list(const toml::table& isolation, const char* key, Paths& out) {
  const toml::array* list = isolation[key].as_array();
  if (list == nullptr) return;
  for (const auto& item : *list)
    if (const auto text = item.value<std::string>()) keep(out, *text);
}

void read_comment(std::string_view line, LearnedPolicy& policy) {
  if (line.starts_with(k_runs)) {
    line.remove_prefix(k_runs.size());
    std::from_chars(line.data(), line.data() + line.size(), policy.runs);
  } else if (line.starts_with(k_calls)) {
    line.remove_prefix(k_calls.size());
    while (!line.empty()) {
      const size_t end = std::min(line.find(' '), line.size());
      if (end != 0) keep(policy.calls, std::string(line.substr(0, end)));
      line.remove_prefix(std::min(end + 1, line.size()));
    }
  } else if (line.starts_with(k_not_given)) {
    keep(policy.not_given, std::string(line.substr(k_not_given.size())));
  }
}

}  // namespace

void learn(LearnedPolicy& policy, const LearnedUse& use) {
  switch (use.kind) {
    case wire::k_learned_list:
      return keep(too_much(use.path) ? policy.not_given : policy.read, use.path);
    case wire::k_learned_read:
    case wire::k_learned_execute:
      return keep(policy.read, use.path);
    case wire::k_learned_write: {
      const std::string directory = directory_for(use.path);
      if (too_much(directory)) return keep(policy.not_given, use.path + " (to change it)");
      return keep(policy.changed, directory);
    }
    case wire::k_learned_withheld:
      return keep(policy.not_given, use.path);
    case wire::k_learned_call:
      return keep(policy.calls, seccomp_call_name(use.call));
    default:
      return;
  }
}

bool learn_host(LearnedPolicy& policy, std::string_view host, int64_t port, bool is_private) {
  const bool six = host.find(':') != std::string_view::npos;
  const std::string place = six ? "[" + std::string(host) + "]" : std::string(host);
  const std::string rule =
      place + ":" + std::to_string(port) + (is_private && !six ? "+private" : "");
  // People use the file: it has to be a rule, whoever took over the egress process.
  if (!parse_egress_rule(rule) || policy.egress.size() >= k_most_kept) return false;
  return policy.egress.insert(rule).second;
}

Result<std::string> learned_toml(const LearnedPolicy& policy, const SandboxOptions& options,
                                 const std::vector<std::string>& command) {
  const Paths changed = collapsed(policy.changed, {});
  const Paths read = collapsed(policy.read, changed);
  Paths not_given = policy.not_given;
  const Paths rw = rules_for(changed, options, not_given), ro = rules_for(read, options, not_given);
  Paths given = read;
  given.insert(changed.begin(), changed.end());
  std::string why;
  const std::vector<std::string> calls(policy.calls.begin(), policy.calls.end());
  const std::string seccomp = TRY(policy_for_calls(calls, why));

  std::string out = std::string(k_runs) + std::to_string(policy.runs) +
                    (policy.runs == 1 ? " run" : " runs") +
                    "; read it before you use it: it allows what was done, good or bad\n";
  if (!calls.empty()) {
    out += k_calls;
    for (const std::string& call : calls) out += call + (call == calls.back() ? "\n" : " ");
  }
  Paths shown;
  for (const std::string& path : not_given) shown.insert(printable(path));
  for (const std::string& path : shown) out += std::string(k_not_given) + path + "\n";
  if (!command.empty() && std::all_of(command.begin(), command.end(), is_utf8)) {
    out += "\ncommand = [";
    for (const std::string& word : command)
      out += (&word == &command[0] ? "" : ", ") + quoted(word);
    out += "]\n";
  }
  out += "\n[isolation]\n";
  write_list(out, "ro", ro);
  write_list(out, "rw", rw);
  write_list(out, "hide", secrets_in(given));
  write_list(out, "egress", policy.egress);
  if (!why.empty())
    out += "# strict cannot let these through alone, for there are walls in them: " + why + "\n";
  out += "seccomp = " + quoted(seccomp) + "\n";
  return out;
}

Result<LearnedPolicy> read_learned(std::string_view text) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed)
    return fail(ErrorCode::usage, "line " + std::to_string(parsed.error().source().begin.line) +
                                      ": " + std::string(parsed.error().description()));
  LearnedPolicy policy;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    read_comment(text.substr(at, end - at), policy);
    at = end + 1;
  }
  const toml::table* isolation = parsed.table()["isolation"].as_table();
  if (isolation == nullptr) return policy;
  Paths ro, rw;
  read_list(*isolation, "ro", ro);
  read_list(*isolation, "rw", rw);
  read_list(*isolation, "egress", policy.egress);
  for (const auto& [rules, paths] : {std::pair(&ro, &policy.read), std::pair(&rw, &policy.changed)})
    for (const std::string& rule : *rules)
      if (const auto path = parse_path_rule(rule)) paths->insert(path->inside);
  return policy;
}

}  // namespace fabric
