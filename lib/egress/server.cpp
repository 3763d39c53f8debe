// SPDX-License-Identifier: Apache-2.0
#include "egress/server.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "egress/attachment.hpp"

namespace fabric::egress {
namespace {

constexpr Duration k_sweep = Duration::millis(500), k_refill = Duration::millis(20);
constexpr Duration k_leave = Duration::seconds(5), k_leave_look = Duration::millis(2);
constexpr size_t k_answers = 1024;
constexpr int k_packets_a_round = 32;

std::vector<Fd> descriptors_of(msghdr& message) {
  std::vector<Fd> out;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
      out.emplace_back(fd);
    }
  }
  return out;
}

void log(const std::string& text) { std::fprintf(stderr, "fabric-egress: %s\n", text.c_str()); }

}  // namespace

Server::Server(Engine& engine, Options options) : engine_(engine), options_(options) {}

Server::~Server() {
  disconnect();
  if (listener_) engine_.loop.forget(listener_.get());
  engine_.loop.cancel(sweep_timer_);
  engine_.loop.cancel(refill_timer_);
  for (const auto& [name, sandbox] : sandboxes_) sandbox->end();
}

Status Server::listen(Fd listener) {
  listener_ = std::move(listener);
  TRY_STATUS(engine_.loop.watch(listener_.get(), EPOLLIN, [this](uint32_t) { accept(); }));
  start_timers();
  return {};
}

Status Server::serve(Fd connection) {
  alone_ = true;
  TRY_STATUS(take(std::move(connection)));
  start_timers();
  return {};
}

void Server::start_timers() {
  idle_since_ = engine_.loop.now();
  sweep_timer_ = engine_.loop.after(k_sweep, [this] { sweep(); });
  refill_timer_ = engine_.loop.after(k_refill, [this] { refill(); });
}

void Server::accept() {
  Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd) return;
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
      peer.uid != options_.owner)
    return log("a connection of uid " + std::to_string(peer.uid) + " was refused");
  disconnect();
  if (const Status taken = take(std::move(fd)); !taken) log(taken.error().message);
}

Status Server::take(Fd connection) {
  supervisor_ = std::move(connection);
  TRY_STATUS(engine_.loop.watch(supervisor_.get(), EPOLLIN, [this](uint32_t events) {
    if ((events & EPOLLOUT) != 0) {
      engine_.loop.change(supervisor_.get(), EPOLLIN);
      while (!answers_.empty() && send(answers_.front())) answers_.pop_front();
      if (answers_.empty()) engine_.reporter.flush();
    }
    if ((events & ~static_cast<uint32_t>(EPOLLOUT)) != 0) readable();
  }));
  json::Writer w;
  w.begin_object()
      .field("type", "hello")
      .field("version", wire::k_egress_version)
      .field("pid", ::getpid())
      .key("sandboxes")
      .begin_array();
  for (const auto& [name, sandbox] : sandboxes_)
    w.begin_object().field("sandbox", name).field("generation", sandbox->generation()).end_object();
  w.end_array().end_object();
  answer(w.take());
  if (supervisor_)
    engine_.reporter.connect(
        [this](const std::string& packet) { return answers_.empty() && send(packet); });
  return {};
}

void Server::disconnect() {
  engine_.reporter.disconnect();
  answers_.clear();
  if (supervisor_) engine_.loop.forget(supervisor_.get());
  supervisor_.reset();
}

bool Server::send(const std::string& packet) {
  if (!supervisor_) return false;
  const ssize_t n =
      ::send(supervisor_.get(), packet.data(), packet.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n >= 0) return true;
  // Its end is noticed by reading; a full socket by EPOLLOUT.
  if (errno == EAGAIN) engine_.loop.change(supervisor_.get(), EPOLLIN | EPOLLOUT);
  return false;
}

void Server::answer(std::string packet) {
  if (answers_.empty() && send(packet)) return;
  if (answers_.size() < k_answers) answers_.push_back(std::move(packet));
}

void Server::readable() {
  for (int i = 0; i < k_packets_a_round && supervisor_; ++i)
    if (!receive()) return;
}

