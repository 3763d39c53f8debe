// SPDX-License-Identifier: Apache-2.0
// A store that a power cut left, held against what had been acknowledged, and run to its end.
#pragma once

#include <string>
#include <vector>

#include "workload.hpp"

namespace fabric::crash {

struct Verdict {
  // What broke, a line each. Damage: the store itself; losses: what was acknowledged and is not so.
  std::vector<std::string> damage, losses;
  uint64_t tasks = 0, open = 0, running = 0;  // at the cut
  bool newer = false;                         // a commit that was under way had come to the disk
};

// `store`: a directory with the data file. `acknowledged`: how many of `commits` had returned.
Verdict judge_after_cut(const std::string& store, const std::vector<Commit>& commits,
                        size_t acknowledged, Random& random);

}  // namespace fabric::crash
