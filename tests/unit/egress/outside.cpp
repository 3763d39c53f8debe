// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/egress/outside.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>

#include "egress/server.hpp"
#include "egress/tls_context.hpp"

namespace fabric::egress {

HostServer::HostServer(const std::string& address, uint16_t port, Serve serve)
    : serve_(std::move(serve)) {
  const Address parsed = *parse_address(address);
  listener_.reset(::socket(parsed.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const SocketAddress at = socket_address(parsed, port);
  if (::bind(listener_.get(), at.get(), at.size) != 0 || ::listen(listener_.get(), 512) != 0)
    std::abort();
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&storage), &size);
  address_of(storage, &port_);
  thread_ = std::thread([this] {
    for (;;) {
      const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      ++connections_;
      const std::lock_guard lock(mutex_);
      open_.push_back(fd);
      serving_.emplace_back([this, fd] {
        serve_(fd);
        const std::lock_guard closing(mutex_);
        std::erase(open_, fd);
        ::close(fd);
      });
    }
  });
}

HostServer::~HostServer() {
  ::shutdown(listener_.get(), SHUT_RDWR);
  thread_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
  }
  for (std::thread& thread : serving_) thread.join();
}

void HostServer::note(const std::string& bytes) {
  const std::lock_guard lock(mutex_);
  noted_ += bytes;
}
std::string HostServer::noted() {
  const std::lock_guard lock(mutex_);
  return noted_;
}

HostServer::Serve echo() {
  return [](int fd) {
    char buffer[65536];
    ssize_t n = 0;
    while ((n = ::recv(fd, buffer, sizeof buffer, 0)) > 0)
      if (!write_all(fd, {buffer, static_cast<size_t>(n)})) return;
    ::shutdown(fd, SHUT_WR);
  };
}

struct Outside::Thread {
  std::unique_ptr<EventLoop> loop;
  std::unique_ptr<TlsContext> tls;
  std::unique_ptr<Engine> engine;
  std::unique_ptr<Server> server;
  std::thread thread;
};

Outside::Outside(const std::string& hosts, bool binary) {
  std::signal(SIGPIPE, SIG_IGN);
  char name[] = "/tmp/fabric-egress-test-XXXXXX";
  directory_ = ::mkdtemp(name);
  authorities_ = std::string(FABRIC_TEST_DATA) + "/unit/egress/ca.pem";
  (void)write_file_atomically(directory_ + "/hosts", hosts, 0644);
  std::filesystem::permissions(directory_, std::filesystem::perms(0755));
  listener_.reset(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  std::strcpy(at.sun_path, (directory_ + "/egress.sock").c_str());
  if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 ||
      ::listen(listener_.get(), 8) != 0)
    std::abort();
  if (binary) {
    process_ = ::fork();
    if (process_ == 0) {
      ::dup2(listener_.get(), 3);
      ::fcntl(3, F_SETFD, 0);
      ::execl(FABRIC_EGRESS_BINARY, "fabric-egress", "--owner", std::to_string(::geteuid()).c_str(),
              "--user", "65534", "--hosts", (directory_ + "/hosts").c_str(), nullptr);
      ::_exit(127);
    }
  } else {
    thread_ = std::make_unique<Thread>();
    thread_->loop = std::move(*EventLoop::make(system_clock()));
    thread_->engine = std::make_unique<Engine>(*thread_->loop, system_clock(),
                                               std::vector{directory_ + "/hosts"});
    if (Result<std::unique_ptr<TlsContext>> tls = TlsContext::make(authorities_))
      thread_->tls = std::move(*tls);
    thread_->engine->tls = thread_->tls.get();
    thread_->server =
        std::make_unique<Server>(*thread_->engine, Server::Options{::geteuid(), Duration{}});
    if (!thread_->server->listen(std::move(*listener_.duplicate()))) std::abort();
    thread_->thread = std::thread([this] { (void)thread_->loop->run(); });
  }
  connect();
}

Outside::~Outside() {
  stop();
  std::error_code error;
  std::filesystem::remove_all(directory_, error);
}

void Outside::stop() {
  if (process_ > 0) {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    process_ = -1;
  }
  if (!thread_) return;
  thread_->loop->post([this] { thread_->loop->stop(); });
  thread_->thread.join();
  thread_->server.reset();
  thread_->engine->graves.clear();
  thread_.reset();
}

void Outside::connect() {
  supervisor_.reset(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  std::strcpy(at.sun_path, (directory_ + "/egress.sock").c_str());
  if (::connect(supervisor_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) std::abort();
}

void Outside::send(const std::string& packet, const std::vector<int>& fds) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 16)]{};
  std::string copy = packet;
  iovec part{copy.data(), copy.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr) std::abort();
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    std::memcpy(CMSG_DATA(header), fds.data(), sizeof(int) * fds.size());
  }
  REQUIRE(::sendmsg(supervisor_.get(), &message, MSG_NOSIGNAL) ==
          static_cast<ssize_t>(packet.size()));
}

json::Document Outside::wait(const std::string& type) {
  json::Document found;
  const bool came = wait_until(type, [&](const json::Value& message) {
    found.CopyFrom(message, found.GetAllocator());
    return true;
  });
  INFO("waiting for " << type);
  REQUIRE(came);
  return found;
}

bool Outside::wait_until(const std::string& type,
                         const std::function<bool(const json::Value&)>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  const auto fits = [&](const std::string& text) {
    const Result<json::Document> message = json::parse(text);
    return message && json::get_string(*message, "type") == type && holds(*message);
  };
  for (size_t i = 0;;) {
    for (; i < received_.size(); ++i) {
      if (!fits(received_[i])) continue;
      received_.erase(received_.begin() + static_cast<ptrdiff_t>(i));
      return true;
    }
    pollfd poll{supervisor_.get(), POLLIN, 0};
    if (std::chrono::steady_clock::now() > deadline || ::poll(&poll, 1, 10000) != 1) return false;
    char buffer[131072];
    const ssize_t n = ::recv(supervisor_.get(), buffer, sizeof buffer, 0);
    if (n <= 0) return false;
    received_.emplace_back(buffer, static_cast<size_t>(n));
  }
}

namespace {
void write_rules(json::Writer& w, const std::vector<std::string>& rules) {
  w.key("rules").begin_array();
  for (const std::string& rule : rules) w.string(rule);
  w.end_array();
}
}  // namespace

void Outside::attach(const std::string& name, Fd link, const std::vector<std::string>& rules,
                     const std::string& more, const std::vector<int>& fds) {
  json::Writer w;
  w.begin_object().field("type", "attach").field("sandbox", name).field("generation", 1);
  write_rules(w, rules);
  std::string packet = w.end_object().take();
  if (!more.empty()) packet.insert(packet.size() - 1, "," + more);
  std::vector<int> all{link.get()};
  all.insert(all.end(), fds.begin(), fds.end());
  send(packet, all);
  wait("attached");
}

void Outside::rules(const std::string& name, const std::vector<std::string>& rules) {
  json::Writer w;
  w.begin_object().field("type", "rules").field("sandbox", name);
  write_rules(w, rules);
  send(w.end_object().take());
}

}  // namespace fabric::egress
