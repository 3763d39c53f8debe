// SPDX-License-Identifier: Apache-2.0
#include "isolation/learning_filter.hpp"

#include <sys/syscall.h>

#include <algorithm>
#include <array>

#include "isolation/bpf_run.hpp"
#include "isolation/seccomp_policies.hpp"
#include "isolation/seccomp_policy.hpp"

namespace fabric {

namespace {

constexpr uint32_t k_allow = 0x7fff0000, k_trace = 0x7ff00000, k_action = 0xffff0000;
constexpr int k_fchmodat2 = 452;  // newer than the headers of Debian 12

// Those of which the init looks at the path (cmd/fabric-init/learn.cpp).
constexpr std::array k_traced{
    SYS_open,   SYS_openat,   SYS_creat, SYS_execve,   SYS_execveat,  SYS_truncate,
    SYS_rename, SYS_renameat, SYS_mkdir, SYS_mkdirat,  SYS_renameat2, SYS_rmdir,
    SYS_unlink, SYS_unlinkat, SYS_link,  SYS_linkat,   SYS_symlink,   SYS_symlinkat,
    SYS_mknod,  SYS_mknodat,  SYS_chmod, SYS_fchmodat, k_fchmodat2,   SYS_connect};

bool is_traced(int call) {
  return std::find(k_traced.begin(), k_traced.end(), call) != k_traced.end();
}

// What the strict policy allows, without the traced calls: these, and what it denies, are asked.
SeccompPolicy without_traced(SeccompPolicy policy) {
  std::erase_if(policy.groups, [](const SeccompGroup& group) {
    return group.action != SeccompGroup::Action::allow;
  });
  for (SeccompGroup& group : policy.groups)
    for (size_t i = group.calls.size(); i-- > 0;)
      if (is_traced(group.calls[i])) {
        group.calls.erase(group.calls.begin() + static_cast<ptrdiff_t>(i));
        group.call_names.erase(group.call_names.begin() + static_cast<ptrdiff_t>(i));
      }
  return policy;
}

bool allows(const std::string& selection) {
  SeccompPolicies policies;
  return policies.get(selection).has_value();
}

// The group of the strict policy that denies the call and can be let through, or the call itself.
std::string name_in_strict(const SeccompPolicy& strict, const std::string& call) {
  for (const SeccompGroup& group : strict.groups)
    if (group.action != SeccompGroup::Action::allow && !group.wall &&
        std::find(group.call_names.begin(), group.call_names.end(), call) != group.call_names.end())
      return group.id;
  return call;
}

// Groups of the default policy that deny one of the calls and are no walls.
std::vector<std::string> groups_in_the_way(const SeccompPolicy& policy,
                                           const std::vector<std::string>& calls) {
  std::vector<std::string> groups;
  for (const SeccompGroup& group : policy.groups) {
    if (group.wall || group.action != SeccompGroup::Action::deny) continue;
    const bool hit = std::any_of(calls.begin(), calls.end(), [&](const std::string& call) {
      return std::find(group.call_names.begin(), group.call_names.end(), call) !=
             group.call_names.end();
    });
    if (hit) groups.push_back(group.id);
  }
  return groups;
}

}  // namespace

// Two programs, one behind the other: where the first would allow, it goes on with the second.
Result<SeccompFilter> make_learning_filter() {
  SeccompFilter filter = TRY(compile_seccomp_policy(TRY(built_in_seccomp_policy("permissive"))));
  const SeccompFilter second =
      TRY(compile_seccomp_policy(without_traced(TRY(built_in_seccomp_policy("strict")))));
  const size_t first = filter.program.size();
  for (size_t i = 0; i < first; ++i) {
    wire::Instruction& at = filter.program[i];
    if (at.code == bpf::k_return && at.k == k_allow)
      at = {bpf::k_jump, 0, 0, static_cast<uint32_t>(first - i - 1)};
  }
  const auto asked = static_cast<uint32_t>(filter.rules.size());
  SeccompRule rule;
  rule.name = "noted";
  rule.goes_on = true;
  filter.rules.push_back(std::move(rule));
  for (wire::Instruction at : second.program) {
    if (at.code == bpf::k_return && (at.k & k_action) == k_trace) at.k = k_trace | asked;
    filter.program.push_back(at);
  }
  if (filter.program.size() > 4000)
    return fail(ErrorCode::failed, "the filter for learning is too large for the kernel");
  return filter;
}

Result<std::string> policy_for_calls(const std::vector<std::string>& calls, std::string& why) {
  const SeccompPolicy strict = TRY(built_in_seccomp_policy("strict"));
  std::string selection = "strict";
  std::vector<std::string> names;
  for (const std::string& call : calls) {
    const std::string name = name_in_strict(strict, call);
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    names.push_back(name);
    if (!allows("strict+" + name)) why += (why.empty() ? "" : ", ") + call;
    selection += "+" + name;
  }
  if (why.empty() && allows(selection)) return selection;
  selection = "default";
  for (const std::string& group : groups_in_the_way(TRY(built_in_seccomp_policy("default")), calls))
    selection += "+" + group;
  return allows(selection) ? selection : std::string("permissive");
}

}  // namespace fabric
