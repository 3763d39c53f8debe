// SPDX-License-Identifier: Apache-2.0
// Level container: a root file system of its own instead of the host's directories. It is the lower
// layer of an overlay, whose upper one keeps what the agent changes. The sandbox has a user
// namespace: made by root with a range of ids that nobody else has, by an ordinary user with his
// own id alone.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "image/image_config.hpp"
#include "isolation/id_map.hpp"
#include "isolation/id_range.hpp"
#include "isolation/isolation_manager.hpp"
#include "isolation/launcher.hpp"
#include "isolation/spec_encoder.hpp"

namespace fabric {

// The root file system that a spec names.
struct ContainerRoot {
  std::string directory;  // of the host, without links on the way
  bool unpacked = false;  // from an image, by fabric: its files belong to k_ids_on_disk
  ImageConfig image;
};
// Unpacks an image into the store of the spec where that was not done yet, which takes a while.
// `init_binary`: fabric-unpack is beside it.
Result<ContainerRoot> find_container_root(const SandboxSpec& spec, const std::string& init_binary);

struct Container {
  ContainerRoot root;
  std::string changes;           // host directory of the upper layer; "": in memory
  IdPair inside;                 // whom commands run as
  std::optional<IdRange> range;  // as root

  // The same outside.
  [[nodiscard]] IdPair agent(IdPair self) const {
    return range ? IdPair{range->first + inside.uid, range->first + inside.gid} : self;
  }
};

Result<Container> prepare_container(const SandboxSpec& spec, ContainerRoot root, IdPair self);

// What the init gets of it, in the order in which it wants it.
struct ContainerParts {
  Fd lower, upper;
  [[nodiscard]] std::vector<int> descriptors(const Container& container) const;
};
// As root: the layers, mapped. Nothing as an ordinary user, whose init opens them.
Result<ContainerParts> open_container(const Container& container, IdMaps& maps,
                                      const SandboxSpec& spec, std::vector<std::string>& degraded);

// The ids of its user namespace.
void map_ids(const Container& container, Launch& launch);

// Makes `init` one of this container: ids, layers, files and variables.
Status describe_container(const Container& container, const SandboxSpec& spec, InitSpec& init);

}  // namespace fabric
