// SPDX-License-Identifier: Apache-2.0
// What all sandboxes of one egress process share. One thread, the loop's; the resolver has threads
// of its own.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/event_loop.hpp"
#include "egress/channel.hpp"
#include "egress/reporter.hpp"
#include "egress/resolver.hpp"

namespace fabric::egress {

class TlsContext;

struct Engine {
  Engine(EventLoop& l, const Clock& clock, std::vector<std::string> hosts)
      : loop(l), resolver(l, std::move(hosts)), reporter(clock) {}

  // Frees `dead` when no handler can be running in it any more.
  void bury(std::shared_ptr<void> dead) {
    if (graves.empty())
      loop.post(
          [this] { const std::vector<std::shared_ptr<void>> now = std::exchange(graves, {}); });
    graves.push_back(std::move(dead));
  }
  // accept4(2), not blocking. Without a free descriptor the connection is reset, by means of a
  // spare one: left in the queue it would keep the loop awake. `more`: ask again.
  Fd accept(int listener, bool& more);

  EventLoop& loop;
  Resolver resolver;
  Reporter reporter;
  PipePool pipes;
  // For injections. To read whom the machine trusts takes longer than all else at the start of the
  // process: done when the first injection comes, by open_tls, which sets tls if it can.
  TlsContext* tls = nullptr;
  std::function<void()> open_tls;
  std::vector<std::shared_ptr<void>> graves;
  Fd spare;
};

// close(2) that the other side sees as an error (RST), not as the end of what was sent.
void reset_connection(Fd fd);

}  // namespace fabric::egress
