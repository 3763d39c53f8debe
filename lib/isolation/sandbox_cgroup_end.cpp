// SPDX-License-Identifier: Apache-2.0
// Killing, removing and listing the groups of sandboxes.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <set>
#include <thread>

#include "isolation/cgroup_file.hpp"
#include "isolation/sandbox_cgroup.hpp"

namespace fabric {

namespace {

bool group_exists(const Fd& base, const std::string& path) {
  return ::faccessat(base.get(), path.c_str(), F_OK, 0) == 0;
}

// Without cgroup.kill: everyone in the list, until the list is empty. A pid is held by a pidfd and
// looked up again in the list before it is signalled, so a reused one is never hit.
Status kill_listed(const Fd& base, const std::string& path) {
  for (const std::string& child : child_groups(base, path))
    TRY_STATUS(kill_listed(base, path + "/" + child));
  for (int round = 0; round < 1000; ++round) {
    std::string list = TRY(read_control(base, path + "/cgroup.procs"));
    if (list.empty()) return {};
    for (const char *at = list.data(), *end = at + list.size(); at < end;) {
      int pid = 0;
      at = std::from_chars(at, end, pid).ptr + 1;
      if (pid <= 0) continue;
      Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
      if (!pidfd) continue;
      std::string again = "\n" + TRY(read_control(base, path + "/cgroup.procs"));
      if (again.find("\n" + std::to_string(pid) + "\n") == std::string::npos) continue;
      ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
      pollfd ask{pidfd.get(), POLLIN, 0};
      ::poll(&ask, 1, 100);
    }
  }
  return fail(ErrorCode::timed_out, "cgroup " + path + " does not become empty");
}

// Removes `path` and what is below it. EBUSY while a process is in it.
int remove_tree(const Fd& base, const std::string& path) {
  int busy = 0;
  for (const std::string& child : child_groups(base, path))
    if (int error = remove_tree(base, path + "/" + child); error != 0) busy = error;
  if (busy != 0) return busy;
  return ::unlinkat(base.get(), path.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : errno;
}

// Wakes when the group's population changes; kernels limit how often they say so, hence the bound.
void wait_for_change(const Fd& base, const std::string& path, int milliseconds) {
  auto events = open_at(base, path + "/cgroup.events", O_RDONLY);
  if (!events) {  // v1 tells nobody; what is left there is an exit in progress
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return;
  }
  auto text = read_all(events->get(), 4096);
  if (!text || flat_field(*text, "populated") == 0) milliseconds = 1;
  pollfd ask{events->get(), POLLPRI, 0};
  ::poll(&ask, 1, milliseconds);
}

}  // namespace

Status kill_sandbox_cgroup(const CgroupHost& host, const std::string& name) {
  if (host.unified && group_exists(host.unified.directory, name)) {
    if (group_exists(host.unified.directory, name + "/cgroup.kill"))
      return write_control(host.unified.directory, name + "/cgroup.kill", "1");
    return kill_listed(host.unified.directory, name);
  }
  for (const CgroupBase* base : {&host.pids, &host.cpu, &host.memory})
    if (*base && group_exists(base->directory, name)) return kill_listed(base->directory, name);
  return {};
}

Status remove_sandbox_cgroup(const CgroupHost& host, const std::string& name, Duration limit) {
  const MonoTime deadline = system_clock().monotonic() + limit;
  for (const CgroupBase* base : host.all()) {
    if (!group_exists(base->directory, name)) continue;
    for (;;) {
      int error = remove_tree(base->directory, name);
      if (error == 0) break;
      const int64_t left = (deadline - system_clock().monotonic()).to_millis();
      if (error != EBUSY) return fail_errno(error, "removing cgroup " + base->path + "/" + name);
      if (left <= 0)
        return fail(ErrorCode::timed_out,
                    "cgroup " + base->path + "/" + name + " does not become empty");
      wait_for_change(host.unified ? host.unified.directory : base->directory, name,
                      static_cast<int>(std::min<int64_t>(left, 20)));
    }
  }
  // Everybody in it was in the others too. (An exit takes a process out of one after the other.)
  const std::string blkio = host.blkio_path + "/" + name;
  while (!host.blkio_path.empty() && ::rmdir(blkio.c_str()) != 0 && errno == EBUSY &&
         system_clock().monotonic() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return {};
}

std::vector<std::string> list_sandbox_cgroups(const CgroupHost& host) {
  std::set<std::string> names;
  for (const CgroupBase* base : host.all())
    for (std::string& name : child_groups(base->directory, ".")) names.insert(std::move(name));
  return {names.begin(), names.end()};
}

}  // namespace fabric
