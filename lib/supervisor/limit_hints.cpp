// SPDX-License-Identifier: Apache-2.0
#include "supervisor/limit_hints.hpp"

#include "base/size.hpp"

namespace fabric {
namespace {

// Less is what any program waits that shares a processor.
constexpr Duration k_slow = Duration::millis(100);

std::string cores(uint32_t millicores) {
  const std::string text = cpu_cores_to_string(millicores);
  return text + (text == "1" ? " core" : " cores");
}

}  // namespace

std::vector<std::string> limit_hints(const AttemptExit& exit, const AgentDefinition& definition,
                                     Reason reason, TaskState state) {
  std::vector<std::string> hints;
  const Limits& limits = definition.limits;
  const bool completed = state == TaskState::completed;
  if (!completed && exit.pids_refused > 0 && limits.pids != 0)
    hints.push_back("the limit of " + std::to_string(limits.pids) + " processes refused " +
                    std::to_string(exit.pids_refused) + " more");
  if (!completed && exit.memory_met && reason != Reason::memory)
    hints.push_back("the memory limit of " + human_size(limits.memory_bytes) +
                    " killed a process of it (peak " + human_size(exit.memory_peak_bytes) + ")");
  // Slowness explains what took too long, and nothing else.
  if (state == TaskState::timed_out && exit.cpu_throttled >= k_slow && limits.cpu_millicores != 0)
    hints.push_back("its processes waited " + human(exit.cpu_throttled) +
                    " because of the limit of " + cores(limits.cpu_millicores) + " (it used " +
                    human(exit.cpu) + ")");
  const uint64_t dropped = exit.stdout_dropped + exit.stderr_dropped;
  if (dropped > 0)
    hints.push_back(human_size(dropped) + " of output beyond the limit of " +
                    human_size(definition.max_output_bytes) + " were dropped");
  return hints;
}

}  // namespace fabric
