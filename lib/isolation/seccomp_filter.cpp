// SPDX-License-Identifier: Apache-2.0
#include "isolation/seccomp_filter.hpp"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/fd.hpp"
#include "isolation/bpf_run.hpp"

namespace fabric {

namespace {

using Context = std::unique_ptr<void, decltype(&::seccomp_release)>;

constexpr size_t k_most_instructions = 4096;  // BPF_MAXINSNS

// In the process of a task before it executes its command, while its init waits for that: nobody
// would answer.
constexpr std::array k_never_notified{SYS_execve, SYS_execveat, SYS_exit, SYS_exit_group,
                                      SYS_prctl};

scmp_arg_cmp to_library(const SeccompCondition& c) {
  switch (c.op) {
    case SeccompCondition::Op::greater:
      return {c.argument, SCMP_CMP_GT, c.value, 0};
    case SeccompCondition::Op::not_equal:
      return {c.argument, SCMP_CMP_NE, c.value, 0};
    case SeccompCondition::Op::equal:
      break;
  }
  return {c.argument, SCMP_CMP_MASKED_EQ, c.mask, c.value};
}

uint32_t arguments_of(const SeccompGroup& group) {
  uint32_t bits = 0;
  for (const auto& all : group.alternatives)
    for (const SeccompCondition& c : all) bits |= 1U << c.argument;
  return bits;
}

// The number of a rule; equal ones share it.
uint16_t rule_number(SeccompFilter& filter, SeccompRule rule) {
  const auto same = [&](const SeccompRule& r) {
    return r.name == rule.name && r.error == rule.error && r.report == rule.report;
  };
  auto found = std::find_if(filter.rules.begin(), filter.rules.end(), same);
  if (found == filter.rules.end()) found = filter.rules.insert(filter.rules.end(), std::move(rule));
  return static_cast<uint16_t>(found - filter.rules.begin());
}

Status add_group(scmp_filter_ctx context, const SeccompGroup& group, bool report,
                 SeccompFilter& filter) {
  for (size_t i = 0; i < group.calls.size(); ++i) {
    const int call = group.calls[i];
    const bool notified =
        report && group.report &&
        std::find(k_never_notified.begin(), k_never_notified.end(), call) == k_never_notified.end();
    uint32_t action = SCMP_ACT_ALLOW;
    if (group.action == SeccompGroup::Action::kill) action = SCMP_ACT_KILL_PROCESS;
    if (group.action == SeccompGroup::Action::deny)
      action = SCMP_ACT_TRACE(
          rule_number(filter, {group.name, group.error, arguments_of(group), notified}));
    for (const auto& conditions : group.alternatives) {
      std::vector<scmp_arg_cmp> all;
      std::transform(conditions.begin(), conditions.end(), std::back_inserter(all), to_library);
      int error = ::seccomp_rule_add_array(context, action, call, static_cast<unsigned>(all.size()),
                                           all.data());
      if (error == -EEXIST) error = 0;  // an earlier group says it
      if (error != 0)
        return fail_errno(-error,
                          "seccomp policy: " + group.call_names[i] + " (" + group.name + ")");
    }
  }
  return {};
}

Status export_program(scmp_filter_ctx context, SeccompFilter& filter) {
  int fd = ::memfd_create("seccomp", MFD_CLOEXEC);
  if (fd < 0) return fail_errno(errno, "memfd_create");
  Fd file(fd);
  int error = ::seccomp_export_bpf(context, fd);
  if (error != 0) return fail_errno(-error, "exporting the seccomp filter");
  if (::lseek(fd, 0, SEEK_SET) != 0) return fail_errno(errno, "reading the seccomp filter");
  std::string bytes = TRY(read_all(fd, size_t{1} << 20));
  filter.program.resize(bytes.size() / sizeof(wire::Instruction));
  std::memcpy(filter.program.data(), bytes.data(),
              filter.program.size() * sizeof(wire::Instruction));
  if (filter.program.size() > k_most_instructions)
    return fail(ErrorCode::usage, "seccomp policy: too large for the kernel");
  return {};
}

SystemCall call_with(int number) {
  SystemCall call{};
  call.number = number;
  call.architecture = AUDIT_ARCH_X86_64;
  return call;
}

bool lets_through(const SeccompFilter& filter, const SystemCall& call) {
  return run_bpf(filter.program.data(), filter.program.size(), call) == SECCOMP_RET_ALLOW;
}

void meet(SystemCall& call, const SeccompCondition& c) {
  call.arguments[c.argument] = c.op == SeccompCondition::Op::equal ? c.value : c.value + 1;
}

}  // namespace

Result<SeccompFilter> compile_seccomp_policy(const SeccompPolicy& policy) {
  SeccompFilter filter;
  filter.rules.push_back({"not listed", policy.unlisted, 0, policy.report});
  const uint32_t otherwise = policy.unlisted != 0 ? SCMP_ACT_TRACE(0) : SCMP_ACT_ALLOW;
  Context context(::seccomp_init(otherwise), &::seccomp_release);
  if (!context) return fail(ErrorCode::failed, "seccomp_init failed");
  // A binary tree instead of a list: the kernel runs it for every call number at installation.
  ::seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  ::seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  for (const SeccompGroup& group : policy.groups) {
    // What is the answer anyway cannot be said again.
    if (group.action == SeccompGroup::Action::allow && policy.unlisted == 0) continue;
    TRY_STATUS(add_group(context.get(), group, policy.report, filter));
  }
  TRY_STATUS(export_program(context.get(), filter));
  return filter;
}

std::string open_wall(const SeccompFilter& filter, const SeccompPolicy& walls) {
  for (const SeccompGroup& group : walls.groups) {
    if (!group.wall) continue;
    for (size_t i = 0; i < group.calls.size(); ++i)
      for (const auto& conditions : group.alternatives) {
        SystemCall call = call_with(group.calls[i]);
        for (const SeccompCondition& c : conditions) meet(call, c);
        if (lets_through(filter, call)) return group.name + ": " + group.call_names[i];
      }
  }
  return "";
}

std::string denied_at_start(const SeccompFilter& filter) {
  for (long number : {SYS_execve, SYS_sendmsg, SYS_prctl, SYS_exit, SYS_exit_group}) {
    SystemCall call = call_with(static_cast<int>(number));
    call.arguments[0] = 3;
    if (number == SYS_prctl) call.arguments[0] = 21;  // PR_GET_SECCOMP
    if (!lets_through(filter, call)) return seccomp_call_name(static_cast<int>(number));
  }
  return "";
}

}  // namespace fabric
