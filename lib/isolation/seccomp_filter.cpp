// SPDX-License-Identifier: Apache-2.0
#include "isolation/seccomp_filter.hpp"

#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/fd.hpp"
#include "base/toml_library.hpp"
#include "isolation/seccomp_default_policy.hpp"

namespace fabric {

namespace {

using Context = std::unique_ptr<void, decltype(&::seccomp_release)>;
using Conditions = std::vector<scmp_arg_cmp>;

constexpr uint64_t k_int = 0xffffffff;

tl::unexpected<Error> bad(const std::string& what) {
  return fail(ErrorCode::usage, "seccomp policy: " + what);
}

Result<uint32_t> parse_action(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, int>, 6> k_errors{{
      {"EPERM", EPERM},
      {"ENOSYS", ENOSYS},
      {"EAFNOSUPPORT", EAFNOSUPPORT},
      {"EPROTONOSUPPORT", EPROTONOSUPPORT},
      {"EOPNOTSUPP", EOPNOTSUPP},
      {"ENOPROTOOPT", ENOPROTOOPT},
  }};
  if (name == "KILL") return SCMP_ACT_KILL_PROCESS;
  for (auto [known, value] : k_errors)
    if (name == known) return SCMP_ACT_ERRNO(static_cast<uint32_t>(value));
  return bad("unknown action '" + std::string(name) + "'");
}

scmp_arg_cmp compare(unsigned arg, scmp_compare op, uint64_t a, uint64_t b = 0) {
  return scmp_arg_cmp{arg, op, a, b};
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

Result<scmp_arg_cmp> condition(const toml::table& table) {
  unsigned arg = TRY(argument(table));
  uint64_t value = TRY(number(table, "value"));
  auto op = table["op"].value_or(std::string_view{});
  if (op == ">") return compare(arg, SCMP_CMP_GT, value);
  if (op == "!=") return compare(arg, SCMP_CMP_NE, value);
  if (op != "==") return bad("unknown op '" + std::string(op) + "'");
  uint64_t mask = table.contains("mask") ? TRY(number(table, "mask")) : k_int;
  return compare(arg, SCMP_CMP_MASKED_EQ, mask, value);
}

// The conditions of a rule; "one_of" and "any_bit" multiply it.
Result<std::vector<Conditions>> alternatives(const toml::table& rule) {
  Conditions common;
  if (const auto* when = rule["when"].as_array())
    for (const auto& item : *when) {
      if (!item.is_table()) return bad("'when' is a list of tables");
      common.push_back(TRY(condition(*item.as_table())));
    }
  const auto* one_of = rule["one_of"].as_table();
  const auto* any_bit = rule["any_bit"].as_table();
  if (one_of == nullptr && any_bit == nullptr) return std::vector<Conditions>{common};
  const toml::table& many = one_of != nullptr ? *one_of : *any_bit;
  unsigned arg = TRY(argument(many));
  const auto* list = many[one_of != nullptr ? "values" : "bits"].as_array();
  if (list == nullptr) return bad("'one_of' needs values, 'any_bit' needs bits");
  std::vector<Conditions> all;
  for (const auto& item : *list) {
    auto value = item.value<int64_t>();
    if (!value || *value < 0) return bad("values must be numbers");
    auto bits = static_cast<uint64_t>(*value);
    all.push_back(common);
    all.back().push_back(compare(arg, SCMP_CMP_MASKED_EQ, one_of != nullptr ? k_int : bits, bits));
  }
  return all;
}

Status add_group(scmp_filter_ctx context, const toml::table& group) {
  uint32_t action = TRY(parse_action(group["action"].value_or(std::string_view{})));
  auto all = TRY(alternatives(group));
  const auto* names = group["syscalls"].as_array();
  if (names == nullptr) return bad("a group without syscalls");
  for (const auto& item : *names) {
    auto name = item.value<std::string>();
    if (!name) return bad("syscalls are names");
    int number = ::seccomp_syscall_resolve_name(name->c_str());
    if (*name == "fchmodat2") number = 452;  // newer than the libseccomp of Debian 12
    if (number < 0) continue;  // not of this architecture, or newer than this libseccomp
    for (const Conditions& conditions : all) {
      int error = ::seccomp_rule_add_array(
          context, action, number, static_cast<unsigned>(conditions.size()), conditions.data());
      if (error != 0) return fail_errno(-error, "seccomp policy: " + *name);
    }
  }
  return {};
}

Result<SeccompFilter> export_program(scmp_filter_ctx context) {
  int fd = ::memfd_create("seccomp", MFD_CLOEXEC);
  if (fd < 0) return fail_errno(errno, "memfd_create");
  Fd file(fd);
  int error = ::seccomp_export_bpf(context, fd);
  if (error != 0) return fail_errno(-error, "exporting the seccomp filter");
  if (::lseek(fd, 0, SEEK_SET) != 0) return fail_errno(errno, "reading the seccomp filter");
  std::string bytes = TRY(read_all(fd, size_t{1} << 20));
  SeccompFilter filter(bytes.size() / sizeof(wire::Instruction));
  std::memcpy(filter.data(), bytes.data(), filter.size() * sizeof(wire::Instruction));
  return filter;
}

Result<SeccompFilter> compile(const toml::table& policy) {
  Context context(::seccomp_init(SCMP_ACT_ALLOW), &::seccomp_release);
  if (!context) return fail(ErrorCode::failed, "seccomp_init failed");
  // A binary tree instead of a list: the kernel runs it for every call number at installation.
  ::seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  ::seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  for (const char* kind : {"group", "rule"}) {
    const auto* list = policy[kind].as_array();
    if (list == nullptr) continue;
    for (const auto& item : *list) {
      if (!item.is_table()) return bad("groups and rules are tables");
      TRY_STATUS(add_group(context.get(), *item.as_table()));
    }
  }
  return export_program(context.get());
}

}  // namespace

std::string_view default_seccomp_policy() { return k_default_seccomp_policy; }

Result<SeccompFilter> compile_seccomp_policy(std::string_view text) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed)
    return bad(std::string(parsed.error().description()) + " (line " +
               std::to_string(parsed.error().source().begin.line) + ")");
  return compile(parsed.table());
}

}  // namespace fabric
