// SPDX-License-Identifier: Apache-2.0
#include "isolation/secrets.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>

#include "base/fd.hpp"
#include "isolation/inject_secrets.hpp"
#include "model/sandbox_rules.hpp"

namespace fabric {

namespace {

Result<std::string> from_file(const std::string& path) {
  const Fd file = TRY(open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return fail_errno(errno, path);
  if (S_ISDIR(status.st_mode)) return fail(ErrorCode::usage, path + " is a directory");
  if (status.st_size > static_cast<off_t>(k_max_secret))
    return fail(ErrorCode::usage, path + " is larger than 16 KiB, the most that a secret may have");
  return read_all(file.get(), k_max_secret);
}

// A file made of the secret must lie in the new root itself: elsewhere it would be on a disk, or
// where the agent makes and removes what it likes.
bool in_memory(std::string_view path) {
  constexpr std::array<std::string_view, 9> k_elsewhere{"/work", "/tmp", "/dev",  "/proc", "/sys",
                                                        "/usr",  "/bin", "/sbin", "/opt"};
  const bool library = path.starts_with("/lib");
  return !library && std::none_of(k_elsewhere.begin(), k_elsewhere.end(), [&](auto directory) {
    return path == directory ||
           (path.starts_with(directory) && path.substr(directory.size()).starts_with("/"));
  });
}

Status add_file(const SandboxSpec& spec, const SecretRule& rule, const std::string& value,
                MountPlan& plan) {
  if (spec.level == IsolationLevel::none)
    return fail(ErrorCode::usage, "isolation level none has no " + rule.file,
                "write " + rule.name + "=...,env=VARIABLE, or use isolation level process");
  if (!in_memory(rule.file))
    return fail(ErrorCode::usage, rule.file + " would not be in memory only",
                "choose a place under /run, /etc or a directory of its own, for example "
                "/run/secrets/" +
                    rule.name);
  plan.push_back({wire::k_secret, value, rule.file.substr(1), value.size()});
  return {};
}

Status add_variable(const SecretRule& rule, std::string value, MountPlan& plan) {
  // Files end with a newline, which nobody wants in a variable.
  if (value.ends_with('\n')) value.pop_back();
  if (value.find('\0') != std::string::npos)
    return fail(ErrorCode::usage, "it contains a NUL byte, which a variable cannot");
  plan.push_back({wire::k_variable, rule.variable + "=" + value, ""});
  return {};
}

}  // namespace

Result<std::string> read_secret(const SecretRule& rule) {
  if (rule.from_file) return from_file(rule.source);
  const char* value = std::getenv(rule.source.c_str());
  if (value == nullptr)
    return fail(ErrorCode::not_found, "the variable " + rule.source + " is not set",
                "set it where fabric is started");
  return std::string(value);
}

Status add_secrets(const SandboxSpec& spec, MountPlan& plan) {
  uint32_t variables = 0;
  for (const std::string& text : spec.options.secrets) {
    const SecretRule rule = TRY(parse_secret_rule(text));
    // What the egress process puts in outside never comes inside.
    if (is_injected(spec.options, rule.name)) continue;
    const std::string which = "secret " + rule.name;
    const std::string value = TRY(in_context(read_secret(rule), which));
    if (!rule.file.empty()) TRY_STATUS(in_context(add_file(spec, rule, value, plan), which));
    if (rule.variable.empty()) continue;
    if (++variables > wire::k_max_variables)
      return fail(ErrorCode::usage, "more than 64 secrets are variables");
    TRY_STATUS(in_context(add_variable(rule, value, plan), which));
  }
  return {};
}

}  // namespace fabric
