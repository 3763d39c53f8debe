// SPDX-License-Identifier: Apache-2.0
// What a sandbox has inside so that programs reach what its rules of egress allow, without knowing
// of a proxy: a resolver, and routes that make addresses its own (model/egress_wire.hpp).
#pragma once

#include <string>
#include <vector>

#include "isolation/mount_plan.hpp"
#include "model/sandbox_options.hpp"

namespace fabric {

// Whether the sandbox has a link to the egress process: it may connect, or be connected to.
bool wants_egress(const SandboxOptions& options);
// The rules that the egress process is given: while a sandbox learns, all that is public too.
std::vector<std::string> egress_in_force(const SandboxOptions& options);
// The networks of rules that name addresses, "10.1.0.0/16 fd00::/8". Without the loopback, which is
// the sandbox's own: a rule for an address of the host's loopback is for the proxies inside.
std::string egress_networks(const SandboxOptions& options);
// resolv.conf(5); and the sandbox's own name in hosts(5), which would be a question otherwise.
void add_resolver(MountPlan& plan, const std::string& host_name);

}  // namespace fabric
