// SPDX-License-Identifier: Apache-2.0
#include "isolation/sandbox_slots.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>

#include "isolation/cgroup_file.hpp"

namespace fabric {

namespace {

// Below host.unified, or where there is none below the memory hierarchy.
std::vector<std::string> slots(const CgroupHost& host, const std::string& sandbox) {
  const CgroupBase& base = host.unified ? host.unified : host.memory;
  std::vector<std::string> paths;
  if (!base) return paths;
  const std::string parent = sandbox + (host.mode == CgroupMode::v2 ? "/work" : "");
  for (const std::string& name : child_groups(base.directory, parent))
    if (name.starts_with("slot")) paths.push_back(parent + "/" + name);
  return paths;
}

}  // namespace

std::vector<Fd> slot_events(const CgroupHost& host, const std::string& sandbox) {
  std::vector<Fd> events;
  if (!host.unified) return events;
  for (const std::string& slot : slots(host, sandbox))
    if (auto file = open_at(host.unified.directory, slot + "/cgroup.events", O_RDONLY))
      events.push_back(std::move(*file));
  return events;
}

bool populated(const std::vector<Fd>& slot_events) {
  bool any = slot_events.empty();
  for (const Fd& events : slot_events) {
    char text[256];
    const ssize_t got = ::pread(events.get(), text, sizeof text, 0);
    if (got > 0 && flat_field({text, static_cast<size_t>(got)}, "populated") != 0) any = true;
  }
  return any;
}

std::vector<pid_t> slot_processes(const CgroupHost& host, const std::string& sandbox) {
  std::vector<pid_t> pids;
  const CgroupBase& base = host.unified ? host.unified : host.memory;
  for (const std::string& slot : slots(host, sandbox)) {
    auto list = read_control(base.directory, slot + "/cgroup.procs");
    if (!list) continue;
    const char* end = list->data() + list->size();
    for (const char* at = list->data(); at < end;) {
      pid_t pid = 0;
      at = std::from_chars(at, end, pid).ptr + 1;
      if (pid > 0) pids.push_back(pid);
    }
  }
  return pids;
}

void freeze_slots(const CgroupHost& host, const std::string& sandbox, Frozen frozen) {
  if (!host.unified) return;
  for (const std::string& slot : slots(host, sandbox))
    (void)write_control(host.unified.directory, slot + "/cgroup.freeze",
                        frozen == Frozen::yes ? "1" : "0");
}

}  // namespace fabric
