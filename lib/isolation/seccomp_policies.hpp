// SPDX-License-Identifier: Apache-2.0
// Which system call policy a sandbox gets: "default", "strict", "permissive" (policies/seccomp,
// built in), or the absolute path of a file; and "+GROUP" for each group of it that is let through:
// "default+other-processes". Some groups are walls, and no policy, also of a file, opens them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "isolation/seccomp_filter.hpp"

namespace fabric {

Result<SeccompPolicy> built_in_seccomp_policy(std::string_view name);
// The policy that `selection` names, read and checked, not compiled.
Result<SeccompPolicy> find_seccomp_policy(const std::string& selection);

// Compiles each policy once: files are known by their content, and the default one was compiled at
// build time. One thread at a time.
class SeccompPolicies {
 public:
  Result<std::shared_ptr<const SeccompFilter>> get(const std::string& selection);

 private:
  std::map<std::string, std::shared_ptr<const SeccompFilter>> compiled_;
};

// docs/seccomp.md, as the policies say it.
std::string seccomp_markdown();

}  // namespace fabric
