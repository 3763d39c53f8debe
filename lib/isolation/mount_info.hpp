// SPDX-License-Identifier: Apache-2.0
// /proc/PID/mountinfo, see proc_pid_mountinfo(5). Pure parsing; no streams (cmd/fabric-run).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fabric {

struct MountInfo {
  std::string root;   // which directory of the file system is mounted
  std::string point;  // where; as it is, without the escapes of the file
  std::string type;
  std::string_view super_options;  // of the text that was parsed, with commas
};
// Lines that are none are left out.
std::vector<MountInfo> parse_mount_info(std::string_view text);

}  // namespace fabric
