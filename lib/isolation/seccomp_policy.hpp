// SPDX-License-Identifier: Apache-2.0
// A system call policy as people write it (policies/seccomp/default.toml explains the format),
// read and checked; seccomp_filter.hpp makes a program of it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace fabric {

struct SeccompCondition {
  enum class Op : uint8_t { equal, greater, not_equal };
  unsigned argument = 0;  // 0 to 5
  Op op = Op::equal;
  uint64_t value = 0;
  uint64_t mask = 0;  // equal only: (argument & mask) == value
};

struct SeccompGroup {
  enum class Action : uint8_t { deny, kill, allow };
  std::string name;  // as shown
  std::string id;    // as asked for: the name with "-" for blanks
  std::string why;
  Action action = Action::deny;
  int error = 0;       // deny: what the caller gets
  bool report = true;  // a denial is a violation
  bool wall = false;   // no policy may let it through
  std::vector<int> calls;
  std::vector<std::string> call_names;
  // Any of them, and of one all conditions; a single empty one is "always".
  std::vector<std::vector<SeccompCondition>> alternatives;
};

struct SeccompPolicy {
  int unlisted = 0;    // errno of calls in no group; 0: they are allowed
  bool report = true;  // false: nothing is reported, and no listener takes the place of the agent's
  std::vector<SeccompGroup> groups;
};

// `base` finds the text of a policy that this one builds upon. ErrorCode::usage for what the format
// does not know; the message says which group.
Result<SeccompPolicy> parse_seccomp_policy(
    std::string_view toml, const std::function<Result<SeccompPolicy>(std::string_view)>& base);

// Lets a group through, or (where unlisted calls are denied) one more call. ErrorCode::usage when
// there is no such thing, ErrorCode::denied when it is a wall.
Status allow_in(SeccompPolicy& policy, std::string_view what);

// -1: no such call. Also calls that are newer than the libseccomp at hand.
int seccomp_call_number(const std::string& name);
std::string seccomp_call_name(int number);  // "call 999" for what nobody knows
std::string seccomp_error_name(int error);

}  // namespace fabric
