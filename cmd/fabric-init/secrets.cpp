// SPDX-License-Identifier: Apache-2.0
// Secrets. A file of one lies in the tmpfs that is the root, so it is only ever in memory; it is
// the agent's own and read-only. Afterwards this process forgets the bytes: nobody may read its
// memory (it is not dumpable), and it need not be worth reading.
#include <sys/stat.h>

#include "build.hpp"
#include "sys.hpp"

namespace fabric::init {

namespace {

// The directories above `target`; those that are there stay as they are.
void make_parents(int root, const char* target) {
  char path[256];
  const size_t size = strlen(target);
  if (size >= sizeof path) refuse("making", target, ENAMETOOLONG);
  memcpy(path, target, size + 1);
  for (char* at = strchr(path, '/'); at != nullptr; at = strchr(at + 1, '/')) {
    *at = 0;
    if (mkdirat(root, path, 0755) < 0 && errno != EEXIST) refuse("making", path, errno);
    *at = '/';
  }
}

}  // namespace

void make_secret(const Spec& spec, const wire::MountOp& op, int root) {
  const char* target = spec.string(op.target);
  make_parents(root, target);
  int fd = openat(root, target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
  if (fd < 0) refuse("making the secret", target, errno);
  if (write(fd, spec.string(op.source), op.argument) != static_cast<ssize_t>(op.argument))
    refuse("writing the secret", target, errno);
  if (spec.has(wire::k_change_user) && fchown(fd, spec.head->uid, spec.head->gid) < 0)
    refuse("giving the agent the secret", target, errno);
  close(fd);
}

void forget_secrets(const Spec& spec) {
  for (uint32_t i = 0; i < spec.head->mount_count; ++i) {
    const wire::MountOp& op = spec.mounts[i];
    if (op.kind == wire::k_secret)
      explicit_bzero(const_cast<char*>(spec.string(op.source)), op.argument);
  }
}

}  // namespace fabric::init
