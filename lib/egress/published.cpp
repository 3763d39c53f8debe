// SPDX-License-Identifier: Apache-2.0
#include "egress/published.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace fabric::egress {
namespace {
constexpr size_t k_waiting = 128;
constexpr int k_accepts_a_round = 16;
}  // namespace

Published::Published(Engine& engine, Link& link, Rules rules, std::function<bool()> has_room,
                     Joined joined)
    : engine_(engine),
      link_(link),
      rules_(std::move(rules)),
      has_room_(std::move(has_room)),
      joined_(std::move(joined)) {
  for (size_t i = 0; i < rules_.size(); ++i) {
    const int fd = rules_[i].second.get();
    ::fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
    engine_.loop.watch(fd, EPOLLIN, [this, i](uint32_t) { accept(i); });
  }
}

Published::~Published() {
  for (const auto& [rule, fd] : rules_) engine_.loop.forget(fd.get());
}

void Published::accept(size_t rule) {
  bool more = true;
  for (int i = 0; more && i < k_accepts_a_round; ++i) {
    Fd outside = engine_.accept(rules_[rule].second.get(), more);
    if (!outside) continue;
    if (waiting_.size() >= k_waiting || !has_room_()) {
      reset_connection(std::move(outside));
      continue;
    }
    wire::ListenAt at{};
    at.family = AF_INET;
    at.type = SOCK_STREAM;
    at.port = rules_[rule].first.inside_port;
    at.address[0] = 127;
    at.address[3] = 1;
    const uint32_t id = next_id_++;
    waiting_[id] = {rule, std::move(outside)};
    link_.connect(id, at);
  }
}

void Published::connected(uint32_t id, Fd inside) {
  const auto found = waiting_.find(id);
  if (found == waiting_.end()) return;
  Waiting waiting = std::move(found->second);
  waiting_.erase(found);
  if (!inside) return reset_connection(std::move(waiting.outside));
  joined_(std::move(inside), std::move(waiting.outside), rules_[waiting.rule].first);
}

}  // namespace fabric::egress
