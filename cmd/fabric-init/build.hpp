// SPDX-License-Identifier: Apache-2.0
// The steps that build the sandbox, in the order in which main() takes them. Each refuses (and ends
// the process) when it cannot do its whole work: there is no half a wall.
#pragma once

#include "spec.hpp"

namespace fabric::init {

// signals.cpp: for ourselves, and in a task's process before it execs.
void set_signals();
void reset_signals();
// root.cpp: mounts, pivot_root, working directory.
void build_root(Spec& spec);
// names.cpp: host name, the loopback interface, the cgroup namespace.
// The namespaces that the launcher left to us (Launch::network_later).
void make_network();
void set_names(const Spec& spec);
// network.cpp: with egress. open_low_ports() before build_root(), while the host's /proc is there.
void open_low_ports();
void set_routes(const Spec& spec);
// link.cpp: what the egress process accepts from.
void make_listeners();
// privileges.cpp: bounding set, ids, capabilities, no_new_privs, not dumpable.
void drop_privileges(const Spec& spec);
// landlock.cpp: the second wall, where the kernel has it. Returns the ABI in force, 0 for none.
int restrict_files(const Spec& spec);
constexpr int k_landlock_serves = 2;  // ABI 1 forbids every rename across directories
// The same: a domain for each attempt inside that of the sandbox. Attempts have the same uid, and
// without it one could open /proc/PID/mem of another (no ptrace is needed for that) or signal it;
// and the init. Made once, entered by each; -1 without Landlock.
int make_attempt_domain();
bool enter_attempt_domain(int ruleset);
// secrets.cpp: files in the memory of the new root; values for the environment of tasks.
void make_secret(const Spec& spec, const wire::MountOp& op, int root);
void forget_secrets(const Spec& spec);
// self_check.cpp: reads back what the kernel says about this process.
void self_check(const Spec& spec);
// lookup.cpp: refuses when the agent's command could not be executed here.
void probe_command(const Spec& spec);

}  // namespace fabric::init
