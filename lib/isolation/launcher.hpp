// SPDX-License-Identifier: Apache-2.0
// Starts fabric-init in its namespaces and groups. From the clone on only system calls, no
// allocation: the child shares our memory until it execs.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace fabric {

struct Launch {
  int binary = -1;  // sealed memfd
  int setup = -1;   // becomes descriptor 3; all others are closed
  int dev_null = -1;
  const std::vector<Fd>* join = nullptr;  // v1 `tasks` files
  int into_cgroup = -1;
  bool namespaces = false;
  // The init makes those of network, IPC and host name itself, and nobody waits for it to start:
  // its caller does something else meanwhile. The network alone takes longer than all mounts.
  bool network_later = false;
  bool user_namespace = false;  // maps our own ids to themselves, capabilities become ambient
};
struct Launching;
struct Launched {
  pid_t pid = 0;
  Fd pidfd;
  std::shared_ptr<Launching> launching;  // of one that was not waited for; until it has started
  // When such a one has ended without a word: why it did not start, if that is the reason.
  [[nodiscard]] std::optional<Error> failure() const;
};
Result<Launched> launch(const Launch& launch);

// Tries whether a process can be made with these namespaces, and says which step failed.
Status probe_namespaces(bool user_namespace);

}  // namespace fabric
