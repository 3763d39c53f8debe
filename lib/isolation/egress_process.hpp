// SPDX-License-Identifier: Apache-2.0
// Starting fabric-egress (model/egress_wire.hpp says how), and the listeners of published ports.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace fabric {

// What it becomes where the supervisor is root: below the uids of agents (host_features.hpp), no
// account of anybody, the same for all workspaces.
constexpr uid_t k_egress_uid = 99999;

struct EgressStart {
  std::string binary, socket, log, hosts_file, authorities;
  std::string workspace;  // its root: in the environment, so that people see whose it is
};
// Where it is: beside the init, or where a build puts it.
std::string egress_binary_beside(const std::string& init_binary);
struct EgressProcess {
  pid_t pid = 0;
  Fd pidfd;
};
// In a session of its own, with nothing of ours but its socket and its log. Killing us is nothing
// to it; it is our child, to be reaped.
Result<EgressProcess> start_egress(const EgressStart& how);

// One that serves the holder of `connection` and nobody else, and ends when that is closed, however
// its holder ends. `socket`, `log` and `workspace` are not used: what it has to say is in `said`.
struct PrivateEgress {
  EgressProcess process;
  Fd connection;  // not blocking
  Fd said;        // a file in memory
};
Result<PrivateEgress> start_private_egress(const EgressStart& how);

// A listening socket of the host for a PublishRule. The error names the rule.
Result<Fd> listen_for(const std::string& publish_rule);

}  // namespace fabric
