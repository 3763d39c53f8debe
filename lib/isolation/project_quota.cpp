// SPDX-License-Identifier: Apache-2.0
#include "isolation/project_quota.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>

#include "base/fd.hpp"
#include "isolation/disk_usage.hpp"

namespace fabric {

namespace {

// Ours are these: away from what people write into /etc/projects, which counts up from 1.
constexpr uint32_t k_first_project = 0x46000000, k_projects = 0x01000000;

int quota_call(const Fd& directory, uint32_t command, uint32_t project, void* data) {
  return static_cast<int>(
      ::syscall(SYS_quotactl_fd, directory.get(), QCMD(command, PRJQUOTA), project, data));
}

// Counted is not enough: ext4 counts with the feature, and enforces with the mount option only.
bool enforced(const Fd& directory) {
  fs_quota_statv state{};
  state.qs_version = FS_QSTATV_VERSION1;
  return quota_call(directory, Q_XGETQSTATV, 0, &state) == 0 &&
         (state.qs_flags & FS_QUOTA_PDQ_ENFD) != 0;
}

bool ours(uint32_t project) {
  return project >= k_first_project && project - k_first_project < k_projects;
}

// 0: none of ours.
uint32_t project_of(const Fd& directory) {
  fsxattr attributes{};
  if (::ioctl(directory.get(), FS_IOC_FSGETXATTR, &attributes) != 0) return 0;
  const bool inherited = (attributes.fsx_xflags & FS_XFLAG_PROJINHERIT) != 0;
  return inherited && ours(attributes.fsx_projid) ? attributes.fsx_projid : 0;
}

Result<uint32_t> unused_project(const Fd& directory, const std::string& path) {
  const auto start = static_cast<uint32_t>(std::hash<std::string>{}(path) % k_projects);
  for (uint32_t i = 0; i < 1000; ++i) {
    const uint32_t project = k_first_project + (start + i) % k_projects;
    if_dqblk quota{};
    if (quota_call(directory, Q_GETQUOTA, project, &quota) != 0 && errno != ENOENT)
      return fail_errno(errno, "asking for a quota of " + path);
    if (quota.dqb_curspace == 0 && quota.dqb_curinodes == 0) return project;
  }
  return fail(ErrorCode::failed, "no project is free for the quota of " + path);
}

Status put_into(const Fd& file, uint32_t project, const std::string& path) {
  fsxattr attributes{};
  if (::ioctl(file.get(), FS_IOC_FSGETXATTR, &attributes) == 0) {
    attributes.fsx_projid = project;
    struct stat status {};
    if (::fstat(file.get(), &status) == 0 && S_ISDIR(status.st_mode))
      attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
    if (::ioctl(file.get(), FS_IOC_FSSETXATTR, &attributes) == 0) return {};
  }
  return fail_errno(errno, "giving a project to " + path);
}

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

// What is there already. The agent does not run yet, or not in this sandbox.
Status put_tree_into(const Fd& directory, uint32_t project, const std::string& path, size_t depth) {
  if (depth > k_deepest_directory)
    return fail(ErrorCode::failed, path + ": directories are nested too deep for a quota");
  const Fd copy = TRY(directory.duplicate());
  Fd again = TRY(open_at(copy, ".", O_RDONLY | O_DIRECTORY));
  const std::unique_ptr<DIR, CloseDirectory> stream(::fdopendir(again.get()));
  if (!stream) return fail_errno(errno, path);
  again.release();
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct stat status {};
    if (::fstatat(directory.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) continue;  // these hold nothing
    const Fd file = TRY(open_at(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    TRY_STATUS(put_into(file, project, path + "/" + name));
    if (S_ISDIR(status.st_mode))
      TRY_STATUS(put_tree_into(file, project, path + "/" + name, depth + 1));
  }
  return {};
}

// In blocks of 1 KiB; and a file for each, as what is watched counts one.
Status set_limit(const Fd& directory, uint32_t project, uint64_t bytes, const std::string& path) {
  if_dqblk quota{};
  quota.dqb_bhardlimit = quota.dqb_bsoftlimit = bytes / 1024;
  quota.dqb_ihardlimit = quota.dqb_isoftlimit = bytes / 1024;
  quota.dqb_valid = QIF_LIMITS;
  if (quota_call(directory, Q_SETQUOTA, project, &quota) != 0)
    return fail_errno(errno, "setting the quota of " + path);
  return {};
}

}  // namespace

Result<bool> set_project_quota(const std::string& path, uint64_t limit_bytes) {
  if (::geteuid() != 0) return false;
  const Fd directory = TRY(open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (!enforced(directory)) return false;
  uint32_t project = project_of(directory);
  if (project == 0) {
    project = TRY(unused_project(directory, path));
    TRY_STATUS(put_into(directory, project, path));
    TRY_STATUS(put_tree_into(directory, project, path, 0));
  }
  TRY_STATUS(set_limit(directory, project, limit_bytes, path));
  if_dqblk quota{};
  if (quota_call(directory, Q_GETQUOTA, project, &quota) != 0 ||
      quota.dqb_bhardlimit != limit_bytes / 1024)
    return fail(ErrorCode::failed, "a limit is not in force: the quota of " + path);
  return true;
}

void lift_project_quota(const std::string& path) {
  if (::geteuid() != 0) return;
  const Fd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return;
  const uint32_t project = project_of(directory);
  if (project != 0) (void)set_limit(directory, project, 0, path);
}

std::optional<uint64_t> project_usage(const std::string& path) {
  const Fd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return std::nullopt;
  const uint32_t project = project_of(directory);
  if_dqblk quota{};
  if (project == 0 || quota_call(directory, Q_GETQUOTA, project, &quota) != 0) return std::nullopt;
  return quota.dqb_curspace;
}

}  // namespace fabric
