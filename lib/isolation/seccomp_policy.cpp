// SPDX-License-Identifier: Apache-2.0
#include "isolation/seccomp_policy.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <set>

#include "base/toml_library.hpp"

namespace fabric {

namespace {

constexpr uint64_t k_int = 0xffffffff;
constexpr size_t k_most_groups = 500;

tl::unexpected<Error> bad(const std::string& what) {
  return fail(ErrorCode::usage, "seccomp policy: " + what);
}

constexpr std::array<std::pair<std::string_view, int>, 9> k_errors{{
    {"EPERM", EPERM},
    {"EACCES", EACCES},
    {"EINVAL", EINVAL},
    {"ENOSYS", ENOSYS},
    {"EAFNOSUPPORT", EAFNOSUPPORT},
    {"EPROTONOSUPPORT", EPROTONOSUPPORT},
    {"EOPNOTSUPP", EOPNOTSUPP},
    {"ENOPROTOOPT", ENOPROTOOPT},
    {"ENOTTY", ENOTTY},
}};

std::optional<int> error_number(std::string_view name) {
  for (auto [known, value] : k_errors)
    if (name == known) return value;
  return std::nullopt;
}

Status only_keys(const toml::table& table, const std::set<std::string_view>& known) {
  for (const auto& [key, value] : table)
    if (!known.contains(key.str())) return bad("unknown key '" + std::string(key.str()) + "'");
  return {};
}

Result<uint64_t> number(const toml::table& table, std::string_view key) {
  auto value = table[key].value<int64_t>();
  if (!value || *value < 0) return bad("'" + std::string(key) + "' must be a number");
  return static_cast<uint64_t>(*value);
}

Result<unsigned> argument(const toml::table& table) {
  uint64_t arg = TRY(number(table, "arg"));
  if (arg > 5) return bad("'arg' is 0 to 5");
  return static_cast<unsigned>(arg);
}

Result<SeccompCondition> condition(const toml::table& table) {
  TRY_STATUS(only_keys(table, {"arg", "op", "value", "mask"}));
  using Op = SeccompCondition::Op;
  unsigned arg = TRY(argument(table));
  uint64_t value = TRY(number(table, "value"));
  auto op = table["op"].value_or(std::string_view{});
  if (op == ">") return SeccompCondition{arg, Op::greater, value, 0};
  if (op == "!=") return SeccompCondition{arg, Op::not_equal, value, 0};
  if (op != "==") return bad("unknown op '" + std::string(op) + "'");
  uint64_t mask = table.contains("mask") ? TRY(number(table, "mask")) : k_int;
  return SeccompCondition{arg, Op::equal, value, mask};
}

// "one_of" and "any_bit" multiply the conditions.
Status read_conditions(const toml::table& rule, SeccompGroup& group) {
  std::vector<SeccompCondition> common;
  if (const auto* when = rule["when"].as_array())
    for (const auto& item : *when) {
      if (!item.is_table()) return bad("'when' is a list of tables");
      common.push_back(TRY(condition(*item.as_table())));
    }
  const auto* one_of = rule["one_of"].as_table();
  const auto* any_bit = rule["any_bit"].as_table();
  if (one_of == nullptr && any_bit == nullptr) {
    group.alternatives.push_back(common);
    return {};
  }
  if (one_of != nullptr && any_bit != nullptr) return bad("either 'one_of' or 'any_bit'");
  const toml::table& many = one_of != nullptr ? *one_of : *any_bit;
  TRY_STATUS(only_keys(many, {"arg", one_of != nullptr ? "values" : "bits"}));
  unsigned arg = TRY(argument(many));
  const auto* list = many[one_of != nullptr ? "values" : "bits"].as_array();
  if (list == nullptr || list->empty()) return bad("'one_of' needs values, 'any_bit' needs bits");
  for (const auto& item : *list) {
    auto value = item.value<int64_t>();
    if (!value || *value < 0) return bad("values must be numbers");
    auto bits = static_cast<uint64_t>(*value);
    group.alternatives.push_back(common);
    group.alternatives.back().push_back(
        {arg, SeccompCondition::Op::equal, bits, one_of != nullptr ? k_int : bits});
  }
  return {};
}

std::string id_of(std::string name) {
  std::replace(name.begin(), name.end(), ' ', '-');
  return name;
}

Status read_calls(const toml::table& table, SeccompGroup& group) {
  const auto* names = table["syscalls"].as_array();
  if (names == nullptr || names->empty()) return bad("a group without syscalls");
  for (const auto& item : *names) {
    auto name = item.value<std::string>();
    if (!name) return bad("syscalls are names");
    const int call = seccomp_call_number(*name);
    // A misspelt name would be a hole that nobody sees.
    if (call == -1) return bad("there is no system call '" + *name + "'");
    if (call < 0) continue;  // of another architecture
    group.calls.push_back(call);
    group.call_names.push_back(*name);
  }
  return {};
}

Status read_action(const toml::table& table, SeccompGroup& group) {
  const auto action = table["action"].value_or(std::string_view{});
  if (action == "KILL") {
    group.action = SeccompGroup::Action::kill;
    group.report = false;
  } else if (action == "ALLOW") {
    group.action = SeccompGroup::Action::allow;
    group.report = false;
  } else {
    const auto error = error_number(action);
    if (!error) return bad("unknown action '" + std::string(action) + "'");
    group.error = *error;
  }
  return {};
}

Result<SeccompGroup> read_group(const toml::table& table) {
  TRY_STATUS(only_keys(
      table, {"name", "why", "action", "report", "wall", "syscalls", "when", "one_of", "any_bit"}));
  SeccompGroup group;
  group.name = table["name"].value_or(std::string());
  const bool fine = !group.name.empty() && group.name.size() < 64 &&
                    group.name.find_first_of("+\"\\\n") == std::string::npos;
  if (!fine) return bad("a group needs a 'name'");
  group.id = id_of(group.name);
  group.why = table["why"].value_or(std::string());
  Status read = read_action(table, group);
  group.report = table["report"].value_or(group.report);
  group.wall = table["wall"].value_or(false);
  if (read) read = read_calls(table, group);
  if (read) read = read_conditions(table, group);
  if (!read) return fail(ErrorCode::usage, read.error().message + " (" + group.name + ")");
  return group;
}

}  // namespace

std::string seccomp_error_name(int error) {
  for (auto [name, value] : k_errors)
    if (value == error) return std::string(name);
  return "errno " + std::to_string(error);
}

Status allow_in(SeccompPolicy& policy, std::string_view what) {
  auto& groups = policy.groups;
  const auto found = std::find_if(groups.begin(), groups.end(),
                                  [&](const SeccompGroup& g) { return g.id == what; });
  if (found != groups.end() && found->wall)
    return fail(ErrorCode::denied, "'" + std::string(what) + "' is a wall: no policy opens it",
                "see docs/seccomp.md");
  if (found != groups.end() && found->action != SeccompGroup::Action::allow) {
    if (policy.unlisted == 0) {
      groups.erase(found);
      return {};
    }
    found->action = SeccompGroup::Action::allow;
    found->report = false;
    return {};
  }
  const int call = policy.unlisted != 0 ? seccomp_call_number(std::string(what)) : -1;
  if (call < 0)
    return fail(ErrorCode::usage, "the system call policy has no group '" + std::string(what) + "'",
                "docs/seccomp.md lists them");
  for (SeccompGroup& other : groups)
    for (size_t i = other.calls.size(); i-- > 0;)
      if (other.calls[i] == call) {
        other.calls.erase(other.calls.begin() + static_cast<ptrdiff_t>(i));
        other.call_names.erase(other.call_names.begin() + static_cast<ptrdiff_t>(i));
      }
  SeccompGroup group;
  group.name = group.id = std::string(what);
  group.action = SeccompGroup::Action::allow;
  group.report = false;
  group.calls = {call};
  group.call_names = {group.name};
  group.alternatives = {{}};
  groups.push_back(std::move(group));
  return {};
}

Result<SeccompPolicy> parse_seccomp_policy(
    std::string_view text, const std::function<Result<SeccompPolicy>(std::string_view)>& base) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed)
    return bad(std::string(parsed.error().description()) + " (line " +
               std::to_string(parsed.error().source().begin.line) + ")");
  const toml::table& table = parsed.table();
  TRY_STATUS(only_keys(table, {"base", "allow", "unlisted", "report", "group"}));
  SeccompPolicy policy;
  if (const auto name = table["base"].value<std::string>()) policy = TRY(base(*name));
  if (const auto unlisted = table["unlisted"].value<std::string>()) {
    const auto error = error_number(*unlisted);
    if (!error && *unlisted != "ALLOW") return bad("unknown action '" + *unlisted + "'");
    policy.unlisted = error.value_or(0);
  }
  policy.report = table["report"].value_or(policy.report);
  if (const auto* list = table["group"].as_array())
    for (const auto& item : *list) {
      if (!item.is_table()) return bad("groups are tables");
      policy.groups.push_back(TRY(read_group(*item.as_table())));
    }
  if (policy.groups.size() > k_most_groups) return bad("more than 500 groups");
  if (const auto* list = table["allow"].as_array())
    for (const auto& item : *list) TRY_STATUS(allow_in(policy, item.value_or(std::string_view{})));
  return policy;
}

}  // namespace fabric
