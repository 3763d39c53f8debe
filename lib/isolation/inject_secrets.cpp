// SPDX-License-Identifier: Apache-2.0
#include "isolation/inject_secrets.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "isolation/secrets.hpp"
#include "model/sandbox_rules.hpp"

namespace fabric {
namespace {

Result<Fd> in_memory(const std::string& value) {
  Fd file(::memfd_create("secret", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return fail_errno(errno, "memfd_create");
  TRY_STATUS(write_all(file.get(), value));
  constexpr int k_seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  if (::fcntl(file.get(), F_ADD_SEALS, k_seals) != 0) return fail_errno(errno, "sealing");
  return file;
}

}  // namespace

bool is_injected(const SandboxOptions& options, const std::string& secret) {
  return std::any_of(options.inject.begin(), options.inject.end(), [&](const std::string& text) {
    const Result<InjectRule> rule = parse_inject_rule(text);
    return rule && rule->secret == secret;
  });
}

Result<Fd> open_injected_secret(const SandboxOptions& options, const std::string& inject_rule) {
  const InjectRule rule = TRY(parse_inject_rule(inject_rule));
  for (const std::string& text : options.secrets) {
    const SecretRule secret = TRY(parse_secret_rule(text));
    if (secret.name != rule.secret) continue;
    return in_memory(TRY(in_context(read_secret(secret), "secret " + secret.name)));
  }
  return fail(ErrorCode::usage, "inject " + rule.name + ": there is no secret " + rule.secret,
              "add it: --secret " + rule.secret + "=file:PATH");
}

}  // namespace fabric
