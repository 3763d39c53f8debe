// SPDX-License-Identifier: Apache-2.0
// System calls and constants that musl has no wrappers for, and the C headers that all files use.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace fabric::init {

inline int open_tree(int directory, const char* path, unsigned flags) {
  return static_cast<int>(syscall(SYS_open_tree, directory, path, flags));
}
inline int move_mount(int from, const char* from_path, int to, const char* to_path,
                      unsigned flags) {
  return static_cast<int>(syscall(SYS_move_mount, from, from_path, to, to_path, flags));
}
inline int fsopen(const char* type, unsigned flags) {
  return static_cast<int>(syscall(SYS_fsopen, type, flags));
}
inline int fsconfig(int fs, unsigned command, const char* key, const void* value, int aux) {
  return static_cast<int>(syscall(SYS_fsconfig, fs, command, key, value, aux));
}
inline int fsmount(int fs, unsigned flags, unsigned attributes) {
  return static_cast<int>(syscall(SYS_fsmount, fs, flags, attributes));
}
struct MountAttributes {
  uint64_t set, clear, propagation, userns_fd;
};
inline int mount_setattr(int directory, const char* path, unsigned flags,
                         const MountAttributes& attributes) {
  return static_cast<int>(
      syscall(SYS_mount_setattr, directory, path, flags, &attributes, sizeof attributes));
}

constexpr unsigned k_open_tree_clone = 1;
constexpr unsigned k_at_recursive = 0x8000;
constexpr unsigned k_at_empty_path = 0x1000;
constexpr unsigned k_move_from_empty_path = 4;
constexpr unsigned k_fsconfig_string = 1;
constexpr unsigned k_fsconfig_create = 6;
constexpr uint64_t k_mount_rdonly = 1;
constexpr uint64_t k_mount_nosuid = 2;
constexpr uint64_t k_mount_nodev = 4;
constexpr uint64_t k_mount_noexec = 8;
constexpr uint64_t k_propagation_private = 1 << 18;

// Fails a stage of the construction: told to the supervisor, then the process ends.
[[noreturn]] void refuse(const char* stage, const char* detail, int error_number);

}  // namespace fabric::init
