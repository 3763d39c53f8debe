// SPDX-License-Identifier: Apache-2.0
// Starts fabric-init in its namespaces and groups. From the clone on only system calls, no
// allocation: the child shares our memory until it execs.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace fabric {

// Ids of a new user namespace: those from `inside` on are those from `outside` on.
struct IdSpan {
  uint32_t inside = 0, outside = 0, count = 1;
};

struct Launch {
  const char* name = "fabric-init";
  int binary = -1;  // sealed memfd
  int setup = -1;   // becomes descriptor 3; all others are closed
  int dev_null = -1;
  const std::vector<Fd>* join = nullptr;  // v1 `tasks` files
  int into_cgroup = -1;
  bool namespaces = false;
  bool user_namespace = false;  // capabilities become ambient
  // What our own ids are called in it; nullopt: as outside.
  std::optional<uint32_t> own_uid, own_gid;
  // As root: of both kinds. The child becomes 0 of it, none of our own ids is in it.
  std::optional<IdSpan> range;
};
struct Launched {
  pid_t pid = 0;
  Fd pidfd;
};
Result<Launched> launch(const Launch& launch);

// Tries whether a process can be made with these namespaces, and says which step failed.
Status probe_namespaces(bool user_namespace);

}  // namespace fabric
