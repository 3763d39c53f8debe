// SPDX-License-Identifier: Apache-2.0
#include "isolation/tree_walk.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>

#include "isolation/host_path.hpp"

namespace fabric {

namespace {

constexpr size_t k_most_entries = 2'000'000;

}  // namespace

std::vector<TreeEntry> entries_of(Fd directory) {
  std::vector<TreeEntry> entries;
  DIR* stream = ::fdopendir(directory.get());
  if (stream == nullptr) return entries;
  directory.release();
  const std::unique_ptr<DIR, int (*)(DIR*)> closing(stream, ::closedir);
  while (const dirent* entry = ::readdir(stream)) {
    std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    unsigned char type = entry->d_type;
    if (type == DT_UNKNOWN) {
      struct stat status {};
      if (::fstatat(::dirfd(stream), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
      type = static_cast<unsigned char>(IFTODT(status.st_mode));
    }
    entries.push_back({std::move(name), type == DT_DIR, type == DT_LNK});
  }
  return entries;
}

namespace {

// The first directory on the way to `at`, itself included, that is ours and closed to us: an agent
// with our uid can have closed it, and can open it again.
std::optional<std::string> closed_on_the_way(const Fd& root, const std::string& at) {
  constexpr mode_t k_needed = S_IRUSR | S_IXUSR;
  for (size_t end = 0;; end = std::min(at.find('/', end + 1), at.size())) {
    const std::string path = at.substr(0, end);
    auto directory = open_beneath(root, path, O_PATH | O_DIRECTORY);
    struct stat status {};
    if (!directory || ::fstat(directory->get(), &status) != 0) return std::nullopt;
    if (status.st_uid == ::geteuid() && (status.st_mode & k_needed) != k_needed) return path;
    if (end == at.size()) return std::nullopt;
  }
}

}  // namespace

Status walk_tree(const Fd& root, const std::string& start, const TreeVisitor& visit,
                 const ClosedVisitor& closed) {
  std::vector<std::string> waiting{start};
  size_t seen = 0;
  while (!waiting.empty()) {
    const std::string at = std::move(waiting.back());
    waiting.pop_back();
    auto directory = open_beneath(root, at, O_RDONLY | O_DIRECTORY);
    if (!directory && errno == EACCES)
      if (const auto place = closed_on_the_way(root, at)) TRY_STATUS(closed(*place));
    if (!directory) continue;
    std::vector<TreeEntry> entries = entries_of(std::move(*directory));
    seen += entries.size();
    if (seen > k_most_entries)
      return fail(ErrorCode::usage, "more than two million files to look through",
                  "give the agent a smaller directory, or --no-protect-git and no patterns");
    TRY_STATUS(visit(at, entries));
    for (const TreeEntry& entry : entries)
      if (entry.directory) waiting.push_back(at.empty() ? entry.name : at + "/" + entry.name);
  }
  return {};
}

}  // namespace fabric
