// SPDX-License-Identifier: Apache-2.0
// Level container: the new root is an overlay of, from below, the root file system that the user
// chose, what fabric puts in, and the agent's own changes. fabric's names come second, so that no
// link in an image decides where they go; nothing is written to the lower directory. The overlay is
// mounted in our own user namespace: of layers whose ids are mapped, the initial one would give a
// root that is read-only.
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "build.hpp"
#include "paths.hpp"
#include "sys.hpp"

namespace fabric::init {

namespace {

constexpr unsigned k_fsconfig_flag = 0;

// Without what is mounted beneath, which an overlay would not show.
int clone_directory(const char* path, uint64_t attributes) {
  int tree = open_tree(AT_FDCWD, path, k_open_tree_clone | O_CLOEXEC);
  if (tree < 0 && errno == EINVAL) refuse("other file systems are mounted in", path, EXDEV);
  if (tree < 0) refuse("opening", path, errno);
  MountAttributes change{k_plain | attributes, 0, k_propagation_private, 0};
  if (mount_setattr(tree, "", k_at_empty_path, change) < 0)
    refuse("setting mount flags", path, errno);
  return tree;
}

int make_and_open(int directory, const char* name, unsigned mode) {
  if (mkdirat(directory, name, mode) < 0) refuse("making", name, errno);
  int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) refuse("opening", name, errno);
  return fd;
}

// All of it is charged to the agent's memory.
int changes_in_memory(uint64_t bytes) {
  char size[24];
  snprintf(size, sizeof size, "%llu", static_cast<unsigned long long>(bytes));
  const char* options[] = {"mode", "0755", "nr_inodes", "65536", "size", size, nullptr};
  if (bytes == 0) options[4] = nullptr;
  int mount = make_file_system("tmpfs", k_plain, options);
  if (mkdirat(mount, wire::k_upper_name, 0755) < 0 ||
      mkdirat(mount, wire::k_overlay_work_name, 0700) < 0)
    refuse("making directories in memory", "", errno);
  return mount;
}

// Paths are relative to the current directory.
int make_overlay() {
  static const char* const options[] = {"lowerdir",      "own:lower", "upperdir",
                                        "changes/upper", "workdir",   "changes/work"};
  int fs = fsopen("overlay", 1);
  if (fs < 0) refuse("opening a file system", "overlay", errno);
  for (size_t i = 0; i < sizeof options / sizeof *options; i += 2)
    if (fsconfig(fs, k_fsconfig_string, options[i], options[i + 1], 0) < 0)
      refuse("setting an option of the overlay", options[i], errno);
  if (fsconfig(fs, k_fsconfig_flag, "userxattr", nullptr, 0) < 0)
    refuse("setting an option of the overlay", "userxattr", errno);
  if (fsconfig(fs, k_fsconfig_create, nullptr, nullptr, 0) < 0)
    refuse("creating a file system", "overlay", errno);
  int mount = fsmount(fs, 1, static_cast<unsigned>(k_plain));
  if (mount < 0) refuse("mounting a file system", "overlay", errno);
  close(fs);
  return mount;
}

// A directory or file that fabric put in, read-only, where the overlay shows it: what is opened for
// writing there would be copied to the disk.
void mount_own(int own, int root, const char* name, uint64_t attributes) {
  int place = open_beneath(root, name, O_PATH);
  if (place < 0) refuse("mounting", name, errno);
  attach_at(clone_tree(own, name, attributes | k_mount_rdonly), place, name);
}

}  // namespace

void open_layers(Spec& spec) {
  const wire::ContainerHead& head = spec.head->container;
  if (spec.lower < 0) spec.lower = clone_directory(spec.string(head.lower), k_mount_rdonly);
  if (spec.upper >= 0) return;
  spec.upper = (head.flags & wire::k_upper_memory) != 0
                   ? changes_in_memory(head.upper_bytes)
                   : clone_directory(spec.string(head.upper), 0);
}

int build_container(Spec& spec, int base) {
  int own = make_and_open(base, "own", 0755);
  for (uint32_t i = 0; i < spec.head->mount_count; ++i) make_names(spec, spec.mounts[i], own);
  attach_at(spec.lower, make_and_open(base, "lower", 0755), "lower");
  attach_at(spec.upper, make_and_open(base, "changes", 0755), "changes");
  if (fchdir(base) < 0) refuse("entering the new root", "", errno);
  int root = make_overlay();
  if (move_mount(root, "", AT_FDCWD, "/tmp", k_move_from_empty_path) < 0)
    refuse("mounting the new root on", "/tmp", errno);
  set_own_files(own);
  mount_own(own, root, "dev", k_mount_nosuid | k_mount_noexec);
  for (uint32_t i = 0; i < spec.head->mount_count; ++i) {
    const wire::MountOp& op = spec.mounts[i];
    mount_on(spec, op, root);
    if (op.kind == wire::k_secret)
      mount_own(own, root, spec.string(op.target), k_plain | k_mount_noexec);
  }
  close(base);
  close(own);
  return root;
}

void check_ids(const Spec&) {
  static const char* const maps[] = {"/proc/self/uid_map", "/proc/self/gid_map"};
  for (const char* path : maps) {
    char text[512] = {};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0) refuse("checking ids", path, errno);
    close(fd);
    // "INSIDE OUTSIDE COUNT" a line.
    for (char* at = text; *at != 0;) {
      strtoul(at, &at, 10);
      const unsigned long outside = strtoul(at, &at, 10);
      strtoul(at, &at, 10);
      if (outside == 0) refuse("checking ids", "one of root would be inside", EPERM);
      while (*at == '\n' || *at == ' ') ++at;
    }
  }
}

}  // namespace fabric::init
