// SPDX-License-Identifier: Apache-2.0
// Every directory of a tree, without following links and without recursion.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace fabric {

struct TreeEntry {
  std::string name;
  bool directory = false;
  bool link = false;
};
std::vector<TreeEntry> entries_of(Fd directory);

// Called with a directory ("" or "a/b", relative to the root) and what is in it. What it erases is
// not descended into.
using TreeVisitor = std::function<Status(const std::string&, std::vector<TreeEntry>&)>;
// Called, perhaps several times, with a directory that cannot be looked into although it is ours:
// who runs as us can open it (chmod(2)) whenever he likes.
using ClosedVisitor = std::function<Status(const std::string&)>;

// Directories that vanish or are closed to us by others are passed over. More than two million
// entries are refused: looking at them would take longer than starting an agent may.
Status walk_tree(const Fd& root, const std::string& start, const TreeVisitor& visit,
                 const ClosedVisitor& closed);

}  // namespace fabric
