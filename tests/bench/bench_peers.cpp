// SPDX-License-Identifier: Apache-2.0
#include "bench_peers.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>

namespace fabric::bench {
namespace {

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

// Of the kernel's choice; free again when this returns, which is good enough here.
uint16_t free_port() {
  const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback(0);
  socklen_t length = sizeof address;
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0)
    throw Failure("no free port");
  return ntohs(address.sin_port);
}

Fd dial(uint16_t port) {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(port);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return {};
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

void send_all(int fd, const std::string& text) {
  for (size_t at = 0; at < text.size();) {
    const ssize_t n = ::send(fd, text.data() + at, text.size() - at, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw Failure("beanstalkd went away");
    at += static_cast<size_t>(n);
  }
}

void receive_more(int fd, std::string& into) {
  char buffer[4096];
  const ssize_t n = ::read(fd, buffer, sizeof buffer);
  if (n < 0 && errno == EINTR) return;
  if (n <= 0) throw Failure("beanstalkd went away");
  into.append(buffer, static_cast<size_t>(n));
}

// One connection that reserves and deletes.
struct Consumer {
  Fd socket;
  std::string received;

  // Handles what has been received: the number of jobs that were taken.
  size_t advance(const std::function<void(const std::string&)>& taken);
};

size_t Consumer::advance(const std::function<void(const std::string&)>& taken) {
  size_t jobs = 0;
  for (;;) {
    const size_t line = received.find("\r\n");
    if (line == std::string::npos) return jobs;
    if (!received.starts_with("RESERVED ")) {  // DELETED
      received.erase(0, line + 2);
      continue;
    }
    const size_t id_end = received.find(' ', 9);
    size_t bytes = 0;
    std::from_chars(received.data() + id_end + 1, received.data() + line, bytes);
    if (received.size() < line + 2 + bytes + 2) return jobs;
    taken(received.substr(line + 2, bytes));
    send_all(socket.get(), "delete " + received.substr(9, id_end - 9) + "\r\nreserve\r\n");
    received.erase(0, line + 2 + bytes + 2);
    ++jobs;
  }
}

}  // namespace

std::string peer(const std::string& name) {
  std::vector<std::string> places;
  if (const char* unpacked = std::getenv("FABRIC_PEERS"))
    places.push_back(std::string(unpacked) + "/usr/bin");
  const char* path = std::getenv("PATH");
  for (std::string rest = path ? path : ""; !rest.empty();) {
    const size_t colon = rest.find(':');
    places.push_back(rest.substr(0, colon));
    rest = colon == std::string::npos ? "" : rest.substr(colon + 1);
  }
  for (const std::string& place : places)
    if (::access((place + "/" + name).c_str(), X_OK) == 0) return place + "/" + name;
  return "";
}

Beanstalkd::Beanstalkd(const std::string& program, const std::string& directory)
    : port_(free_port()), pid_(-1) {
  ::mkdir(directory.c_str(), 0700);
  pid_ = start({program, "-l", "127.0.0.1", "-p", std::to_string(port_), "-b", directory, "-f0"});
  for (int tries = 0; tries < 2000; ++tries) {
    if (dial(port_)) return;
    ::poll(nullptr, 0, 2);
  }
  throw Failure("beanstalkd does not answer");
}

Beanstalkd::~Beanstalkd() {
  ::kill(pid_, SIGKILL);
  wait_code(pid_);
}

BeanstalkProducer::BeanstalkProducer(uint16_t port) : socket_(dial(port)) {
  if (!socket_) throw Failure("beanstalkd does not answer");
}

void BeanstalkProducer::put(const std::string& body) {
  send_all(socket_.get(), "put 0 0 60 " + std::to_string(body.size()) + "\r\n" + body + "\r\n");
  std::string answer;
  while (!answer.ends_with("\r\n")) receive_more(socket_.get(), answer);
  if (!answer.starts_with("INSERTED")) throw Failure("beanstalkd: " + answer);
}

void consume(uint16_t port, size_t consumers, size_t jobs,
             const std::function<void(const std::string&)>& taken) {
  std::vector<Consumer> all(consumers);
  std::vector<pollfd> polled;
  for (Consumer& consumer : all) {
    consumer.socket = dial(port);
    if (!consumer.socket) throw Failure("beanstalkd does not answer");
    send_all(consumer.socket.get(), "reserve\r\n");
    polled.push_back({consumer.socket.get(), POLLIN, 0});
  }
  while (jobs > 0) {
    const int ready = ::poll(polled.data(), polled.size(), 20'000);
    if (ready == 0) throw Failure("beanstalkd hands out nothing more");
    for (size_t i = 0; i < all.size(); ++i) {
      if ((polled[i].revents & POLLIN) == 0) continue;
      receive_more(all[i].socket.get(), all[i].received);
      jobs -= std::min(jobs, all[i].advance(taken));
    }
  }
}

}  // namespace fabric::bench
