// SPDX-License-Identifier: Apache-2.0
#include "isolation/cgroup_file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

namespace fabric {

Status write_control(const Fd& directory, const std::string& path, std::string_view text) {
  Fd file = TRY(in_context(open_at(directory, path, O_WRONLY), "cgroup"));
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return fail_errno(errno, "cgroup: writing " + std::string(text) + " to " + path);
  return {};
}

Result<std::string> read_control(const Fd& directory, const std::string& path) {
  Fd file = TRY(in_context(open_at(directory, path, O_RDONLY), "cgroup"));
  return in_context(read_all(file.get(), size_t{1} << 20), "cgroup: " + path);
}

Result<uint64_t> read_number(const Fd& directory, const std::string& path) {
  std::string text = TRY(read_control(directory, path));
  uint64_t value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{})
    return fail(ErrorCode::failed, "cgroup: " + path + " is not a number");
  return value;
}

uint64_t flat_field(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() < text.size() ? line.size() + 1 : text.size());
    if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != ' ') continue;
    uint64_t value = 0;
    std::from_chars(line.data() + key.size() + 1, line.data() + line.size(), value);
    return value;
  }
  return 0;
}

Status make_group(const Fd& directory, const std::string& path) {
  if (::mkdirat(directory.get(), path.c_str(), 0755) == 0) return {};
  return fail_errno(errno, "making cgroup " + path);
}

Result<Fd> open_group(const Fd& directory, const std::string& path) {
  return in_context(open_at(directory, path, O_RDONLY | O_DIRECTORY), "cgroup");
}

std::vector<std::string> child_groups(const Fd& directory, const std::string& path) {
  std::vector<std::string> names;
  int fd = ::openat(directory.get(), path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return names;
  DIR* stream = ::fdopendir(fd);
  if (stream == nullptr) {
    ::close(fd);
    return names;
  }
  while (const dirent* entry = ::readdir(stream))
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  ::closedir(stream);
  return names;
}

}  // namespace fabric
