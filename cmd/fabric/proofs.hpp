// SPDX-License-Identifier: Apache-2.0
// 'fabric doctor': each promise of a sandbox, tried. The same is tried outside: what does not
// succeed there proves nothing by failing inside, and is said to be so.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "isolation/isolation_manager.hpp"

namespace fabric::cmd {

enum class Verdict { holds, broken, unproven };
std::string_view to_string(Verdict verdict);

struct Proof {
  std::string name;
  std::string rule;  // what is displayed and promised
  Verdict verdict = Verdict::unproven;
  std::string detail;  // what happened
};

// Runs `binary` ('fabric sandbox run') in a sandbox of the default rules, with those limits that
// `features` has. Leaves nothing.
Result<std::vector<Proof>> prove_sandbox(const std::string& binary, const HostFeatures& features);

}  // namespace fabric::cmd
