// SPDX-License-Identifier: Apache-2.0
#include "isolation/runtime_hints.hpp"

namespace fabric {

std::vector<std::pair<std::string, std::string>> runtime_hints(const Limits& limits) {
  if (limits.memory_bytes == 0) return {};
  // Of a JVM that knows of no limit the garbage alone grows beyond it: it is killed, not collected.
  // With it the heap is a quarter of the limit, as in a container; -Xmx on its command line wins.
  return {{"JAVA_TOOL_OPTIONS", "-XX:MaxRAM=" + std::to_string(limits.memory_bytes)}};
}

}  // namespace fabric
