// SPDX-License-Identifier: Apache-2.0
#include "supervisor/log_files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <string>

#include "base/id.hpp"

namespace fabric {
namespace {

// A file younger than this may belong to a task whose claim this reader does not see yet.
constexpr int64_t k_young_seconds = 3600;

struct LogFile {
  std::string agent, name, task;
  uint32_t attempt = 0;
  uint64_t bytes = 0;
  int64_t changed = 0;  // seconds
};

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

// TASK.ATTEMPT.out; ids have dots too.
bool parse_name(LogFile& file) {
  std::string_view name = file.name;
  if (!name.ends_with(".out") && !name.ends_with(".err")) return false;
  name.remove_suffix(4);
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return false;
  const char* end = name.data() + name.size();
  const auto [at, error] = std::from_chars(name.data() + dot + 1, end, file.attempt);
  file.task = name.substr(0, dot);
  return error == std::errc{} && at == end && is_valid_id(file.task);
}

void list_files(const std::string& logs, const std::string& agent, std::vector<LogFile>& out) {
  const Directory directory(::opendir((logs + "/" + agent).c_str()));
  if (!directory) return;
  while (const dirent* entry = ::readdir(directory.get())) {
    LogFile file;
    file.agent = agent;
    file.name = entry->d_name;
    struct stat info {};
    if (!parse_name(file) ||
        ::fstatat(::dirfd(directory.get()), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(info.st_mode))
      continue;
    file.bytes = static_cast<uint64_t>(info.st_size);
    file.changed = info.st_mtim.tv_sec;
    out.push_back(std::move(file));
  }
}

std::vector<LogFile> all_files(const std::string& logs) {
  std::vector<LogFile> files;
  const Directory directory(::opendir(logs.c_str()));
  if (!directory) return files;
  while (const dirent* entry = ::readdir(directory.get()))
    if (is_valid_id(entry->d_name)) list_files(logs, entry->d_name, files);
  std::sort(files.begin(), files.end(),
            [](const LogFile& a, const LogFile& b) { return a.changed < b.changed; });
  return files;
}

}  // namespace

LogsRemoved remove_logs(const config::Workspace& workspace,
                        const std::vector<Collected::Logs>& logs) {
  LogsRemoved removed;
  for (const Collected::Logs& log : logs)
    for (const char* ending : {".out", ".err"}) {
      const std::string path = workspace.logs_dir(log.agent) + "/" + log.task + "." +
                               std::to_string(log.attempt) + ending;
      struct stat info {};
      if (::lstat(path.c_str(), &info) != 0 || ::unlink(path.c_str()) != 0) continue;
      ++removed.files;
      removed.bytes += static_cast<uint64_t>(info.st_size);
    }
  return removed;
}

Result<LogsRemoved> trim_logs(const config::Workspace& workspace, const store::Store& store,
                              uint64_t most_bytes, bool dry_run) {
  const std::string logs = workspace.state_dir() + "/logs";
  const std::vector<LogFile> files = all_files(logs);
  uint64_t total = 0;
  for (const LogFile& file : files) total += file.bytes;
  const int64_t young = system_clock().now().us / 1000000 - k_young_seconds;
  LogsRemoved removed;
  const store::ReadTxn txn = TRY(store.read());
  for (const LogFile& file : files) {
    const std::optional<Task> task = TRY(txn.find_task(file.task));
    const bool orphan = !task && file.changed < young;
    const bool in_use = task ? task->state == TaskState::running && task->attempt == file.attempt
                             : file.changed >= young;
    const bool too_much = most_bytes != 0 && total > most_bytes && !in_use;
    if (!orphan && !too_much) continue;
    if (!dry_run && ::unlink((logs + "/" + file.agent + "/" + file.name).c_str()) != 0) continue;
    total -= file.bytes;
    removed.bytes += file.bytes;
    ++removed.files;
  }
  return removed;
}

}  // namespace fabric
