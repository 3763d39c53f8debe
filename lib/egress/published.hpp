// SPDX-License-Identifier: Apache-2.0
// Ports of the host that lead to ports inside one sandbox. The init connects inside; this side only
// joins the two sockets. One thread, the loop's.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "egress/engine.hpp"
#include "egress/link.hpp"
#include "model/sandbox_rules.hpp"

namespace fabric::egress {

class Published {
 public:
  using Rules = std::vector<std::pair<PublishRule, Fd>>;
  // `joined`: a program outside and, inside, a socket whose connect() has begun.
  using Joined = std::function<void(Fd inside, Fd outside, const PublishRule& rule)>;
  Published(Engine& engine, Link& link, Rules rules, std::function<bool()> has_room, Joined joined);
  ~Published();
  Published(const Published&) = delete;
  Published& operator=(const Published&) = delete;

  void connected(uint32_t id, Fd inside);

 private:
  void accept(size_t rule);
  struct Waiting {
    size_t rule;
    Fd outside;
  };
  Engine& engine_;
  Link& link_;
  Rules rules_;
  std::function<bool()> has_room_;
  Joined joined_;
  std::map<uint32_t, Waiting> waiting_;
  uint32_t next_id_ = 1;
};

}  // namespace fabric::egress
