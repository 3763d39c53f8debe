// SPDX-License-Identifier: Apache-2.0
#include "isolation/init_connection.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <deque>

#include "isolation/init_message.hpp"

namespace fabric {

namespace {

constexpr size_t k_max_unsent = size_t{64} << 20;

struct Outgoing {
  std::string packet;
  std::vector<Fd> descriptors;
};

// 0 when sent, EAGAIN when the socket is full.
int send_packet(int socket, std::string_view packet, const int* descriptors, size_t count) {
  iovec part{const_cast<char*>(packet.data()), packet.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  std::array<cmsghdr, 2> control{};  // one header, and the descriptors in the place of the other
  if (count != 0) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    control[0].cmsg_level = SOL_SOCKET;
    control[0].cmsg_type = SCM_RIGHTS;
    control[0].cmsg_len = CMSG_LEN(count * sizeof(int));
    std::memcpy(&control[1], descriptors, count * sizeof(int));
  }
  for (;;) {
    if (::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return 0;
    if (errno == EINTR) continue;
    return errno == ENOBUFS ? EAGAIN : errno;
  }
}

Result<Fd> duplicate_fd(int fd) {
  int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return fail_errno(errno, "duplicating a descriptor");
  return Fd(copy);
}

// The kernel translates: fdinfo names the process as our own pid namespace does.
pid_t pid_of(const Fd& pidfd) {
  auto text = read_file("/proc/self/fdinfo/" + std::to_string(pidfd.get()), 4096);
  if (!text) return 0;
  size_t at = text->find("Pid:");
  if (at == std::string::npos) return 0;
  at = text->find_first_not_of(" \t", at + 4);
  pid_t pid = 0;
  if (at != std::string::npos) std::from_chars(text->data() + at, text->data() + text->size(), pid);
  return pid > 0 ? pid : 0;
}

}  // namespace

struct InitConnection::Buffers {
  std::deque<Outgoing> unsent;
  size_t unsent_bytes = 0;
  EventAssembler assembler;
  std::array<char, wire::k_max_packet> packet;
};

InitConnection::InitConnection(Fd socket)
    : socket_(std::move(socket)), buffers_(std::make_shared<Buffers>()) {}

Status InitConnection::send(std::vector<std::string> packets, const std::vector<int>& descriptors) {
  if (!buffers_) return fail(ErrorCode::not_found, "not connected to the sandbox");
  TRY_STATUS(flush());
  size_t next = 0;
  while (next < packets.size() && buffers_->unsent.empty()) {
    const size_t count = next == 0 ? descriptors.size() : 0;
    int error = send_packet(socket_.get(), packets[next], descriptors.data(), count);
    if (error == EAGAIN) break;
    if (error != 0) return fail_errno(error, "sending to fabric-init");
    ++next;
  }
  for (; next < packets.size(); ++next) {
    Outgoing& waiting = buffers_->unsent.emplace_back();
    waiting.packet = std::move(packets[next]);
    buffers_->unsent_bytes += waiting.packet.size();
    if (next != 0) continue;
    for (int fd : descriptors) waiting.descriptors.push_back(TRY(duplicate_fd(fd)));
  }
  if (buffers_->unsent_bytes > k_max_unsent)
    return fail(ErrorCode::failed, "fabric-init does not read its control socket");
  return {};
}

bool InitConnection::wants_write() const { return buffers_ && !buffers_->unsent.empty(); }

Status InitConnection::flush() {
  while (wants_write()) {
    Outgoing& first = buffers_->unsent.front();
    std::array<int, 3> fds{};
    size_t count = 0;
    for (const Fd& fd : first.descriptors) fds[count++] = fd.get();
    int error = send_packet(socket_.get(), first.packet, fds.data(), count);
    if (error == EAGAIN) return {};
    if (error != 0) return fail_errno(error, "sending to fabric-init");
    buffers_->unsent_bytes -= first.packet.size();
    buffers_->unsent.pop_front();
  }
  return {};
}

Status InitConnection::start(const StartRequest& request, const Fd& input, const Fd& output,
                             const Fd& error) {
  std::vector<int> descriptors;
  uint32_t flags = 0;
  auto add = [&](const Fd& fd, uint32_t flag) {
    if (!fd) return;
    descriptors.push_back(fd.get());
    flags |= flag;
  };
  if (!request.worker) {
    add(input, wire::k_has_input);
    add(output, wire::k_has_output);
  }
  add(error, wire::k_has_error);
  return send(TRY(encode_start(request, flags)), descriptors);
}

Status InitConnection::signal(AttemptId attempt, int signal_number) {
  return send(encode_message(wire::k_signal, attempt, static_cast<uint64_t>(signal_number)), {});
}

Status InitConnection::stop(AttemptId attempt, Duration grace) {
  return send(encode_message(wire::k_stop, attempt, static_cast<uint64_t>(grace.ns)), {});
}

Status InitConnection::kill(AttemptId attempt) {
  return send(encode_message(wire::k_kill, attempt, 0), {});
}

Status InitConnection::write_line(AttemptId worker, uint64_t key, std::string_view line) {
  if (line.size() > wire::k_max_request || line.find('\n') != std::string_view::npos)
    return fail(ErrorCode::usage, "a line for a worker is at most 2 MiB and has no newline");
  return send(encode_message(wire::k_line, worker, key, line), {});
}

Status InitConnection::acknowledge_exit(AttemptId attempt) {
  return send(encode_message(wire::k_ack_exit, attempt, 0), {});
}

Status InitConnection::acknowledge_line(AttemptId worker, uint64_t sequence) {
  return send(encode_message(wire::k_ack_line, worker, sequence), {});
}

Status InitConnection::give_link(const Fd& link) {
  return send(encode_message(wire::k_net_link, 0, 0), {link.get()});
}

Status InitConnection::over_limit(EndReason reason, std::string_view message) {
  return send(encode_message(wire::k_over_limit, 0, static_cast<uint64_t>(reason), message), {});
}

Status InitConnection::shut_down(Duration grace) {
  return send(encode_message(wire::k_shut_down, 0, static_cast<uint64_t>(grace.ns)), {});
}

Result<std::optional<InitEvent>> InitConnection::receive() {
  if (!buffers_) return fail(ErrorCode::not_found, "not connected to the sandbox");
  for (;;) {
    iovec part{buffers_->packet.data(), buffers_->packet.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(3 * sizeof(int))> control{};
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ssize_t got = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return std::optional<InitEvent>{};
    if (got < 0) return fail_errno(errno, "receiving from fabric-init");
    if (got == 0) return fail(ErrorCode::not_found, "fabric-init closed the connection");
    std::vector<Fd> descriptors;
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
      if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
      for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
        descriptors.emplace_back(fd);
      }
    }
    auto event = TRY(buffers_->assembler.take({buffers_->packet.data(), static_cast<size_t>(got)}));
    if (!event) continue;
    auto* started = std::get_if<AttemptStarted>(&*event);
    if (started != nullptr && !descriptors.empty()) started->pid = pid_of(descriptors.front());
    return event;
  }
}

}  // namespace fabric
