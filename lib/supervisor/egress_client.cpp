// SPDX-License-Identifier: Apache-2.0
#include "supervisor/egress_client.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "isolation/control_socket.hpp"
#include "isolation/egress_process.hpp"
#include "model/egress_wire.hpp"
#include "telemetry/log.hpp"

namespace fabric {
namespace {

constexpr Duration k_patience = Duration::seconds(15);
constexpr Duration k_longest_pause = Duration::seconds(5);

// Returns errno.
int send_packet(const Fd& socket, const std::string& text, const std::vector<Fd>& descriptors) {
  iovec part{const_cast<char*>(text.data()), text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  // One header, and the descriptors in the place of the others.
  std::array<cmsghdr, 1 + wire::k_egress_max_descriptors * sizeof(int) / sizeof(cmsghdr)> control{};
  if (!descriptors.empty()) {
    std::vector<int> numbers;
    for (const Fd& fd : descriptors) numbers.push_back(fd.get());
    const size_t bytes = numbers.size() * sizeof(int);
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(bytes);
    cmsghdr* rights = control.data();
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(bytes);
    std::memcpy(rights + 1, numbers.data(), bytes);
  }
  while (::sendmsg(socket.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
    if (errno != EINTR) return errno;
  return 0;
}

}  // namespace

EgressClient::EgressClient(EventLoop& loop, std::string socket_path, Hooks hooks)
    : loop_(loop),
      path_(std::move(socket_path)),
      hooks_(std::move(hooks)),
      buffer_(wire::k_egress_max_packet) {}

EgressClient::~EgressClient() {
  if (socket_) loop_.forget(socket_.get());
  if (retry_ != 0) loop_.cancel(retry_);
  for (auto& [name, wanted] : wanted_)
    if (wanted.patience != 0) loop_.cancel(wanted.patience);
}

void EgressClient::find_living() { connect_to_living(); }

bool EgressClient::connect_to_living() {
  Result<Fd> socket = connect_to(path_);
  if (!socket) return false;
  Status watched = loop_.watch(socket->get(), EPOLLIN | EPOLLOUT | EPOLLET,
                               [this](uint32_t events) { on_event(events); });
  if (!watched) return false;
  socket_ = std::move(*socket);
  state_ = State::greeting;
  return true;
}

void EgressClient::connect() {
  if (state_ != State::down || retry_ != 0 || ending_) return;
  if (connect_to_living()) return;
  Status started = hooks_.start();
  if (started && connect_to_living()) return;
  const Error error =
      started ? Error{ErrorCode::failed, "it does not listen", ""} : started.error();
  log::error("no egress process", {{"error", error.message}});
  for (auto& [name, wanted] : wanted_) finish(wanted, fail(error));
  retry_later();
}

void EgressClient::retry_later() {
  if (retry_ != 0 || ending_) return;
  const Duration pause = std::min(
      Duration::millis(failures_ == 0 ? 0 : 50 << std::min(failures_, 8)), k_longest_pause);
  ++failures_;
  retry_ = loop_.after(pause, [this] {
    retry_ = 0;
    if (!wanted_.empty()) connect();
  });
}

// Whether it died or broke the protocol: its successor is told everything again.
void EgressClient::lose(const std::string& why) {
  if (state_ == State::down) return;
  if (!ending_) log::warn("egress process lost", {{"why", why}});
  loop_.forget(socket_.get());
  socket_.reset();
  state_ = State::down;
  unsent_.clear();
  carried_.clear();
  to_acknowledge_ = 0;
  for (auto& [name, wanted] : wanted_) wanted.told = false;
  retry_later();
}

void EgressClient::on_event(uint32_t events) {
  if ((events & EPOLLOUT) != 0) flush();
  while (state_ != State::down && receive()) {
  }
  if (state_ == State::up && to_acknowledge_ != 0) send(encode_ack(to_acknowledge_));
  to_acknowledge_ = 0;
}

// False: nothing to read now, or the connection is lost.
bool EgressClient::receive() {
  const ssize_t got =
      ::recv(socket_.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT | MSG_TRUNC);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return errno == EINTR;
  if (got <= 0 || static_cast<size_t>(got) > buffer_.size()) {
    lose(got == 0 ? "it closed the connection" : "receiving failed");
    return false;
  }
  Result<EgressMessage> message = decode_egress_message({buffer_.data(), static_cast<size_t>(got)});
  if (!message) {
    lose("it sent what is no JSON");
    return false;
  }
  handle(std::move(*message));
  return state_ != State::down;
}

void EgressClient::handle(EgressMessage message) {
  if (const auto* hello = std::get_if<EgressHello>(&message)) return greeted(*hello);
  if (state_ != State::up) return;
  if (const auto* answer = std::get_if<EgressAttached>(&message)) return attached(*answer);
  if (const auto* refused = std::get_if<EgressRefused>(&message)) {
    to_acknowledge_ = std::max(to_acknowledge_, refused->sequence);
    if (hooks_.refused) hooks_.refused(*refused);
  } else if (const auto* usage = std::get_if<EgressUsage>(&message)) {
    to_acknowledge_ = std::max(to_acknowledge_, usage->sequence);
    if (hooks_.usage) hooks_.usage(*usage);
  } else if (const auto* reached = std::get_if<EgressReached>(&message)) {
    to_acknowledge_ = std::max(to_acknowledge_, reached->sequence);
    if (hooks_.reached) hooks_.reached(*reached);
  }
}

void EgressClient::greeted(const EgressHello& hello) {
  if (state_ == State::up) return;
  if (hello.version != wire::k_egress_version)
    return lose("it speaks version " + std::to_string(hello.version));
  state_ = State::up;
  carried_ = hello.sandboxes;
  log::info("egress process connected", {{"pid", hello.pid}, {"sandboxes", carried_.size()}});
  for (auto& [name, wanted] : wanted_) tell(wanted);
  if (all_known_) forget_unknown();
}

void EgressClient::attached(const EgressAttached& answer) {
  auto found = wanted_.find(answer.sandbox);
  if (found == wanted_.end()) return;
  if (answer.failure.empty()) {
    failures_ = 0;
    return finish(found->second, {});
  }
  log::error("egress not attached",
             {{"agent", found->second.attachment.agent}, {"error", answer.failure}});
  finish(found->second, fail(ErrorCode::failed, "egress: " + answer.failure));
}

void EgressClient::tell(Wanted& wanted) {
  if (wanted.told) return;
  wanted.told = true;
  const EgressAttachment& what = wanted.attachment;
  if (!wanted.link) {
    if (std::find(carried_.begin(), carried_.end(), what.sandbox) != carried_.end()) {
      // They may have changed while nobody could tell it.
      send(encode_rules(what.sandbox, what.rules));
      return finish(wanted, {});
    }
    Result<Fd> link = wanted.new_link();
    if (!link) return finish(wanted, fail(link.error()));
    wanted.link = std::move(*link);
  }
  std::vector<Fd> descriptors;
  descriptors.push_back(std::move(wanted.link));
  EgressDescriptors sent;
  Status opened = add_descriptors(wanted, what.publish, listen_for, descriptors, sent.publish);
  if (opened)
    opened = add_descriptors(
        wanted, what.inject,
        [&](const std::string& rule) { return hooks_.secret(what.agent, rule); }, descriptors,
        sent.inject);
  if (!opened) return finish(wanted, std::move(opened));
  send(encode_attach(what, sent), std::move(descriptors));
}

Status EgressClient::add_descriptors(const Wanted& wanted, const std::vector<std::string>& rules,
                                     const std::function<Result<Fd>(const std::string&)>& open,
                                     std::vector<Fd>& descriptors, std::vector<int>& indices) {
  for (const std::string& rule : rules) {
    Result<Fd> fd = open(rule);
    if (!fd && wanted.done) return fail(fd.error());
    if (!fd)
      log::error("rule of egress without effect",
                 {{"agent", wanted.attachment.agent}, {"error", fd.error().message}});
    indices.push_back(fd ? static_cast<int>(descriptors.size()) : -1);
    if (fd) descriptors.push_back(std::move(*fd));
  }
  return {};
}

void EgressClient::finish(Wanted& wanted, Status status) {
  if (wanted.patience != 0) loop_.cancel(wanted.patience);
  wanted.patience = 0;
  if (!wanted.done) return;
  // Later: what it does may detach() this very sandbox.
  loop_.post([done = std::move(wanted.done), status = std::move(status)] { done(status); });
  wanted.done = nullptr;
}

void EgressClient::attach(EgressAttachment attachment, Fd link, NewLink new_link, Done done) {
  const std::string name = attachment.sandbox;
  Wanted& wanted = wanted_[name];
  wanted = {std::move(attachment), std::move(link), std::move(new_link), std::move(done), false, 0};
  wanted.patience = loop_.after(k_patience, [this, name] {
    Wanted& late = wanted_.at(name);
    late.patience = 0;
    finish(late, fail(ErrorCode::timed_out, "the egress process does not answer"));
  });
  if (state_ == State::up) return tell(wanted);
  connect();
}

void EgressClient::detach(const std::string& sandbox) {
  auto found = wanted_.find(sandbox);
  if (found == wanted_.end()) return;
  if (found->second.patience != 0) loop_.cancel(found->second.patience);
  const bool told = found->second.told;
  wanted_.erase(found);
  if (told && state_ == State::up) send(encode_detach(sandbox));
}

void EgressClient::set_rules(const std::string& sandbox, std::vector<std::string> rules) {
  auto found = wanted_.find(sandbox);
  if (found == wanted_.end()) return;
  found->second.attachment.rules = std::move(rules);
  if (found->second.told && state_ == State::up)
    send(encode_rules(sandbox, found->second.attachment.rules));
}

void EgressClient::read_now() {
  if (state_ == State::up) on_event(EPOLLIN);
}

void EgressClient::forget_unknown() {
  all_known_ = true;
  for (const std::string& sandbox : carried_)
    if (wanted_.count(sandbox) == 0 && state_ == State::up) send(encode_detach(sandbox));
}

void EgressClient::shut_down() {
  ending_ = true;
  if (state_ == State::up) {
    forget_unknown();
    send(encode_shutdown());
  }
  ::unlink(path_.c_str());
}

void EgressClient::send(std::string text, std::vector<Fd> descriptors) {
  if (text.size() > wire::k_egress_max_packet ||
      descriptors.size() > wire::k_egress_max_descriptors) {
    log::error("not told to the egress process: too long");
    return;
  }
  unsent_.push_back({std::move(text), std::move(descriptors)});
  flush();
}

void EgressClient::flush() {
  while (state_ != State::down && !unsent_.empty()) {
    const Packet& packet = unsent_.front();
    const int error = send_packet(socket_, packet.text, packet.descriptors);
    if (error == EAGAIN || error == ENOBUFS) return;
    if (error != 0) return lose("sending failed");
    unsent_.pop_front();
  }
}

}  // namespace fabric
