// SPDX-License-Identifier: Apache-2.0
#include "egress/dns_server.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

#include "model/sandbox_rules.hpp"

namespace fabric::egress {
namespace {

constexpr int k_datagrams_a_round = 32;
constexpr size_t k_streams = 32, k_unsent = 65536;
constexpr uint32_t k_ttl = 60;
constexpr Duration k_stream_idle = Duration::seconds(10);

}  // namespace

DnsServer::~DnsServer() {
  for (const auto& [id, stream] : streams_) engine_.loop.forget(stream.fd.get());
  if (udp_) engine_.loop.forget(udp_.get());
  if (tcp_) engine_.loop.forget(tcp_.get());
}

void DnsServer::serve_udp(Fd socket) {
  udp_ = std::move(socket);
  engine_.loop.watch(udp_.get(), EPOLLIN, [this](uint32_t) { datagrams(); });
}

void DnsServer::serve_tcp(Fd listener) {
  tcp_ = std::move(listener);
  engine_.loop.watch(tcp_.get(), EPOLLIN, [this](uint32_t) { accept(); });
}

void DnsServer::datagrams() {
  char buffer[4096];
  for (int i = 0; i < k_datagrams_a_round; ++i) {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    const ssize_t n = ::recvfrom(udp_.get(), buffer, sizeof buffer, MSG_DONTWAIT,
                                 reinterpret_cast<sockaddr*>(&from), &size);
    if (n < 0) return;
    answer({buffer, static_cast<size_t>(n)},
           [this, alive = std::weak_ptr(alive_), from, size](const std::string& message) {
             if (alive.expired()) return;
             ::sendto(udp_.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                      reinterpret_cast<const sockaddr*>(&from), size);
           });
  }
}

void DnsServer::answer(std::string_view message, const Reply& reply) {
  const std::optional<DnsQuery> parsed = parse_dns_query(message);
  if (!parsed) return;
  DnsQuery query = *parsed;
  const auto done = [reply, question = std::string(query.question)](DnsQuery asked,
                                                                    const DnsAnswer& out) {
    asked.question = question;
    reply(make_dns_answer(asked, out));
  };
  if (query.bad != DnsCode::no_error) return done(query, {query.bad, {}, 0, 0, ""});
  if (query.dns_class != 1)
    return done(query, {DnsCode::refused, {}, 0, k_ede_filtered, "only class IN"});
  const Result<std::string> name = normal_host_name(query.name);
  if (!name) return done(query, {DnsCode::no_such_name, {}, 0, k_ede_filtered, "no host name"});
  const auto type = static_cast<DnsType>(query.type);
  const bool address = type == DnsType::a || type == DnsType::aaaa;
  if (!address && type != DnsType::https && type != DnsType::svcb)
    return done(query, {DnsCode::refused, {}, 0, k_ede_filtered, "only addresses are answered"});
  find_(*name, [done, query, address](const Found& found) {
    DnsAnswer out;
    out.ttl = k_ttl;
    if (!found.known) {
      out = {DnsCode::no_such_name, {}, 0, k_ede_filtered, found.why};
    } else if (!found.served) {
      out = {DnsCode::server_failure, {}, 0, k_ede_blocked, found.why};
    } else if (address) {
      out.addresses = {found.v4, found.v6};
    }
    done(query, out);
  });
}

void DnsServer::accept() {
  bool more = true;
  for (size_t i = 0; more && i < k_streams; ++i) {
    Fd fd = engine_.accept(tcp_.get(), more);
    if (!fd) continue;
    if (streams_.size() >= k_streams) {
      reset_connection(std::move(fd));
      continue;
    }
    const uint64_t id = next_stream_++;
    engine_.loop.watch(fd.get(), EPOLLIN, [this, id](uint32_t events) {
      if ((events & EPOLLOUT) != 0) write(id);
      if ((events & ~static_cast<uint32_t>(EPOLLOUT)) != 0) read(id);
    });
    streams_[id] = {std::move(fd), "", "", engine_.loop.now()};
  }
}

void DnsServer::drop(uint64_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  engine_.loop.forget(found->second.fd.get());
  streams_.erase(found);
}

void DnsServer::read(uint64_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  char buffer[4096];
  const ssize_t n = ::recv(found->second.fd.get(), buffer, sizeof buffer, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return drop(id);
  Stream& stream = found->second;
  stream.in.append(buffer, static_cast<size_t>(n));
  stream.active = engine_.loop.now();
  std::string bytes = std::move(stream.in);
  size_t at = 0;
  while (bytes.size() - at >= 2) {
    const size_t length = static_cast<size_t>(static_cast<uint8_t>(bytes[at])) << 8 |
                          static_cast<uint8_t>(bytes[at + 1]);
    if (bytes.size() - at - 2 < length) break;
    answer(std::string_view(bytes).substr(at + 2, length),
           [this, id, alive = std::weak_ptr(alive_)](const std::string& message) {
             if (alive.expired()) return;
             const auto to = streams_.find(id);
             if (to == streams_.end() || to->second.out.size() > k_unsent) return;
             to->second.out +=
                 {static_cast<char>(message.size() >> 8), static_cast<char>(message.size() & 0xff)};
             to->second.out += message;
             write(id);
           });
    at += 2 + length;
  }
  if (const auto still = streams_.find(id); still != streams_.end())
    still->second.in = bytes.substr(at);
}

void DnsServer::write(uint64_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  Stream& stream = found->second;
  const ssize_t n =
      ::send(stream.fd.get(), stream.out.data(), stream.out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0 && errno != EAGAIN && errno != EINTR) return drop(id);
  if (n > 0) stream.out.erase(0, static_cast<size_t>(n));
  engine_.loop.change(stream.fd.get(), stream.out.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT);
}

void DnsServer::sweep(MonoTime now) {
  for (auto i = streams_.begin(); i != streams_.end();) {
    const uint64_t id = i->first;
    const bool idle = now - i->second.active > k_stream_idle;
    ++i;
    if (idle) drop(id);
  }
}

}  // namespace fabric::egress
