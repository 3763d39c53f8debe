// SPDX-License-Identifier: Apache-2.0
#include "isolation/disk_usage.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <unordered_set>

#include "base/fd.hpp"

namespace fabric {

namespace {

constexpr uint64_t k_least = 1024;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

// A directory that is being read. One that its owner closed to himself is open to him meanwhile:
// what is hidden in it counts. (Its entries are looked up in it, for which an open descriptor is
// not enough.)
class Reading {
 public:
  Reading(int parent, const char* name) {
    int fd = ::openat(parent, name, k_flags);
    if (fd < 0 && errno == EACCES) fd = open_closed(parent, name);
    if (fd >= 0) stream_.reset(::fdopendir(fd));
    if (fd >= 0 && !stream_) ::close(fd);
  }
  Reading(Reading&&) = default;
  Reading& operator=(Reading&&) = delete;
  ~Reading() {
    if (path_ && ::chmod(itself().c_str(), mode_) != 0) return;  // gone, or no longer ours
  }

  explicit operator bool() const { return stream_ != nullptr; }
  [[nodiscard]] DIR* stream() const { return stream_.get(); }
  [[nodiscard]] int fd() const { return ::dirfd(stream_.get()); }

 private:
  static constexpr int k_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  // By the descriptor: the name may be something else by now.
  [[nodiscard]] std::string itself() const {
    return "/proc/self/fd/" + std::to_string(path_.get());
  }
  int open_closed(int parent, const char* name) {
    path_ = Fd(::openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat status {};
    if (!path_ || ::fstat(path_.get(), &status) != 0) return -1;
    mode_ = status.st_mode & 07777;
    if (::chmod(itself().c_str(), mode_ | S_IRUSR | S_IXUSR) != 0) return -1;
    return ::open(itself().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  }

  Directory stream_;
  Fd path_;
  mode_t mode_ = 0;
};

class Measurement {
 public:
  explicit Measurement(dev_t device) : device_(device) {}

  // Depth first, so that no more directories are open than it is deep.
  void add_tree(Reading root) {
    std::vector<Reading> open;
    open.push_back(std::move(root));
    while (!open.empty()) {
      const dirent* entry = ::readdir(open.back().stream());
      if (entry == nullptr) {
        open.pop_back();
        continue;
      }
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      const int parent = open.back().fd();
      struct stat status {};
      if (::fstatat(parent, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
      if (status.st_dev != device_) continue;
      add(status);
      if (!S_ISDIR(status.st_mode)) continue;
      if (open.size() >= k_deepest_directory)
        usage.too_deep = true;
      else if (Reading child(parent, entry->d_name); child)
        open.push_back(std::move(child));
    }
  }

  // Files that have no name any more.
  void add_open_files(pid_t pid) {
    const std::string path = "/proc/" + std::to_string(pid) + "/fd";
    const Directory directory(::opendir(path.c_str()));
    if (!directory) return;
    while (const dirent* entry = ::readdir(directory.get())) {
      struct stat status {};
      if (::fstatat(::dirfd(directory.get()), entry->d_name, &status, 0) != 0) continue;
      if (status.st_nlink == 0 && status.st_dev == device_ && S_ISREG(status.st_mode) &&
          seen_.insert(status.st_ino).second)
        count(status);
    }
  }

  DiskUsage usage;

 private:
  void add(const struct stat& status) {
    // One file with several names is counted once.
    if (S_ISDIR(status.st_mode) || status.st_nlink < 2 || seen_.insert(status.st_ino).second)
      count(status);
  }
  void count(const struct stat& status) {
    usage.bytes += std::max(static_cast<uint64_t>(status.st_blocks) * 512, k_least);
    ++usage.files;
  }

  dev_t device_;
  std::unordered_set<ino_t> seen_;
};

}  // namespace

Result<DiskUsage> measure_directory(const std::string& path, const std::vector<pid_t>& processes) {
  Reading root(AT_FDCWD, path.c_str());
  struct stat status {};
  if (!root || ::fstat(root.fd(), &status) != 0) return fail_errno(errno, path);
  Measurement measurement(status.st_dev);
  measurement.add_tree(std::move(root));
  for (const pid_t pid : processes) measurement.add_open_files(pid);
  return measurement.usage;
}

}  // namespace fabric
