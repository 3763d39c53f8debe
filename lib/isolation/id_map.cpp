// SPDX-License-Identifier: Apache-2.0
#include "isolation/id_map.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string_view>

#include "isolation/clone_process.hpp"
#include "isolation/disk_usage.hpp"
#include "isolation/process_identity.hpp"

#ifndef MOVE_MOUNT_F_EMPTY_PATH
#error "linux/mount.h is older than Linux 5.2"
#endif

namespace fabric {

namespace {

constexpr unsigned k_recursive = 0x8000;  // AT_RECURSIVE
constexpr size_t k_most_kept = 256;

// Holds the namespace for the moment that its maker needs. Must not outlive it: it has our memory
// and, were they not closed, our descriptors.
int wait_to_be_killed(void* parent) {
  ::syscall(SYS_close_range, 0, ~0U, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (::syscall(SYS_getppid) != *static_cast<const pid_t*>(parent)) return 1;
  for (;;) ::syscall(SYS_pause);
}

Status write_map(pid_t pid, const char* file, uint32_t inside, uint32_t outside, uint32_t count) {
  Fd map = TRY(open_file("/proc/" + std::to_string(pid) + "/" + file, O_WRONLY));
  return write_all(map.get(), std::to_string(inside) + " " + std::to_string(outside) + " " +
                                  std::to_string(count) + "\n");
}

void reap(pid_t& child) {
  while (child != 0 && ::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  child = 0;
}

// A user namespace is made by a process in it; the namespace stays when its descriptor does.
Result<Fd> make_map(IdPair owner, IdPair agent, uint32_t count, bool wait) {
  alignas(16) static std::array<char, 16384> stack;
  static pid_t earlier = 0;  // killed, and perhaps not gone from the stack yet
  reap(earlier);
  CloneArguments arguments;
  arguments.flags = k_clone_vm | CLONE_NEWUSER | k_clone_clear_sighand;
  arguments.exit_signal = SIGCHLD;
  arguments.stack = reinterpret_cast<uint64_t>(stack.data());
  arguments.stack_size = stack.size();
  pid_t self = ::getpid();
  const long child = clone_process(arguments, wait_to_be_killed, &self);
  if (child == -ENOSPC)  // user_namespaces(7)
    return fail(ErrorCode::unavailable,
                "the files of an agent cannot be given to it: no user namespace can be made",
                "raise their number: sysctl user.max_user_namespaces=1000");
  if (child < 0) return fail_errno(static_cast<int>(-child), "making a user namespace");
  const auto pid = static_cast<pid_t>(child);
  Status mapped = write_map(pid, "uid_map", owner.uid, agent.uid, count);
  if (mapped) mapped = write_map(pid, "gid_map", owner.gid, agent.gid, count);
  auto descriptor = open_file("/proc/" + std::to_string(pid) + "/ns/user", O_RDONLY);
  ::kill(pid, SIGKILL);  // our own child, not yet waited for: the pid is surely it
  earlier = pid;
  if (wait) reap(earlier);
  if (!mapped) return fail(std::move(mapped).error());
  return descriptor;
}

Result<Fd> clone_tree(const Fd& place, const std::string& path, __u64 extra, int map,
                      unsigned recursive = k_recursive) {
  int fd = static_cast<int>(
      ::syscall(SYS_open_tree, place.get(), "",
                OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive | unsigned{AT_EMPTY_PATH}));
  if (fd < 0) return fail_errno(errno, path);
  Fd tree(fd);
  mount_attr attributes{};
  attributes.attr_set = __u64{MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV} | extra;
  attributes.propagation = __u64{1} << 18;  // MS_PRIVATE
  if (map >= 0) attributes.userns_fd = static_cast<__u64>(map);
  if (::syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | recursive, &attributes,
                sizeof attributes) != 0)
    return fail_errno(errno, "mapping the owner of " + path);
  return tree;
}

__u64 access(bool read_only) { return read_only ? MOUNT_ATTR_RDONLY : 0; }

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

// Of what the descriptor stands for, a link included. Never by path: the agent of another sandbox
// may work in the same directory, and put a link in the place of what is on the way.
bool change_one(int fd, IdPair owner) {
  return ::fchownat(fd, "", owner.uid, owner.gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) == 0;
}

// An errno, or 0.
int change_below(int directory, dev_t device, IdPair owner, size_t depth) {
  if (depth > k_deepest_directory) return ELOOP;
  const int again = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const Directory stream(again < 0 ? nullptr : ::fdopendir(again));
  if (!stream) return errno;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    const Fd one(::openat(again, entry->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat status {};
    if (!one || ::fstat(one.get(), &status) != 0) continue;  // gone meanwhile
    if (status.st_dev != device) continue;
    if (!change_one(one.get(), owner)) return errno;
    if (!S_ISDIR(status.st_mode)) continue;
    if (const int error = change_below(one.get(), device, owner, depth + 1)) return error;
  }
  return 0;
}

// nftw() has no argument for its callback; one thread (see IdMaps)
uint32_t only_owner;
const std::vector<std::string>* left_out;

int stop_at_another(const char* path, const struct stat* status, int, FTW* where) {
  const bool another = where->level > 0 && status->st_uid != only_owner;
  return another && std::find(left_out->begin(), left_out->end(), path) == left_out->end() ? 1 : 0;
}

}  // namespace

Result<const Fd*> IdMaps::get(IdPair owner, IdPair agent, uint32_t count) {
  const Key key{owner, agent, count};
  auto at = kept_.find(key);
  if (at != kept_.end()) return &at->second;
  Fd map = TRY(make_map(owner, agent, count, !leave_helper));
  if (kept_.size() >= k_most_kept) kept_.erase(kept_.begin());
  return &kept_.emplace(key, std::move(map)).first->second;
}

Result<Fd> open_mapped_tree(const Fd& place, const std::string& path, const Fd& map,
                            bool read_only) {
  return clone_tree(place, path, MOUNT_ATTR_IDMAP | access(read_only), map.get());
}

Result<Fd> open_mapped_directory(const Fd& place, const std::string& path, const Fd& map,
                                 bool read_only) {
  return clone_tree(place, path, MOUNT_ATTR_IDMAP | access(read_only), map.get(), 0);
}

Result<Fd> open_plain_tree(const Fd& place, const std::string& path, bool read_only) {
  return clone_tree(place, path, access(read_only), -1);
}

bool all_belong_to(const std::string& path, uint32_t uid, const std::vector<std::string>& besides) {
  only_owner = uid;
  left_out = &besides;
  return ::nftw(path.c_str(), stop_at_another, 32, FTW_PHYS | FTW_MOUNT) == 0;
}

Status change_owner(const std::string& path, IdPair owner) {
  const std::string what = "changing the owner of " + path;
  const Fd root = TRY(in_context(open_file(path, O_RDONLY | O_DIRECTORY), what));
  struct stat status {};
  if (::fstat(root.get(), &status) != 0 || !change_one(root.get(), owner))
    return fail_errno(errno, what);
  const int error = change_below(root.get(), status.st_dev, owner, 0);
  if (error == ELOOP)
    return fail(ErrorCode::usage, what + ": directories are nested too deep in it");
  if (error != 0) return fail_errno(error, what);
  return {};
}

}  // namespace fabric
