// SPDX-License-Identifier: Apache-2.0
// What stands between a hostile archive and the machine, should the code that reads it be wrong: no
// file but those of the directory that it unpacks into, no network, no program, few system calls.
// It runs in namespaces of its own, as nobody that the host knows.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

namespace fabric {

// `root` becomes the root directory. `owners`: capabilities to give files their owners stay.
Status confine(const Fd& root, bool owners);

}  // namespace fabric
