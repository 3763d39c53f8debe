// SPDX-License-Identifier: Apache-2.0
#include "egress/dial.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace fabric::egress {
namespace {

// With more addresses to try a silent one is not waited for as long.
constexpr Duration k_try_one = Duration::seconds(3), k_try_last = Duration::seconds(20);

}  // namespace

Dial::~Dial() { cancel(); }

void Dial::cancel() {
  done_ = nullptr;
  if (socket_) engine_.loop.forget(socket_.get());
  socket_.reset();
}

void Dial::start(Done done) {
  done_ = std::move(done);
  if (target_.address) {
    left_ = {*target_.address};
    return next();
  }
  engine_.resolver.resolve(host_.number(), target_.name,
                           [weak = weak_from_this()](const Resolution& resolution) {
                             if (const std::shared_ptr<Dial> self = weak.lock())
                               self->resolved(resolution.addresses, resolution.error);
                           });
}

void Dial::resolved(const std::vector<Address>& addresses, const std::string& error) {
  if (!done_) return;
  if (addresses.empty()) return finish({}, {0, false, target_.name + ": " + error, ""});
  Refusal refusal;
  for (const Address& address : addresses) {
    const AddressClass kind = classify(address, engine_.resolver.own_addresses());
    const Decision decision =
        host_.rules().resolved(target_.name, decision_, address, target_.port, kind);
    if (decision.allowed) {
      left_.push_back(address);
      continue;
    }
    refusal = {"address",
               target_.name,
               address.text(),
               target_.port,
               decision.rule,
               decision.allow,
               "the name resolves to an address that is " + std::string(to_string(kind))};
  }
  if (left_.empty()) {
    host_.refused(refusal);
    return finish({}, {0, true, refusal.why, refusal.rule});
  }
  std::reverse(left_.begin(), left_.end());
  next();
}

void Dial::next() {
  while (!left_.empty()) {
    current_ = left_.back();
    left_.pop_back();
    const int family = current_.is_v4() ? AF_INET : AF_INET6;
    socket_ = Fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
    const SocketAddress to = socket_address(current_, target_.port);
    if (socket_ && (::connect(socket_.get(), to.get(), to.size) == 0 || errno == EINPROGRESS)) {
      deadline_ = engine_.loop.now() + (left_.empty() ? k_try_last : k_try_one);
      engine_.loop.watch(socket_.get(), EPOLLOUT, [this](uint32_t) { writable(); });
      // What is near has answered by now: that saves a round of the loop.
      pollfd now{socket_.get(), POLLOUT, 0};
      if (::poll(&now, 1, 0) == 1) writable();
      return;
    }
    last_.error = errno;
  }
  socket_.reset();
  last_.why = "connecting to " + current_.text() + ": " + std::strerror(last_.error);
  finish({}, last_);
}

void Dial::writable() {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  engine_.loop.forget(socket_.get());
  if (error != 0) {
    last_.error = error;
    return next();
  }
  const int on = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  finish(std::move(socket_), {});
}

void Dial::sweep(MonoTime now) {
  if (!socket_ || now < deadline_) return;
  engine_.loop.forget(socket_.get());
  last_.error = ETIMEDOUT;
  next();
}

void Dial::finish(Fd server, const Failure& failure) {
  const std::shared_ptr<Dial> alive = shared_from_this();
  const Done done = std::exchange(done_, nullptr);
  if (done) done(std::move(server), failure);
}

}  // namespace fabric::egress
