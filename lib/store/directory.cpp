// SPDX-License-Identifier: Apache-2.0
#include "store/directory.hpp"

#include <fcntl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace fabric::store {
namespace {

Status make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0)
    return errno == EEXIST ? Status{} : Status(fail_errno(errno, path));
  std::filesystem::path parent = std::filesystem::path(path).parent_path();
  Fd up = TRY(open_file(parent.empty() ? "." : parent.string(), O_RDONLY | O_DIRECTORY));
  return sync_directory(up);
}

}  // namespace

const char* network_file_system(long type) {
  switch (static_cast<unsigned long>(type) & 0xffffffffUL) {
    case 0x6969:
      return "NFS";
    case 0x517B:
      return "SMB";
    case 0xFF534D42:
      return "CIFS";
    case 0xFE534D42:
      return "SMB2";
    case 0x01021997:
      return "9p";
    case 0x5346414F:
      return "AFS";
    case 0x6B414653:
      return "AFS";
    case 0x73757245:
      return "Coda";
    case 0x00C36400:
      return "Ceph";
    case 0x0BD00BD0:
      return "Lustre";
    case 0x01161970:
      return "GFS2";
    case 0x7461636F:
      return "OCFS2";
    case 0x47504653:
      return "GPFS";
    case 0x19830326:
      return "BeeGFS";
    case 0x786F4256:
      return "a VirtualBox shared folder";
    case 0x65735546:
      return "FUSE";  // sshfs, virtiofs, s3fs: its memory maps need not be coherent
    default:
      return nullptr;
  }
}

Result<Fd> open_store_directory(const std::string& path, bool create) {
  if (create) TRY_STATUS(make_directory(path));
  int raw = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (raw < 0 && errno == ENOENT)
    return fail(ErrorCode::not_found, path + ": there is no store", "run 'fabric init'");
  if (raw < 0 && (errno == ELOOP || errno == ENOTDIR))
    return fail(ErrorCode::denied, path + ": is not a directory of its own (a symbolic link?)",
                "move the real directory there");
  if (raw < 0) return fail_errno(errno, path);
  Fd directory(raw);
  struct stat info {};
  if (::fstat(raw, &info) != 0) return fail_errno(errno, path);
  if ((info.st_mode & 022) != 0)
    return fail(ErrorCode::denied, path + ": others may write there", "chmod 700 " + path);
  struct statfs system {};
  if (::fstatfs(raw, &system) != 0) return fail_errno(errno, path);
  if (const char* name = network_file_system(static_cast<long>(system.f_type)))
    return fail(ErrorCode::unavailable,
                path + ": is on " + name + ", where locks and memory maps of several machines " +
                    "do not agree",
                "keep the workspace on a local file system");
  return directory;
}

Result<std::optional<struct stat>> stat_plain_file(const Fd& directory, const std::string& name) {
  struct stat info {};
  if (::fstatat(directory.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return std::optional<struct stat>{};
    return fail_errno(errno, name);
  }
  if (!S_ISREG(info.st_mode) || info.st_nlink != 1)
    return fail(ErrorCode::denied, name + ": is not a plain file with one name");
  return std::optional<struct stat>(info);
}

Status sync_directory(const Fd& directory) {
  if (::fsync(directory.get()) != 0) return fail_errno(errno, "syncing a directory");
  return {};
}

std::string path_of(const Fd& directory) {
  return "/proc/self/fd/" + std::to_string(directory.get());
}

}  // namespace fabric::store
