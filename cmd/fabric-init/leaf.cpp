// SPDX-License-Identifier: Apache-2.0
#include "leaf.hpp"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "sys.hpp"

namespace fabric::init {

namespace {

int open_in(int directory, const char* name, int flags) {
  return directory < 0 ? -1 : openat(directory, name, flags | O_CLOEXEC);
}

// Control files are read again from their start with one pread.
size_t read_control(int fd, char* buffer, size_t size) {
  ssize_t got = fd < 0 ? -1 : pread(fd, buffer, size - 1, 0);
  if (got < 0) got = 0;
  buffer[got] = 0;
  return static_cast<size_t>(got);
}

uint64_t number(int fd) {
  char text[32];
  read_control(fd, text, sizeof text);
  return strtoull(text, nullptr, 10);
}

}  // namespace

uint64_t control_field(int fd, const char* name) {
  char text[4096];
  read_control(fd, text, sizeof text);
  const size_t size = strlen(name);
  for (const char* at = text; *at != 0;) {
    if (strncmp(at, name, size) == 0 && at[size] == ' ')
      return strtoull(at + size + 1, nullptr, 10);
    at = strchrnul(at, '\n');
    if (*at != 0) ++at;
  }
  return 0;
}

void open_leaf(Leaf& leaf, const LeafFds& fds, bool memory_v2) {
  leaf.directory = fds.unified;
  leaf.freeze = open_in(fds.unified, "cgroup.freeze", O_WRONLY);
  leaf.events = open_in(fds.unified, "cgroup.events", O_RDONLY);
  leaf.cpu = open_in(fds.unified, "cpu.stat", O_RDONLY);
  leaf.tasks = open_in(fds.memory, "tasks", O_WRONLY);
  if (fds.memory >= 0 && leaf.tasks < 0) refuse("opening the memory group", "tasks", errno);
  leaf.processes = open_in(fds.unified, "cgroup.procs", O_RDONLY);
  if (memory_v2) {
    leaf.oom = open_in(fds.unified, "memory.events", O_RDONLY);
    leaf.peak = open_in(fds.unified, "memory.peak", O_RDWR);
    if (leaf.peak < 0) leaf.peak = open_in(fds.unified, "memory.peak", O_RDONLY);
  } else {
    leaf.oom = open_in(fds.memory, "memory.oom_control", O_RDONLY);
    leaf.peak = open_in(fds.memory, "memory.max_usage_in_bytes", O_RDWR);
  }
  const int limit = memory_v2 ? open_in(fds.unified, "../memory.max", O_RDONLY)
                              : open_in(fds.memory, "../memory.limit_in_bytes", O_RDONLY);
  leaf.limit = number(limit);
  if (limit >= 0) close(limit);
  if (fds.memory >= 0) close(fds.memory);
}

void begin_measuring(Leaf& leaf) {
  leaf.cpu_before_us = leaf.cpu < 0 ? 0 : control_field(leaf.cpu, "usage_usec");
  leaf.oom_before = leaf.oom < 0 ? 0 : control_field(leaf.oom, "oom_kill");
  // v1 always, v2 since 6.12. Elsewhere the peak is that of all attempts of this slot so far.
  const bool reset = leaf.peak >= 0 && pwrite(leaf.peak, "0", 1, 0) == 1;
  leaf.peak_before = reset ? 0 : number(leaf.peak);
}

uint64_t cpu_used_ns(const Leaf& leaf) {
  if (leaf.cpu < 0) return 0;
  uint64_t now = control_field(leaf.cpu, "usage_usec");
  return now > leaf.cpu_before_us ? (now - leaf.cpu_before_us) * 1000 : 0;
}

uint64_t memory_peak(const Leaf& leaf, uint64_t largest) {
  uint64_t peak = number(leaf.peak);
  // A charge that the limit above refuses (a huge page) counts in the peak of the leaf all the
  // same.
  if (leaf.limit != 0 && peak > leaf.limit) peak = leaf.limit;
  if (leaf.peak_before == 0 || peak > leaf.peak_before) return peak;
  // An earlier attempt had more, so this is all we know of this one.
  return largest < peak ? largest : peak;
}

bool oom_killed(const Leaf& leaf) {
  return leaf.oom >= 0 && control_field(leaf.oom, "oom_kill") > leaf.oom_before;
}

bool populated(const Leaf& leaf) {
  if (leaf.events >= 0) return control_field(leaf.events, "populated") != 0;
  // A v1 group does not say so, and its list of members is cached for as long as it is asked for.
  // But without the unified hierarchy there is one slot: every child of ours is the attempt's.
  siginfo_t info{};
  return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

namespace {

// Children of ours become what their parents leave behind, so this meets everybody in the end.
void kill_children() {
  if (getpid() == 1) {
    kill(-1, SIGKILL);
    return;
  }
  char path[64], text[4096];
  snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  read_control(fd, text, sizeof text);
  if (fd >= 0) close(fd);
  char* end = text;
  for (char* at = text; *at != 0; at = end + 1) {
    long pid = strtol(at, &end, 10);
    if (pid <= 1 || *end != ' ') break;
    kill(static_cast<pid_t>(pid), SIGKILL);
  }
}

}  // namespace

// Not cgroup.kill: it leaves a mark on the group (kill_seq in kernel/cgroup/cgroup.c, measured on
// 6.18) by which whoever is later cloned into it from another group is killed at birth, and a leaf
// serves one attempt after the other. Frozen, the processes cannot fork while they are killed; a
// frozen process still dies of SIGKILL.
void kill_leaf(const Leaf& leaf) {
  if (leaf.processes < 0) return kill_children();
  const bool frozen = leaf.freeze >= 0 && pwrite(leaf.freeze, "1", 1, 0) == 1;
  // The list is in our own pid namespace, whose processes only we reap. What was forked meanwhile
  // is met by the next round: the caller comes back as long as populated() holds.
  char text[4096];
  long pid = 0;
  ssize_t got;
  for (off_t at = 0; (got = pread(leaf.processes, text, sizeof text, at)) > 0; at += got)
    for (ssize_t i = 0; i < got; ++i) {
      if (text[i] >= '0' && text[i] <= '9') {
        pid = pid * 10 + (text[i] - '0');
        continue;
      }
      if (pid > 1) kill(static_cast<pid_t>(pid), SIGKILL);
      pid = 0;
    }
  // The dead thaw by themselves; this is for the next attempt.
  if (frozen) thaw_leaf(leaf);
}

void thaw_leaf(const Leaf& leaf) {
  if (leaf.freeze >= 0 && pwrite(leaf.freeze, "0", 1, 0) != 1) return;
}

}  // namespace fabric::init
