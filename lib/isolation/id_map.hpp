// SPDX-License-Identifier: Apache-2.0
// The work directory of a sandbox made by root: the agent runs as an unprivileged id of its own,
// the files stay owned by the caller. An idmapped mount does that without touching a file; where
// the file system has none, the files change owner.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace fabric {

struct IdPair {
  uint32_t uid = 0, gid = 0;
  auto operator<=>(const IdPair&) const = default;
};

// User namespaces that say "on disk `owner`, in the mount `agent`"; making one takes 0.3 ms, so
// they are kept. One thread.
class IdMaps {
 public:
  Result<const Fd*> get(IdPair owner, IdPair agent, uint32_t count = 1);
  // For a process that ends soon: the helper that made the namespace is killed and not waited for,
  // which may take until the scheduler comes by.
  bool leave_helper = false;

 private:
  struct Key {
    IdPair owner, agent;
    uint32_t count;
    auto operator<=>(const Key&) const = default;
  };
  std::map<Key, Fd> kept_;
};

// A detached, private, nosuid, nodev clone of what `place` (of which `path` is the name, for
// errors) is, with all that is mounted in it, mapped by `map`. Unavailable when a file system in it
// cannot be mapped.
Result<Fd> open_mapped_tree(const Fd& place, const std::string& path, const Fd& map,
                            bool read_only = false);
// The same without what is mounted in it.
Result<Fd> open_mapped_directory(const Fd& place, const std::string& path, const Fd& map,
                                 bool read_only = false);
// The same without a map.
Result<Fd> open_plain_tree(const Fd& place, const std::string& path, bool read_only = false);
// Whether everything below `path`, but not itself nor `besides`, belongs to `uid`.
bool all_belong_to(const std::string& path, uint32_t uid, const std::vector<std::string>& besides);
// chown -R, without following links.
Status change_owner(const std::string& path, IdPair owner);

}  // namespace fabric
