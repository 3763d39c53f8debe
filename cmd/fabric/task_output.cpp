// SPDX-License-Identifier: Apache-2.0
#include "fabric/task_output.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "fabric/output.hpp"
#include "fabric/text.hpp"

namespace fabric::cmd {

std::string log_path(const config::Workspace& workspace, const Task& task, TaskStream stream) {
  return workspace.logs_dir(task.agent) + "/" + task.id + "." + std::to_string(task.attempt) +
         (stream == TaskStream::out ? ".out" : ".err");
}

Status read_output(const config::Workspace& workspace, const store::Store& store, const Task& task,
                   TaskStream stream, const Sink& sink) {
  if (stream == TaskStream::out) {
    const auto result = TRY(TRY(store.read()).find_result(task.sequence));
    if (result && result->whole) return sink(result->head);
  }
  const std::string path = log_path(workspace, task, stream);
  if (::access(path.c_str(), F_OK) != 0) return {};
  const Fd file = TRY(open_file(path, O_RDONLY | O_NOFOLLOW));
  std::array<char, 65536> buffer{};
  for (;;) {
    const ssize_t n = ::read(file.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, path);
    if (n == 0) return {};
    TRY_STATUS(sink({buffer.data(), static_cast<size_t>(n)}));
  }
}

Sink standard_sink(int fd) {
  const bool terminal = ::isatty(fd) == 1;
  return [fd, terminal](std::string_view piece) -> Status {
    const std::string safe = terminal ? printable_lines(piece) : std::string();
    std::string_view rest = terminal ? safe : piece;
    if (fd == STDOUT_FILENO) return print(rest);
    return write_all(fd, rest);
  };
}

}  // namespace fabric::cmd
