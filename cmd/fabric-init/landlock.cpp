// SPDX-License-Identifier: Apache-2.0
// Landlock, as a second wall behind the mount namespace: if a mount were ever missed or a
// descriptor leaked, writing still happens only where the agent may write. Never the network
// boundary: MPTCP and TCP Fast Open pass its port rules, and UDP it does not know.
#include <sys/stat.h>

#include "build.hpp"
#include "paths.hpp"
#include "sys.hpp"

namespace fabric::init {

namespace {

constexpr uint64_t k_refer = 1 << 13;
constexpr uint64_t k_of_files = wire::k_allow_execute | wire::k_allow_write | wire::k_allow_read |
                                wire::k_allow_truncate | wire::k_allow_ioctl;
constexpr uint64_t k_scope_abstract_unix = 1, k_scope_signal = 2;

struct RulesetAttributes {
  uint64_t files, network, scope;
};
struct __attribute__((packed)) PathRule {
  uint64_t allowed;
  int32_t parent;
};

uint64_t known_rights(int abi) {
  uint64_t rights = (1 << 13) - 1;
  if (abi >= 2) rights |= 1 << 13;  // rename and link across directories
  if (abi >= 3) rights |= wire::k_allow_truncate;
  if (abi >= 5) rights |= wire::k_allow_ioctl;
  return rights;
}

void allow(int ruleset, int root, const char* path, uint64_t rights) {
  int fd = *path == 0 ? dup(root) : open_beneath(root, path, O_PATH);
  struct stat status;
  if (fd < 0 && (rights & wire::k_allow_if_there) != 0) return;
  rights &= ~uint64_t{wire::k_allow_if_there};
  if (fd < 0 || fstat(fd, &status) < 0) refuse("opening for Landlock", path, errno);
  if (!S_ISDIR(status.st_mode)) rights &= k_of_files;
  PathRule rule{rights, fd};
  if (rights != 0 && syscall(SYS_landlock_add_rule, ruleset, 1, &rule, 0) < 0)
    refuse("adding a Landlock rule", path, errno);
  close(fd);
}

// A file of the host that the command was given as standard input or output may be opened again,
// by the names of /dev and /proc, for what it is open for already. Never a directory: a rule for
// one holds for all that is in it. Pipes need no rule, and files in no mount cannot have one.
void allow_again(int ruleset, int fd, uint64_t known) {
  struct stat status;
  const int flags = fcntl(fd, F_GETFL);
  if (fd < 0 || flags < 0 || (flags & O_PATH) != 0 || fstat(fd, &status) < 0) return;
  if (!S_ISREG(status.st_mode) && !S_ISCHR(status.st_mode)) return;
  const int mode = flags & O_ACCMODE;
  uint64_t rights = S_ISCHR(status.st_mode) ? uint64_t{wire::k_allow_ioctl} : 0;
  if (mode != O_WRONLY) rights |= wire::k_allow_read;
  if (mode != O_RDONLY) rights |= wire::k_allow_write | wire::k_allow_truncate;
  PathRule rule{rights & known, fd};
  syscall(SYS_landlock_add_rule, ruleset, 1, &rule, 0);
}

}  // namespace

int restrict_files(const Spec& spec) {
  long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, 1);
  if (abi < k_landlock_serves) return 0;
  const uint64_t all = known_rights(static_cast<int>(abi));
  RulesetAttributes attributes{all, 0, abi >= 6 ? k_scope_abstract_unix | k_scope_signal : 0};
  // An older kernel refuses a size that it does not know.
  size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
  int ruleset = static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, size, 0));
  if (ruleset < 0) refuse("making a Landlock ruleset", "", errno);
  int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) refuse("opening for Landlock", "/", errno);
  for (uint32_t i = 0; i < spec.head->mount_count; ++i) {
    const wire::MountOp& op = spec.mounts[i];
    if (op.kind == wire::k_allow)
      allow(ruleset, root, spec.string(op.target), op.argument & (all | wire::k_allow_if_there));
  }
  close(root);
  for (int fd : spec.standard) allow_again(ruleset, fd, all);
  if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
    refuse("entering the Landlock domain", "", errno);
  close(ruleset);
  for (int fd : spec.standard)
    if (fd >= 0) close(fd);
  return static_cast<int>(abi);
}

int make_attempt_domain() {
  long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, 1);
  if (abi < 2) return -1;
  // A ruleset has to handle something, and whatever it handles or not, it forbids renames across
  // directories (landlock(7)): so it handles those, and allows them everywhere.
  RulesetAttributes attributes{k_refer, 0, abi >= 6 ? k_scope_signal : 0};
  size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
  int ruleset = static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, size, 0));
  if (ruleset < 0) refuse("making a Landlock ruleset", "for attempts", errno);
  int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) refuse("opening for Landlock", "/", errno);
  allow(ruleset, root, "", k_refer);
  close(root);
  return ruleset;
}

bool enter_attempt_domain(int ruleset) {
  return ruleset < 0 || syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
}

}  // namespace fabric::init
