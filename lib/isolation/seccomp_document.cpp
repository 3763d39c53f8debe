// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdio>

#include "isolation/seccomp_policies.hpp"

namespace fabric {

namespace {

std::string hex(uint64_t n) {
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), n < 256 ? "%llu" : "0x%llx",
                static_cast<unsigned long long>(n));
  return text.data();
}

std::string condition(const SeccompCondition& c) {
  const std::string argument = "argument " + std::to_string(c.argument);
  switch (c.op) {
    case SeccompCondition::Op::greater:
      return argument + " > " + hex(c.value);
    case SeccompCondition::Op::not_equal:
      return argument + " != " + hex(c.value);
    case SeccompCondition::Op::equal:
      break;
  }
  if (c.mask == 0xffffffff) return argument + " = " + hex(c.value);
  return argument + " & " + hex(c.mask) + " = " + hex(c.value);
}

// The last condition is what differs between alternatives ("one_of", "any_bit").
std::string conditions(const SeccompGroup& group) {
  std::string text;
  for (const auto& all : group.alternatives) {
    if (&all == &group.alternatives.front()) {
      for (const SeccompCondition& c : all) text += (text.empty() ? "" : ", ") + condition(c);
      continue;
    }
    text += " or " + hex(all.back().value);
  }
  return text;
}

std::string answer(const SeccompGroup& group) {
  if (group.action == SeccompGroup::Action::allow) return "allowed";
  if (group.action == SeccompGroup::Action::kill) return "killed";
  return seccomp_error_name(group.error);
}

void add_table(std::string& out, const SeccompPolicy& policy) {
  out += "| group | calls | answer | why |\n|---|---|---|---|\n";
  for (const SeccompGroup& group : policy.groups) {
    out += "| `" + group.id + "`" + (group.wall ? ", a wall" : "") + " | ";
    for (const std::string& name : group.call_names)
      out += (&name == &group.call_names.front() ? "" : " ") + name;
    const std::string when = conditions(group);
    out += (when.empty() ? "" : "; when " + when) + " | " + answer(group);
    const bool silent = group.action == SeccompGroup::Action::deny && !group.report;
    out += std::string(silent ? ", not reported" : "") + " | " + group.why + " |\n";
  }
}

constexpr std::string_view k_head =
    "# System call policies\n\n"
    "Made from `policies/seccomp/*.toml` (a test compares them); the format of the files is\n"
    "explained at the top of `default.toml`.\n\n"
    "`isolation.seccomp` in a TOML file, or `--seccomp`, chooses one for an agent: `default`,\n"
    "`strict`, `permissive`, or the absolute path of a file of your own. `+GROUP` behind it lets\n"
    "one group through: `default+other-processes` is the default policy with ptrace. Groups that\n"
    "are walls stay shut, whatever a policy says: it is refused with exit code 4. Calls of other\n"
    "architectures (i386, x32) kill the process that makes them.\n\n"
    "A denied call returns the error of its group, and is shown by `fabric violations`, where the\n"
    "table does not say \"not reported\". The report is made by the sandbox's init, which answers\n"
    "the call through a seccomp listener; allowed calls cost nothing. A process can have one such\n"
    "listener: a program that brings a sandbox with a listener of its own gets EBUSY, and needs a\n"
    "policy with `report = false`. Where fabric itself runs below a listener, and in `fabric "
    "sandbox\n"
    "run`, denials are not reported, only enforced.\n";

}  // namespace

std::string seccomp_markdown() {
  std::string out(k_head);
  const auto add = [&](std::string_view name, std::string_view about) {
    out += "\n## " + std::string(name) + "\n\n" + std::string(about) + "\n\n";
    if (auto policy = built_in_seccomp_policy(name)) add_table(out, *policy);
  };
  add("default", "What no group lists is allowed.");
  add("strict",
      "What no group lists answers ENOSYS, as if the kernel did not have it. `strict+NAME` adds a\n"
      "single call.");
  add("permissive",
      "The default policy without the groups that are no walls: for debuggers and emulators.\n"
      "Attempts of one agent that run at the same time can then read and change each other.");
  return out;
}

}  // namespace fabric
