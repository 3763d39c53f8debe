// SPDX-License-Identifier: Apache-2.0
// Why namespaces could not be made: recognised by the step that failed, not by a setting, since
// kernels, distributions and containers each forbid it in their own way.
#pragma once

#include <string>

#include "base/result.hpp"

namespace fabric {

// What failed of making namespaces, with `error_number`.
enum class NamespaceStep {
  clone,         // clone3 with CLONE_NEWUSER and the others
  id_map,        // writing setgroups, uid_map, gid_map
  capabilities,  // using what the new user namespace gives: mounts, the loopback interface
};
// ErrorCode::unavailable with the cause and the command that mends it; other errors of `step` give
// the plain error.
Error namespace_refusal(NamespaceStep step, const std::string& what, int error_number);
// What the init said when it could not build: FAILED with `what` and `error_number`.
Error init_refusal(const std::string& what, int error_number);

}  // namespace fabric
