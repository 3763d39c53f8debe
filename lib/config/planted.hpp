// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/fd.hpp"

namespace fabric::config {

// Denied when .fabric or a directory of it where fabric opens files holds a symbolic link: fabric
// makes none there, but a repository can carry them, and they would lead its writing elsewhere.
Status refuse_planted_links(const Fd& root, const std::string& path);

}  // namespace fabric::config
