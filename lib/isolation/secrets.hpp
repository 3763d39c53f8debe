// SPDX-License-Identifier: Apache-2.0
// Secrets of a sandbox: read from their sources when it is made, by whoever makes it, and sent to
// its init over the socket. They are in no argument, no environment but the agent's, no file
// outside memory, no message and no log.
#pragma once

#include "base/result.hpp"
#include "isolation/isolation_manager.hpp"
#include "isolation/mount_plan.hpp"
#include "model/sandbox_rules.hpp"

namespace fabric {

constexpr size_t k_max_secret = 16384;

// The value, from the file or variable of whoever calls.
Result<std::string> read_secret(const SecretRule& rule);
// Steps that put the secrets of `spec` in their places. Errors name a secret and its source, never
// its value.
Status add_secrets(const SandboxSpec& spec, MountPlan& plan);

}  // namespace fabric
