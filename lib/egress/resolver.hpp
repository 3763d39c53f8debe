// SPDX-License-Identifier: Apache-2.0
// Names of the outside world, asked only for connections that a rule allows. Hosts files come
// first, then getaddrinfo(3) with a final dot, so that no search domain is tried.
//
// Threads: resolve() and callbacks are the loop's; four threads of its own wait for getaddrinfo.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/event_loop.hpp"
#include "egress/address.hpp"

namespace fabric::egress {

struct Resolution {
  std::vector<Address> addresses;
  std::string error;  // set when there are none
};

class Resolver {
 public:
  using Done = std::function<void(const Resolution&)>;
  using LookUp = std::function<Resolution(const std::string& name)>;  // in any thread
  // `hosts`: files as /etc/hosts, read anew for each question; the first that knows a name counts.
  // `look_up`: in place of those and of the system, for tests.
  Resolver(EventLoop& loop, std::vector<std::string> hosts, LookUp look_up = {});
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // `who`: at most 64 questions of one asker wait at a time; more fail at once. Two of them are
  // asked at a time, so that the names of one, whose servers do not answer, leave room for those of
  // others. `done` may be called before this returns.
  void resolve(uint64_t who, const std::string& name, Done done);
  // Addresses of this machine's interfaces, at most ten seconds old.
  const std::vector<Address>& own_addresses();

 private:
  struct Waiting {
    uint64_t who;
    Done done;
  };
  struct Cached {
    Resolution resolution;
    MonoTime until;
  };
  struct Question {
    uint64_t who;
    std::string name;
  };
  void work();
  std::deque<Question>::iterator next();
  void answered(const std::string& name, Resolution resolution);

  EventLoop& loop_;
  LookUp look_up_;
  std::unordered_map<std::string, std::vector<Waiting>> waiting_;
  std::unordered_map<uint64_t, int> asked_;
  std::unordered_map<std::string, Cached> cache_;
  std::vector<Address> own_;
  MonoTime own_until_{};
  std::mutex mutex_;  // of what follows
  std::condition_variable wake_;
  std::deque<Question> queue_;
  std::unordered_map<uint64_t, int> busy_;  // threads that ask for whom
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

// What a hosts file says of a name.
std::vector<Address> find_in_hosts(std::string_view text, std::string_view name);

}  // namespace fabric::egress
