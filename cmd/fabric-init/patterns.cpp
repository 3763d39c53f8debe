// SPDX-License-Identifier: Apache-2.0
// Rules with patterns, looked at again: what has appeared since the sandbox was made. The same walk
// as the supervisor's (lib/isolation/path_plan.cpp), so that what it has covered is found covered.
#include <dirent.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "build.hpp"
#include "paths.hpp"

namespace fabric::init {

namespace {

constexpr unsigned k_mount_root = 0x2000;  // STATX_ATTR_MOUNT_ROOT
constexpr long k_read_only = 1;            // ST_RDONLY
// What an agent fills its directory with must not keep its next task from starting.
constexpr unsigned k_most_names = 200000, k_deepest = 64;

// struct linux_dirent64 of getdents64(2).
struct Entry {
  uint64_t inode;
  int64_t offset;
  unsigned short size;
  unsigned char type;
  char name[];
};

struct Walk {
  const char* pattern;
  bool hide;
  unsigned left;
  char path[4096];
};

const char* next_part(const char* at) { return strchrnul(at + 1, '/'); }  // `at` is at a slash

bool is_any_depth(const char* at) {
  return at[0] == '/' && at[1] == '*' && at[2] == '*' && (at[3] == '/' || at[3] == 0);
}

bool part_matches(const char* p, const char* p_end, const char* t, const char* t_end) {
  const char *star = nullptr, *resume = nullptr;
  while (t < t_end) {
    if (p < p_end && *p == '*') {
      star = p++;
      resume = t;
    } else if (p < p_end && (*p == '?' || *p == *t)) {
      ++p;
      ++t;
    } else if (star != nullptr) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < p_end && *p == '*') ++p;
  return p == p_end;
}

// matches_pattern() of lib/isolation/path_glob.cpp.
bool matches(const char* p, const char* t) {
  const char *stars = nullptr, *resume = nullptr;
  while (*t != 0) {
    if (is_any_depth(p)) {
      stars = p;
      p = next_part(p);
      resume = t;
    } else if (*p != 0 && part_matches(p + 1, next_part(p), t + 1, next_part(t))) {
      p = next_part(p);
      t = next_part(t);
    } else if (stars != nullptr) {
      p = next_part(stars);
      t = resume = next_part(resume);
    } else {
      return false;
    }
  }
  while (is_any_depth(p)) p = next_part(p);
  return *p == 0;
}

bool is_protected(const Walk& walk) {
  uint64_t status[32] = {};  // struct statx; its second word is stx_attributes
  if (syscall(SYS_statx, AT_FDCWD, walk.path, AT_SYMLINK_NOFOLLOW, 0, status) < 0) return true;
  if ((status[1] & k_mount_root) != 0) return true;
  struct statfs where;
  return !walk.hide && statfs(walk.path, &where) == 0 && (where.f_flags & k_read_only) != 0;
}

// Whether all matches beneath walk.path, of which `directory` is the descriptor, are protected.
// Else walk.path is the one that is not.
bool all_protected(Walk& walk, int directory, unsigned depth) {
  const size_t length = strlen(walk.path);
  alignas(8) char buffer[2048];
  long size;
  while ((size = syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0) {
    for (long at = 0; at < size;) {
      const Entry* entry = reinterpret_cast<const Entry*>(buffer + at);
      at += entry->size;
      if (strcmp(entry->name, ".") == 0 || strcmp(entry->name, "..") == 0) continue;
      if (walk.left == 0 || entry->type == DT_LNK) continue;
      --walk.left;
      const size_t name = strlen(entry->name);
      if (length + name + 2 > sizeof walk.path) continue;
      walk.path[length] = '/';
      memcpy(walk.path + length + 1, entry->name, name + 1);
      bool fine = true;
      if (matches(walk.pattern, walk.path)) {
        fine = is_protected(walk);
      } else if ((entry->type == DT_DIR || entry->type == DT_UNKNOWN) && depth < k_deepest) {
        const int below =
            openat(directory, entry->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below >= 0) {
          fine = all_protected(walk, below, depth + 1);
          close(below);
        }
      }
      if (!fine) return false;
      walk.path[length] = 0;
    }
  }
  return true;
}

}  // namespace

bool patterns_hold(const Spec& spec) {
  static Walk walk;  // one thread
  for (uint32_t i = 0; i < spec.head->mount_count; ++i) {
    const wire::MountOp& op = spec.mounts[i];
    if (op.kind != wire::k_pattern) continue;
    const char* start = spec.string(op.source);
    if (strlen(start) + 1 > sizeof walk.path) continue;
    walk.pattern = spec.string(op.target);
    walk.hide = (op.argument & wire::k_pattern_hides) != 0;
    walk.left = k_most_names;
    strcpy(walk.path, start);
    const int directory = open(start, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0) continue;
    const bool fine = all_protected(walk, directory, 0);
    close(directory);
    if (!fine) return false;
  }
  return true;
}

}  // namespace fabric::init
