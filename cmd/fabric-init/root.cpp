// SPDX-License-Identifier: Apache-2.0
// The new root file system, by the mount API of Linux 5.2 to 5.12: detached mounts get their flags
// before they are visible, and AT_RECURSIVE reaches mounts below the tree (MS_REMOUNT does not).
#include <sys/mount.h>
#include <sys/stat.h>

#include "build.hpp"
#include "paths.hpp"
#include "sys.hpp"

namespace fabric::init {

int make_file_system(const char* type, uint64_t attributes, const char* const* options) {
  int fs = fsopen(type, 1);
  if (fs < 0) refuse("opening a file system", type, errno);
  for (; *options != nullptr; options += 2)
    if (fsconfig(fs, k_fsconfig_string, options[0], options[1], 0) < 0)
      refuse("setting a mount option", options[0], errno);
  if (fsconfig(fs, k_fsconfig_create, nullptr, nullptr, 0) < 0)
    refuse("creating a file system", type, errno);
  int mount = fsmount(fs, 1, static_cast<unsigned>(attributes));
  if (mount < 0) refuse("mounting a file system", type, errno);
  close(fs);
  return mount;
}

void attach(int mount, int root, const char* target) {
  if (move_mount(mount, "", root, target, k_move_from_empty_path) < 0)
    refuse("mounting", target, errno);
  close(mount);
}

constexpr long k_open_tree_attr = 467;  // younger than our headers

int clone_tree(int directory, const char* path, uint64_t attributes) {
  const unsigned empty = *path == 0 ? k_at_empty_path : 0;
  const unsigned flags = k_open_tree_clone | k_at_recursive | O_CLOEXEC | empty;
  MountAttributes change{attributes, 0, k_propagation_private, 0};
  static bool both = true;  // in one call, since Linux 6.15
  if (both) {
    int tree =
        static_cast<int>(syscall(k_open_tree_attr, directory, path, flags, &change, sizeof change));
    if (tree >= 0) return tree;
    both = false;
  }
  int tree = open_tree(directory, path, flags);
  if (tree < 0) refuse("opening for a bind mount", path, errno);
  if (mount_setattr(tree, "", k_at_empty_path | k_at_recursive, change) < 0)
    refuse("setting mount flags", path, errno);
  return tree;
}

namespace {

void make_directory(int root, const char* target, unsigned mode) {
  if (mkdirat(root, target, mode) < 0 && errno != EEXIST) refuse("making", target, errno);
}

void make_file(int root, const char* target, const char* text) {
  int fd = openat(root, target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0) refuse("making", target, errno);
  size_t size = strlen(text);
  if (write(fd, text, size) != static_cast<ssize_t>(size)) refuse("writing", target, errno);
  close(fd);
}

// As root a node of our own, which spares a mount; in a user namespace that is not allowed. The
// agent itself may make none anywhere.
bool make_device(int root, const char* source, const char* target) {
  struct stat status;
  if (stat(source, &status) < 0) refuse("looking at", source, errno);
  return S_ISCHR(status.st_mode) &&
         mknodat(root, target, S_IFCHR | (status.st_mode & 0777), status.st_rdev) == 0;
}

bool exists(int root, const char* target) { return faccessat(root, target, F_OK, 0) == 0; }

// Of proc, where nothing but the kernel makes names.
void hide(int root, const char* target) {
  struct stat status;
  if (fstatat(root, target, &status, AT_SYMLINK_NOFOLLOW) < 0) {
    if (errno == ENOENT) return;
    refuse("looking at", target, errno);
  }
  if (S_ISDIR(status.st_mode)) return cover(root, target, 0);
  attach(clone_tree(root, "dev/null", k_mount_nosuid | k_mount_noexec | k_mount_rdonly), root,
         target);
}

char* decimal(uint64_t value, char (&buffer)[24]) {
  char* at = buffer + sizeof buffer;
  *--at = 0;
  do {
    *--at = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  return at;
}

void mount_tmpfs(int root, const char* target, uint64_t bytes) {
  char buffer[24];
  const char* options[] = {"mode", "1777", "nr_inodes", "65536", "size", decimal(bytes, buffer),
                           nullptr};
  if (bytes == 0) options[4] = nullptr;
  attach(make_file_system("tmpfs", k_plain, options), root, target);
}

int work_tree(Spec& spec) {
  if (spec.has(wire::k_one_shot)) receive_parts(spec);
  return spec.work_tree;
}

// Whether make_names() made a node of it.
bool is_device(int root, const char* target) {
  struct stat status;
  return fstatat(root, target, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(status.st_mode);
}

}  // namespace

void make_names(const Spec& spec, const wire::MountOp& op, int root) {
  const char* source = spec.string(op.source);
  const char* target = spec.string(op.target);
  switch (op.kind) {
    case wire::k_directory:
      return make_directory(root, target, static_cast<unsigned>(op.argument));
    case wire::k_symlink:
      if (symlinkat(source, root, target) < 0) refuse("linking", target, errno);
      return;
    case wire::k_text_file:
      return make_file(root, target, source);
    case wire::k_bind_file:
      return make_file(root, target, "");
    case wire::k_device:
      if (!make_device(root, source, target)) make_file(root, target, "");
      return;
    case wire::k_bind_dir:
    case wire::k_work:
    case wire::k_devpts:
      return make_directory(root, target, 0755);
    case wire::k_tmpfs:
      return make_directory(root, target, 01777);
    case wire::k_proc:
      return make_directory(root, target, 0555);
    case wire::k_secret:
      return make_secret(spec, op, root);
    default:
      return;
  }
}

void mount_on(Spec& spec, const wire::MountOp& op, int root) {
  const char* source = spec.string(op.source);
  const char* target = spec.string(op.target);
  static const char* const no_options[] = {nullptr};
  static const char* const devpts_options[] = {"newinstance", "",     "ptmxmode", "0666",
                                               "mode",        "0620", nullptr};
  switch (op.kind) {
    case wire::k_directory:
    case wire::k_symlink:
    case wire::k_text_file:
    case wire::k_secret:
    case wire::k_variable:
    case wire::k_default_variable:
      return;
    case wire::k_bind_dir:
    case wire::k_bind_file:
      return attach(clone_tree(AT_FDCWD, source, k_plain | k_mount_rdonly), root, target);
    case wire::k_device:
      if (is_device(root, target)) return;
      return attach(clone_tree(AT_FDCWD, source, k_mount_nosuid | k_mount_noexec), root, target);
    case wire::k_work:
      return attach(work_tree(spec), root, target);
    case wire::k_tmpfs:
      return mount_tmpfs(root, target, op.argument);
    case wire::k_proc:
      return attach(make_file_system("proc", k_plain | k_mount_noexec, no_options), root, target);
    case wire::k_devpts:
      return attach(make_file_system("devpts", k_mount_nosuid | k_mount_noexec, devpts_options + 2),
                    root, target);
    case wire::k_read_only:
      if (exists(root, target))
        attach(clone_tree(root, target, k_plain | k_mount_noexec | k_mount_rdonly), root, target);
      return;
    case wire::k_hide:
      return hide(root, target);
    default:
      if (!apply_path(spec, op, root)) refuse("reading the spec", "unknown mount", EPROTO);
  }
}

namespace {

// Level process: what is in the root is all there is, and none of it can be changed.
void fill_root(Spec& spec, int root) {
  for (uint32_t i = 0; i < spec.head->mount_count; ++i) {
    make_names(spec, spec.mounts[i], root);
    mount_on(spec, spec.mounts[i], root);
  }
  MountAttributes read_only{k_mount_rdonly, 0, 0, 0};
  if (mount_setattr(root, "", k_at_empty_path, read_only) < 0)
    refuse("making the new root read-only", "", errno);
}

}  // namespace

void build_root(Spec& spec) {
  MountAttributes detach{0, 0, k_propagation_private, 0};
  if (mount_setattr(AT_FDCWD, "/", k_at_recursive, detach) < 0)
    refuse("making mounts private", "/", errno);
  // Before anything covers /tmp, where they may be.
  if (!spec.has(wire::k_work_tree) && *spec.string(spec.head->work_dir) != 0)
    spec.work_tree = clone_tree(AT_FDCWD, spec.string(spec.head->work_dir), k_plain);
  open_trees(spec);
  if (spec.has(wire::k_container)) open_layers(spec);
  const char* options[] = {"mode", "0755", "size", "1048576", "nr_inodes", "1024", nullptr};
  int root = make_file_system("tmpfs", k_mount_nosuid, options);  // /dev is in it
  if (move_mount(root, "", AT_FDCWD, "/tmp", k_move_from_empty_path) < 0)
    refuse("mounting the new root on", "/tmp", errno);
  if (spec.has(wire::k_container))
    root = build_container(spec, root);
  else
    fill_root(spec, root);
  // pivot_root(".", "."): the old root ends up on top of the new one, and is then detached.
  if (fchdir(root) < 0) refuse("entering the new root", "", errno);
  if (syscall(SYS_pivot_root, ".", ".") < 0) refuse("pivot_root", "", errno);
  if (umount2(".", MNT_DETACH) < 0) refuse("detaching the old root", "", errno);
  close(root);
  forget_secrets(spec);
  const char* start = spec.string(spec.head->container.start_dir);
  if (*start == 0) start = "/work";
  if (chdir(start) < 0) refuse("entering the work directory", start, errno);
}

}  // namespace fabric::init
