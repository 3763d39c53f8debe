// SPDX-License-Identifier: Apache-2.0
// What supervisor and egress process say to each other (model/egress_wire.hpp), as structs. What
// comes from the egress process is not trusted more than it must be: a hostile server or agent may
// have taken it over.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace fabric {

// A sandbox as the egress process is told of it.
struct EgressAttachment {
  std::string sandbox;  // name of its cgroup: unique in the workspace, never used again
  uint64_t generation = 0;
  std::string agent;
  std::vector<std::string> rules;    // EgressRule
  std::vector<std::string> publish;  // PublishRule
  std::vector<std::string> inject;   // InjectRule
  bool learn = false;                // it is to say what is reached
  uint64_t rate = 0;                 // bytes a second, both directions together; 0: no limit
};

struct EgressHello {
  int64_t version = 0;
  int64_t pid = 0;
  std::vector<std::string> sandboxes;
};
struct EgressAttached {
  std::string sandbox;
  std::string failure;  // "" when it worked
};
// A connection or question of a sandbox that was refused.
struct EgressRefused {
  uint64_t sequence = 0;
  std::string sandbox;
  WallTime at;
  std::string kind, host, address;
  int64_t port = 0;
  std::string rule;   // that decided; "": none matched
  std::string allow;  // that would allow it; "": none can
  std::string why;
  int64_t count = 1;
};
struct EgressUsage {
  uint64_t sequence = 0;
  std::string sandbox, host;
  uint64_t in_bytes = 0, out_bytes = 0, connections = 0;
};
// Of a sandbox that learns: once for each host and port.
struct EgressReached {
  uint64_t sequence = 0;
  std::string sandbox, host;
  int64_t port = 0;
  bool is_private = false;
};
using EgressMessage = std::variant<std::monostate, EgressHello, EgressAttached, EgressRefused,
                                   EgressUsage, EgressReached>;

// Indices of descriptors sent along, in the order of the rules; -1: left out.
struct EgressDescriptors {
  std::vector<int> publish, inject;
};
std::string encode_attach(const EgressAttachment& attachment, const EgressDescriptors& sent);
std::string encode_rules(const std::string& sandbox, const std::vector<std::string>& rules);
std::string encode_detach(const std::string& sandbox);
std::string encode_ack(uint64_t sequence);
std::string encode_shutdown();
// monostate: a message that this version does not know.
Result<EgressMessage> decode_egress_message(std::string_view packet);

// One line for people: what was refused and why; and then the rule that would allow it.
std::string describe_cause(const EgressRefused& refused);
std::string describe(const EgressRefused& refused);

}  // namespace fabric