bool Server::receive() {
  static std::array<char, wire::k_egress_max_packet> buffer;
  alignas(cmsghdr) static std::array<char, CMSG_SPACE(sizeof(int) * wire::k_egress_max_descriptors)>
      control;
  iovec part{buffer.data(), buffer.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t n = ::recvmsg(supervisor_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (n <= 0) {
    disconnect();
    if (alone_) engine_.loop.stop();
    return false;
  }
  std::vector<Fd> fds = descriptors_of(message);
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    log("a message of the supervisor is too long");
    return true;
  }
  handle({buffer.data(), static_cast<size_t>(n)}, std::move(fds));
  return true;
}

void Server::handle(std::string_view text, std::vector<Fd> fds) {
  const Result<json::Document> message = json::parse(text);
  if (!message) return log("a message of the supervisor is no JSON");
  const std::string_view type = json::get_string(*message, "type").value_or("");
  const std::string name(json::get_string(*message, "sandbox").value_or(""));
  if (type == "attach") return attach(*message, std::move(fds));
  if (type == "detach") return detach(name);
  if (type == "ack")
    return engine_.reporter.acknowledge(
        static_cast<uint64_t>(json::get_int(*message, "sequence").value_or(0)));
  if (type == "shutdown") {
    shutdown_ = true;
    if (!alone_) return end_if_idle();
    leave_until_ = engine_.loop.now() + k_leave;
    // Not at once: what the programs did last may not have been looked at yet.
    engine_.loop.after(k_leave_look, [this] { leave(); });
    return;
  }
  if (type != "rules") return log("a message of the supervisor of unknown type");
  const auto found = sandboxes_.find(name);
  if (found == sandboxes_.end()) return;
  // What does not parse changes nothing: the old rules hold.
  if (const Status set = found->second->set_rules(read_texts(*message, "rules")); !set)
    log(name + ": " + set.error().message);
}

void Server::attach(const json::Value& message, std::vector<Fd> fds) {
  const std::string name(json::get_string(message, "sandbox").value_or(""));
  const int64_t generation = json::get_int(message, "generation").value_or(0);
  json::Writer w;
  w.begin_object();
  const auto attached = [&]() -> Status {
    Attachment attachment = TRY(read_attachment(message, std::move(fds)));
    detach(name);
    if (!attachment.injections.empty() && engine_.tls == nullptr && engine_.open_tls)
      engine_.open_tls();
    const uint64_t number = next_attachment_++;
    sandboxes_[name] =
        TRY(Sandbox::attach(engine_, std::move(attachment), [this, name, number](auto& why) {
          engine_.loop.post([this, name, number, why] { over(name, number, why); });
        }));
    attachments_[name] = number;
    return {};
  }();
  if (!attached) detach(name);
  w.field("type", attached ? "attached" : "failed")
      .field("sandbox", name)
      .field("generation", generation);
  if (!attached) w.field("message", attached.error().message);
  answer(w.end_object().take());
}

void Server::detach(const std::string& name) {
  const auto found = sandboxes_.find(name);
  if (found == sandboxes_.end()) return;
  found->second->end();
  engine_.bury(std::move(found->second));
  sandboxes_.erase(found);
  attachments_.erase(name);
  idle_since_ = engine_.loop.now();
  end_if_idle();
}

// The one sandbox has ended. What its programs sent is on its way out.
void Server::leave() {
  bool some = false;
  for (const auto& [name, sandbox] : sandboxes_) some |= sandbox->leaving();
  if (some && engine_.loop.now() < leave_until_) {
    engine_.loop.after(k_leave_look, [this] { leave(); });
    return;
  }
  for (const auto& [name, sandbox] : sandboxes_) sandbox->end();
  engine_.reporter.tick();  // nobody else would ask for what is counted
  engine_.loop.stop();
}

void Server::over(const std::string& name, uint64_t attachment, const std::string& why) {
  const auto found = attachments_.find(name);
  if (found == attachments_.end() || found->second != attachment) return;
  if (alone_) return;  // leave() follows
  log(name + ": " + why);
  detach(name);
}

void Server::end_if_idle() {
  if (shutdown_ && sandboxes_.empty()) engine_.loop.stop();
}

void Server::sweep() {
  sweep_timer_ = engine_.loop.after(k_sweep, [this] { sweep(); });
  const MonoTime now = engine_.loop.now();
  for (const auto& [name, sandbox] : sandboxes_) sandbox->sweep(now);
  if (++sweeps_ % 2 == 0) engine_.reporter.tick();
  if (!sandboxes_.empty() || supervisor_) idle_since_ = now;
  if (now - idle_since_ > options_.linger) engine_.loop.stop();
}

void Server::refill() {
  const MonoTime now = engine_.loop.now();
  bool limited = false;
  for (const auto& [name, sandbox] : sandboxes_) limited |= sandbox->refill(now);
  // Without a rate there is nothing to wake up for.
  refill_timer_ = engine_.loop.after(limited ? k_refill : k_sweep, [this] { refill(); });
}

}  // namespace fabric::egress
