// SPDX-License-Identifier: Apache-2.0
// The inside of 'fabric doctor': this program, run once in a sandbox and once outside, tries what a
// sandbox has to prevent.
#pragma once

#include <string>
#include <vector>

namespace fabric::cmd {

// Prints "NAME open" or "NAME closed", a tab and a detail for each thing tried. `canaries`: what
// proofs.cpp left outside to be found. The exit code of the process.
int prove_inside(const std::vector<std::string>& canaries);

}  // namespace fabric::cmd
