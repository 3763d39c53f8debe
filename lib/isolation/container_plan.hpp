// SPDX-License-Identifier: Apache-2.0
// The steps of a sandbox of level container, in the place of those of mount_plan.hpp.
#pragma once

#include <optional>
#include <string>

#include "base/fd.hpp"
#include "isolation/id_map.hpp"
#include "isolation/mount_plan.hpp"

namespace fabric {

// `root`: the root file system, which others than root may have made: no link in it leads out.
// `fixed`: its system directories (/etc, /usr and their like) cannot be changed, whoever owns them.
Result<MountPlan> make_container_plan(const Fd& root, IdPair inside, bool fixed,
                                      const Limits& limits);

// A line of /etc/passwd or /etc/group there, by its name or its id: its third and fourth field.
struct Account {
  std::string id, fourth;  // of passwd the group's id, of group its members
};
std::optional<Account> find_account(const Fd& root, const std::string& file,
                                    const std::string& name_or_id);

}  // namespace fabric
