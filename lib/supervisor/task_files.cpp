// SPDX-License-Identifier: Apache-2.0
#include "supervisor/task_files.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

namespace fabric {
namespace {

std::string stem(const config::Workspace& workspace, const Task& task) {
  return workspace.logs_dir(task.agent) + "/" + task.id + "." + std::to_string(task.attempt);
}

Result<Fd> open_log(const std::string& path) {
  int flags = O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW;
  Result<Fd> file = open_file(path, flags, 0600);
  if (file || errno != ENOENT) return file;
  std::string directory = path.substr(0, path.rfind('/'));
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno(errno, directory);
  return open_file(path, flags, 0600);
}

}  // namespace

std::string output_path(const config::Workspace& workspace, const Task& task) {
  return stem(workspace, task) + ".out";
}
std::string error_path(const config::Workspace& workspace, const Task& task) {
  return stem(workspace, task) + ".err";
}

Result<TaskFiles> open_task_files(const config::Workspace& workspace, const Task& task) {
  TaskFiles files;
  files.output = TRY(open_log(output_path(workspace, task)));
  files.error = TRY(open_error_file(workspace, task));
  return files;
}

Result<Fd> open_error_file(const config::Workspace& workspace, const Task& task) {
  return open_log(error_path(workspace, task));
}

SpareFiles::~SpareFiles() {
  for (const Spare& spare : spares_) ::unlink(spare.path.c_str());
}

Result<Fd> SpareFiles::open_one(const std::string& path) {
  while (!spares_.empty()) {
    Spare spare = std::move(spares_.back());
    spares_.pop_back();
    if (::rename(spare.path.c_str(), path.c_str()) == 0) return std::move(spare.file);
  }
  return open_log(path);
}

Result<TaskFiles> SpareFiles::open(const Task& task) {
  TaskFiles files;
  files.output = TRY(open_one(output_path(workspace_, task)));
  files.error = TRY(open_one(error_path(workspace_, task)));
  return files;
}

void SpareFiles::keep_empty(const Task& task, TaskFiles files, const Outcome& outcome) {
  if (outcome.result_bytes == 0 && files.output)
    spares_.push_back({output_path(workspace_, task), std::move(files.output)});
  if (outcome.stderr_bytes == 0 && files.error)
    spares_.push_back({error_path(workspace_, task), std::move(files.error)});
}

TaskResult read_head(const Fd& output, uint64_t size) {
  TaskResult result;
  result.head.resize(static_cast<size_t>(std::min<uint64_t>(size, k_result_head)));
  size_t done = 0;
  while (done < result.head.size()) {
    ssize_t n = ::pread(output.get(), result.head.data() + done, result.head.size() - done,
                        static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<size_t>(n);
  }
  result.head.resize(done);
  result.whole = done == size;
  return result;
}

Result<Fd> input_file(std::string_view bytes) {
  Fd file(::memfd_create("fabric-input", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return fail_errno(errno, "memfd_create");
  TRY_STATUS(write_all(file.get(), bytes));
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return fail_errno(errno, "lseek");
  ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
  return file;
}

}  // namespace fabric
