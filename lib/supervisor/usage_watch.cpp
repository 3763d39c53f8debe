// SPDX-License-Identifier: Apache-2.0
#include "supervisor/usage_watch.hpp"

#include <sys/socket.h>

#include <cerrno>

#include "supervisor/control_protocol.hpp"
#include "supervisor/unix_socket.hpp"

namespace fabric {
bool UsageWatch::send(const std::string& message) const {
  ssize_t n = 0;
  do {
    n = ::send(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (n < 0 && errno == EINTR);
  return n == static_cast<ssize_t>(message.size());
}

void UsageWatch::give_up() {
  socket_.reset();
  received_.clear();
  asked_ = false;
}

void UsageWatch::ask() {
  if (asked_) return;
  // The connection of last time may be that of a supervisor that is gone: then once more.
  for (const bool fresh : {false, true}) {
    if (!socket_) {
      Result<Fd> socket = connect_unix(path_, Connecting::at_once);
      if (!socket || !*socket) return;
      socket_ = *std::move(socket);
    }
    asked_ = send(control::encode_call(++call_, "usage", "{}"));
    if (asked_ || fresh) break;
    give_up();
  }
  if (!asked_) give_up();
}

std::optional<LiveUsageList> UsageWatch::take() {
  if (!asked_) return std::nullopt;
  for (;;) {
    char buffer[65536];
    const ssize_t n = ::recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return std::nullopt;
    if (n <= 0) {
      give_up();
      return LiveUsageList();
    }
    received_.append(buffer, static_cast<size_t>(n));
    const size_t end = received_.find('\n', received_.size() - static_cast<size_t>(n));
    if (end == std::string::npos) continue;
    const auto answer = control::decode_answer(call_, std::string_view(received_).substr(0, end));
    asked_ = false;
    received_.clear();
    return answer ? decode_live_usage(answer->result()) : LiveUsageList();
  }
}

}  // namespace fabric
