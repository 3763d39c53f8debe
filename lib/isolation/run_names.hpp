// SPDX-License-Identifier: Apache-2.0
// The placeholders of single commands. Those of one user know of each other: a name that several
// commands in one repository need goes with the last of them, since with a name the kernel removes
// the mounts on it, which are the protection of whoever still runs. Their lists are in one
// directory of the user's own, and what a command that was killed left there is given back by the
// next.
#pragma once

#include <string>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "isolation/path_plan.hpp"

namespace fabric {

class RunNames {
 public:
  // False: another command has made or removed something since it was planned.
  Result<bool> take(const PathPlan& plan);
  Status give_back();

 private:
  std::string directory_;
  std::string base_;  // of our files in it; "": none
  Fd alive_;          // locked while we live
};

}  // namespace fabric
