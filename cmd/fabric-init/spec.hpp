// SPDX-License-Identifier: Apache-2.0
// The spec as it arrived: one packet, checked once, then only read.
#pragma once

#include "isolation/init_wire.hpp"

namespace fabric::init {

constexpr int k_setup_fd = 3;

struct LeafFds {
  int unified = -1;
  int memory = -1;  // v1
};

struct Spec {
  const wire::SpecHead* head = nullptr;
  const wire::MountOp* mounts = nullptr;
  const wire::Instruction* filter = nullptr;
  const wire::DenialRule* denials = nullptr;
  const char* text = nullptr;
  int listener = -1;
  int journal = -1;
  int work_tree = -1;
  int link = -1;                                // to the egress process
  int lower = -1, upper = -1, range_lock = -1;  // of ContainerHead
  int trees[wire::k_max_trees];  // of the k_tree mounts with k_tree_given, in their order
  LeafFds leaves[wire::k_max_slots];
  int cpu_stat = -1;             // of the sandbox's group
  int pids_events = -1;          // likewise
  int joins[wire::k_max_joins];  // v1 `tasks` files besides that of the leaf
  uint32_t join_count = 0;
  int standard[3] = {-1, -1, -1};  // of k_one_shot: what the command gets as 0, 1 and 2
  bool has_parts = false;

  bool has(wire::SpecFlags flag) const { return (head->flags & flag) != 0; }
  const char* string(uint32_t offset) const { return text + offset; }
};

// Receives SPEC from k_setup_fd. Refuses what is malformed; exits on end of file.
void receive_spec(Spec& spec);
// The descriptors of k_one_shot, which its maker prepares while we build. Once is enough.
void receive_parts(Spec& spec);

}  // namespace fabric::init
