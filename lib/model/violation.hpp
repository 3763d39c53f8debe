// SPDX-License-Identifier: Apache-2.0
// Something that a sandbox kept an agent from doing: what, which rule or limit said so, and the
// line of configuration that would allow it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace fabric {

enum class ViolationKind : uint8_t {
  call,     // a system call
  file,     // a path
  connect,  // a host and port
  name,     // a host name that was asked for
  publish,  // a port for the host
  memory,
  pids,
  file_size,
  disk,
  output,
};
constexpr ViolationKind k_last_violation_kind = ViolationKind::output;
std::string_view to_string(ViolationKind kind);

// Who noticed.
enum class ViolationSource : uint8_t {
  filter,    // the system call filter
  landlock,  // the kernel's audit
  egress,    // the egress process
  limit,     // a control group or another limit
  output,    // what the program itself wrote: only a hint
};
constexpr ViolationSource k_last_violation_source = ViolationSource::output;
std::string_view to_string(ViolationSource source);

struct Violation {
  uint32_t agent_number = 0;
  uint64_t sequence = 0;  // of the agent; assigned by the store
  WallTime at, last_at;   // the first and the last time
  uint64_t count = 1;
  std::string agent;
  std::string task;         // "" when it is not known
  uint64_t attempt_id = 0;  // of its process; 0 when it is not known
  pid_t pid = 0;            // as seen inside; 0 when it is not known
  std::string process;      // its name, which it may choose
  ViolationKind kind = ViolationKind::call;
  std::string what;   // "socket(AF_VSOCK)", "api.example.com:443", "/root/.ssh (read)"
  std::string rule;   // group of a policy, text of a rule, "not listed", or the limit
  std::string allow;  // one line of TOML; "" when nothing would
  ViolationSource source = ViolationSource::filter;
  bool hint = false;  // the agent could have made this up
};

// Whether a second one only adds to the count of the first.
bool same_violation(const Violation& a, const Violation& b);
// "socket(AF_VSOCK) was denied by 'socket families above netlink'; allow it with: ..."
std::string explain_violation(const Violation& violation);

// Stands between the reason of a failed task and the violation that it likely failed of.
constexpr std::string_view k_likely = "; likely: ";

// Texts come from inside and from the net: longer ones are cut, and nothing unprintable is left.
void tidy(Violation& violation);

}  // namespace fabric
