// SPDX-License-Identifier: Apache-2.0
// Unix stream sockets at paths of any length: sun_path holds 108 bytes, so the directory is opened
// and the socket addressed through /proc/self/fd (unix(7), proc(5)).
#pragma once

#include <string>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace fabric {

// Mode 0600. A left-over socket at `path` is replaced: call only while holding the ownership lock.
Result<Fd> listen_unix(const std::string& path);
// nullopt-like: an invalid Fd when nobody listens there; with `at_once`, also when it would have to
// wait because too many wait already.
enum class Connecting : bool { patiently, at_once };
Result<Fd> connect_unix(const std::string& path, Connecting how = Connecting::patiently);

}  // namespace fabric
