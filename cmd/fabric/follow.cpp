// SPDX-License-Identifier: Apache-2.0
#include "fabric/follow.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>

#include "fabric/session.hpp"

namespace fabric::cmd {

Follower::Follower(config::Workspace workspace, FollowOptions options)
    : workspace_(std::move(workspace)), options_(std::move(options)) {}

Result<Follower> Follower::open(const config::Workspace& workspace, const std::string& task_id,
                                FollowOptions options) {
  Follower follower(workspace, std::move(options));
  follower.inotify_ = Fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!follower.inotify_) return fail_errno(errno, "inotify_init1");
  if (!follower.options_.signals.empty()) {
    sigset_t set;
    ::sigemptyset(&set);
    for (int signal : follower.options_.signals) ::sigaddset(&set, signal);
    if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return fail_errno(errno, "sigprocmask");
    follower.signals_ = Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!follower.signals_) return fail_errno(errno, "signalfd");
  }
  follower.store_ = TRY(open_store(workspace));
  // Before the first look, so that no change after it is missed.
  TRY_STATUS(follower.watch(follower.store_->bell_path(), IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE));
  follower.task_ = TRY(require_task(TRY(follower.store_->read()), task_id));
  return follower;
}

// A path that is not there yet is no error: what makes it also rings the bell, or its directory's
// watch.
Status Follower::watch(const std::string& path, uint32_t events) {
  if (::inotify_add_watch(inotify_.get(), path.c_str(), events) >= 0 || errno == ENOENT) return {};
  return fail_errno(errno, "watching " + path);
}

Status Follower::look() {
  auto task = TRY(TRY(store_->read()).find_task(task_.sequence));
  if (task) task_ = *std::move(task);
  return {};
}

// Hands on what the log file of the running attempt has beyond what was handed on.
Status Follower::copy(Stream& stream) {
  if (!*stream.sink || task_.attempt == 0) return {};
  if (stream.attempt != task_.attempt) {
    stream.file.reset();
    stream.handed_on = 0;
    stream.attempt = task_.attempt;
  }
  if (!stream.file) {
    const std::string path = log_path(workspace_, task_, stream.which);
    TRY_STATUS(watch(path, IN_MODIFY));
    if (::access(path.c_str(), F_OK) != 0) return {};
    stream.file = TRY(open_file(path, O_RDONLY | O_NOFOLLOW));
  }
  std::array<char, 65536> buffer{};
  for (;;) {
    const ssize_t n = ::pread(stream.file.get(), buffer.data(), buffer.size(),
                              static_cast<off_t>(stream.handed_on));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "reading the log of " + task_.id);
    if (n == 0) return {};
    stream.handed_on += static_cast<uint64_t>(n);
    TRY_STATUS((*stream.sink)({buffer.data(), static_cast<size_t>(n)}));
  }
}

// After the end: the file is complete. A result that has no file is in the store.
Status Follower::finish(Stream& stream) {
  TRY_STATUS(copy(stream));
  if (!*stream.sink || stream.file.valid() || stream.which != TaskStream::out) return {};
  return read_output(workspace_, *store_, task_, stream.which, *stream.sink);
}

Status Follower::take_signal() {
  signalfd_siginfo info{};
  if (::read(signals_.get(), &info, sizeof info) != sizeof info) return {};
  if (++signals_seen_ > 1) return fail(ErrorCode::interrupted, "interrupted again");
  store_.reset();
  const Status handled = options_.on_signal(static_cast<int>(info.ssi_signo));
  store_ = TRY(open_store(workspace_));
  return handled;
}

Status Follower::sleep() {
  pollfd fds[2] = {{inotify_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}};
  if (::poll(fds, signals_.valid() ? 2 : 1, -1) < 0 && errno != EINTR)
    return fail_errno(errno, "poll");
  alignas(inotify_event) std::array<char, 4096> events{};
  while (::read(inotify_.get(), events.data(), events.size()) > 0) {
  }
  return signals_.valid() ? take_signal() : Status{};
}

Result<Task> Follower::run() {
  Stream out{TaskStream::out, &options_.out, {}, 0, 0};
  Stream err{TaskStream::err, &options_.err, {}, 0, 0};
  for (;;) {
    // The directories first: a file that appears after this is noticed.
    TRY_STATUS(watch(workspace_.state_dir() + "/logs", IN_CREATE));
    TRY_STATUS(watch(workspace_.logs_dir(task_.agent), IN_CREATE));
    TRY_STATUS(look());
    if (is_terminal(task_.state)) break;
    TRY_STATUS(copy(out));
    TRY_STATUS(copy(err));
    TRY_STATUS(sleep());
  }
  TRY_STATUS(finish(out));
  TRY_STATUS(finish(err));
  return task_;
}

}  // namespace fabric::cmd
