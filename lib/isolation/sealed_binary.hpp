// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace fabric {

// A copy of an executable in a sealed memfd: it cannot be changed by what it is run against (the
// way of CVE-2019-5736), nor be missing when the file was replaced by an upgrade.
Result<Fd> seal_binary(const std::string& path);
// For one run: the file itself where only root may change it, which nothing in a sandbox is.
// Copying it takes a twentieth of the whole run.
Result<Fd> safe_binary(const std::string& path);

}  // namespace fabric
