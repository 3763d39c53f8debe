// SPDX-License-Identifier: Apache-2.0
// Secrets that the egress process puts into requests (model/sandbox_rules.hpp, InjectRule): they go
// from their source to that process and are never inside the sandbox.
#pragma once

#include <string>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "model/sandbox_options.hpp"

namespace fabric {

// Whether a rule of inject uses the secret of this name: then it is not put into the sandbox.
bool is_injected(const SandboxOptions& options, const std::string& secret);
// The secret of a rule of inject, in a sealed file in memory. Errors name it and its source, never
// its value.
Result<Fd> open_injected_secret(const SandboxOptions& options, const std::string& inject_rule);

}  // namespace fabric
