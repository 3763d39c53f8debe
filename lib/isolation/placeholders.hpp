// SPDX-License-Identifier: Apache-2.0
// Names that must not appear while a sandbox lives are taken: by an empty file or directory, which
// goes again with the sandbox. A list beside the control socket says what was made, and is written
// before anything is: after a crash the next destroy finds it.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "isolation/git_layout.hpp"

namespace fabric {

struct Placeholder {
  std::string tree;      // host directory, without links
  std::string relative;  // to it; its parent exists or comes earlier in the list
  Stand stand = Stand::file;
};

std::string placeholder_list(const std::string& control_socket);

// Makes them all. Those among `present` (host paths) that another sandbox of the same directory
// made are listed as ours too: they go with the last of both. One thread at a time per directory.
Status make_placeholders(const std::string& list, const std::vector<Placeholder>& wanted,
                         const std::vector<std::string>& present);

// Removes what is still as we made it and no other list names, then the list. No list: nothing.
Status remove_placeholders(const std::string& list);

}  // namespace fabric
