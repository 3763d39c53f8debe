// SPDX-License-Identifier: Apache-2.0
// Mounts on paths that agents write on: reached by descriptor, no link followed, never out of the
// new root. And what of root.cpp they are made with.
#pragma once

#include "spec.hpp"
#include "sys.hpp"

namespace fabric::init {

constexpr uint64_t k_plain = k_mount_nosuid | k_mount_nodev;

// root.cpp. A detached mount; `options` are name, value pairs up to a null pointer.
int make_file_system(const char* type, uint64_t attributes, const char* const* options);
// A detached clone of what is at `path`, or of `directory` itself when it is "".
int clone_tree(int directory, const char* path, uint64_t attributes);

void attach(int mount, int root, const char* target);
// A step, in two: the names and files that it needs below `root`, then what is mounted on them.
void make_names(const Spec& spec, const wire::MountOp& op, int root);
void mount_on(Spec& spec, const wire::MountOp& op, int root);

// openat2(2) beneath `root`, without links. -1 and errno.
int open_beneath(int root, const char* path, int flags);
// Mounts on what `place` is, and closes both.
void attach_at(int mount, int place, const char* target);
// Where files of our own are made: the new root, or at level container what lies beneath it.
void set_own_files(int directory);
// Nothing of `target` can be seen any more. flags: k_if_exists, k_cover_open.
void cover(int root, const char* target, uint64_t flags);
// The trees of the host, while the host's files are still what paths name.
void open_trees(const Spec& spec);
// Carries out the kinds from k_tree on; false for one that it does not know.
bool apply_path(const Spec& spec, const wire::MountOp& op, int root);
// A target that is hidden or protected no more, or null. The kernel removes a mount together with
// the name that it is on, and outside of the sandbox that name can be renamed over (git config).
const char* lost_protection(const Spec& spec);
// patterns.cpp: whether all that the rules with patterns match by now is hidden or protected.
bool patterns_hold(const Spec& spec);

}  // namespace fabric::init
