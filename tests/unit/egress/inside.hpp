// SPDX-License-Identifier: Apache-2.0
// A sandbox for tests of egress: a network of its own with a thread in it that speaks as the init
// does, and programs that run in it. Needs root.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "base/fd.hpp"
#include "model/egress_wire.hpp"

namespace fabric::egress {

class Inside {
 public:
  Inside();
  ~Inside();
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

  // The egress process's end of the link. May be called again: the listeners stay.
  Fd new_link();
  // In a thread of the network.
  void run(const std::function<void()>& program) const;
  // Listeners that were asked for and not closed.
  std::map<uint32_t, wire::LinkPacket> listeners();
  // Gives this descriptor in place of the next listener.
  void forge(Fd fd) {
    const std::lock_guard lock(mutex_);
    forged_ = std::move(fd);
  }

  // For programs: a blocking connection; invalid with errno set.
  static Fd connect(const std::string& address, uint16_t port);
  struct Answer {
    int code = -1;  // RCODE; -1: none came
    std::string address;
    size_t size = 0;
  };
  static Answer ask(const std::string& name, uint16_t type = 1, bool tcp = false);
  static Answer ask_v6(const std::string& name) { return ask(name, 28); }

 private:
  void serve(int link);
  void answer(int link, const wire::LinkPacket& packet);
  Fd listen_at(const wire::ListenAt& at) const;
  void make(uint32_t id, uint16_t type, const uint8_t* address, uint16_t port);

  Fd network_;
  std::thread thread_;
  Fd link_;
  std::mutex mutex_;
  std::map<uint32_t, wire::LinkPacket> packets_;
  std::map<uint32_t, Fd> fds_;
  Fd forged_;
};

std::string converse(const Fd& fd, const std::string& send);  // and read until there is something
std::string read_to_end(const Fd& fd, int* error = nullptr);

}  // namespace fabric::egress
