// SPDX-License-Identifier: Apache-2.0
#include "paths.hpp"

#include <sys/stat.h>

#include "build.hpp"

namespace fabric::init {

namespace {

// struct open_how of <linux/openat2.h>, and its RESOLVE_NO_SYMLINKS and RESOLVE_BENEATH.
struct OpenHow {
  uint64_t flags, mode, resolve;
};
constexpr uint64_t k_no_links = 4, k_beneath = 8;
constexpr unsigned k_move_to_empty_path = 0x40;

int restricted_open(int directory, const char* path, int flags, uint64_t resolve) {
  OpenHow how{static_cast<uint64_t>(static_cast<unsigned>(flags | O_CLOEXEC)), 0, resolve};
  for (int attempt = 0;; ++attempt) {
    int fd = static_cast<int>(syscall(SYS_openat2, directory, path, &how, sizeof how));
    // EAGAIN: something was renamed on the way (openat2(2), RESOLVE_BENEATH).
    if (fd >= 0 || attempt == 100 || (errno != EAGAIN && errno != EINTR)) return fd;
  }
}

void attach_at(int mount, int place, const char* target) {
  if (move_mount(mount, "", place, "", k_move_from_empty_path | k_move_to_empty_path) < 0)
    refuse("mounting", target, errno);
  close(mount);
  close(place);
}

bool is_directory(int fd, const char* target) {
  struct stat status;
  if (fstat(fd, &status) < 0) refuse("looking at", target, errno);
  return S_ISDIR(status.st_mode);
}

// Where a tree goes, with the directories above it. In what can be changed all of it exists: the
// supervisor has seen to that, so that it can be removed again.
int make_place(int root, const char* target, bool directory) {
  char path[4096];
  if (strlen(target) >= sizeof path) refuse("mounting", target, ENAMETOOLONG);
  int at = dup(root);
  for (const char* part = target; *part != 0;) {
    const char* end = strchrnul(part, '/');
    memcpy(path, part, static_cast<size_t>(end - part));
    path[end - part] = 0;
    const bool last = *end == 0;
    int next = restricted_open(at, path, O_PATH, k_no_links | k_beneath);
    if (next < 0 && errno == ENOENT) {
      int made =
          last && !directory ? mknodat(at, path, S_IFREG | 0644, 0) : mkdirat(at, path, 0755);
      if (made < 0) refuse("making a place to mount", target, errno);
      next = restricted_open(at, path, O_PATH, k_no_links | k_beneath);
    }
    if (next < 0) refuse("making a place to mount", target, errno);
    close(at);
    at = next;
    part = last ? end : end + 1;
  }
  return at;
}

int trees[wire::k_max_trees];  // of the k_tree mounts, in order
size_t next_tree;

int open_tree_of(const Spec& spec, const wire::MountOp& op) {
  const char* path = spec.string(op.source);
  const uint64_t attributes =
      k_plain | ((op.argument & wire::k_tree_read_only) != 0 ? k_mount_rdonly : 0);
  int source = restricted_open(AT_FDCWD, path, O_PATH, k_no_links);
  if (source < 0) refuse("opening", path, errno);
  int tree = clone_tree(source, "", attributes);
  close(source);
  return tree;
}

void mount_tree(int root, const char* target) {
  int tree = trees[next_tree++];
  attach_at(tree, make_place(root, target, is_directory(tree, target)), target);
}

// On itself.
void bind(int root, const char* target, uint64_t attributes, uint64_t flags) {
  int place = open_beneath(root, target, O_PATH);
  if (place < 0 && (flags & wire::k_if_exists) != 0) return;
  if (place < 0) refuse("protecting", target, errno);
  attach_at(clone_tree(place, "", attributes), place, target);
}

// All closed ones are mounts of one file system: to make another takes as long as ten mounts.
int empty_directory(uint64_t flags) {
  static int closed = -1;
  const bool open = (flags & wire::k_cover_open) != 0;
  if (!open && closed >= 0)
    return clone_tree(closed, "", k_plain | k_mount_noexec | k_mount_rdonly);
  const char* options[] = {"mode", open ? "0711" : "0000", "size", "4096", "nr_inodes", "64",
                           nullptr};
  const int made =
      make_file_system("tmpfs", k_plain | k_mount_noexec | (open ? 0 : k_mount_rdonly), options);
  if (!open) closed = fcntl(made, F_DUPFD_CLOEXEC, 0);
  return made;
}

// A file that lives on only in its mount: removed once that is in place (not sooner, move_mount(2)
// refuses a root that has no name any more).
constexpr const char* k_empty_file = ".cover";

int empty_file(int root) {
  if (mknodat(root, k_empty_file, S_IFREG, 0) < 0) refuse("making", k_empty_file, errno);
  return clone_tree(root, k_empty_file, k_plain | k_mount_noexec | k_mount_rdonly);
}

void close_cover(int root, const char* target) {
  int place = open_beneath(root, target, O_PATH | O_DIRECTORY);
  MountAttributes change{k_mount_rdonly, 0, 0, 0};
  if (place < 0 || mount_setattr(place, "", k_at_empty_path, change) < 0)
    refuse("making read-only", target, errno);
  close(place);
}

}  // namespace

int open_beneath(int root, const char* path, int flags) {
  return restricted_open(root, path, flags, k_no_links | k_beneath);
}

void cover(int root, const char* target, uint64_t flags) {
  int place = open_beneath(root, target, O_PATH);
  if (place < 0 && (flags & wire::k_if_exists) != 0) return;
  if (place < 0) refuse("hiding", target, errno);
  if (is_directory(place, target)) return attach_at(empty_directory(flags), place, target);
  attach_at(empty_file(root), place, target);
  if (unlinkat(root, k_empty_file, 0) < 0) refuse("removing", k_empty_file, errno);
}

void open_trees(const Spec& spec) {
  size_t count = 0, given = 0;
  for (uint32_t i = 0; i < spec.head->mount_count; ++i) {
    const wire::MountOp& op = spec.mounts[i];
    if (op.kind != wire::k_tree) continue;
    if (count == wire::k_max_trees) refuse("reading the spec", "too many trees", EPROTO);
    trees[count++] =
        (op.argument & wire::k_tree_given) != 0 ? spec.trees[given++] : open_tree_of(spec, op);
  }
}

bool apply_path(const Spec& spec, const wire::MountOp& op, int root) {
  const char* target = spec.string(op.target);
  switch (op.kind) {
    case wire::k_tree:
      mount_tree(root, target);
      return true;
    case wire::k_pin:
      bind(root, target, k_plain, op.argument);
      return true;
    case wire::k_no_write:
      bind(root, target, k_plain | k_mount_rdonly, op.argument);
      return true;
    case wire::k_cover:
      cover(root, target, op.argument);
      return true;
    case wire::k_close:
      close_cover(root, target);
      return true;
    case wire::k_allow:  // landlock.cpp
      return true;
    default:
      return false;
  }
}

const char* lost_protection(const Spec& spec) {
  constexpr unsigned k_is_mount_root = 0x2000;  // STATX_ATTR_MOUNT_ROOT
  for (uint32_t i = 0; i < spec.head->mount_count; ++i) {
    const wire::MountOp& op = spec.mounts[i];
    const bool protects = op.kind == wire::k_tree || op.kind == wire::k_pin ||
                          op.kind == wire::k_no_write || op.kind == wire::k_cover;
    if (!protects || (op.argument & wire::k_if_exists) != 0) continue;
    char path[4096];
    const char* target = spec.string(op.target);
    if (strlen(target) + 2 > sizeof path) return target;
    path[0] = '/';
    strcpy(path + 1, target);
    uint64_t status[32] = {};  // struct statx; its second word is stx_attributes
    if (syscall(SYS_statx, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, 0, status) < 0) {
      if (errno == EACCES) continue;  // then the agent does not get there either
      return target;
    }
    if ((status[1] & k_is_mount_root) == 0) return target;
  }
  return nullptr;
}

}  // namespace fabric::init
