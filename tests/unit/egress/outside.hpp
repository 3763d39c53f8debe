// SPDX-License-Identifier: Apache-2.0
// What stands outside of a sandbox in tests of egress: servers on loopback that note what they get,
// and a supervisor that talks with the egress process, which is a thread or the real program.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.hpp"
#include "base/json.hpp"

namespace fabric::egress {

// Accepts on 127.A.B.C and gives each connection to `serve`, in a thread of its own.
class HostServer {
 public:
  using Serve = std::function<void(int fd)>;
  // Port 0: any.
  HostServer(const std::string& address, uint16_t port, Serve serve);
  ~HostServer();
  HostServer(const HostServer&) = delete;
  HostServer& operator=(const HostServer&) = delete;
  [[nodiscard]] uint16_t port() const { return port_; }
  [[nodiscard]] int connections() const { return connections_; }
  void note(const std::string& bytes);
  std::string noted();

 private:
  Fd listener_;
  uint16_t port_ = 0;
  Serve serve_;
  std::thread thread_;
  std::mutex mutex_;
  std::vector<std::thread> serving_;
  std::vector<int> open_;
  std::string noted_;
  std::atomic<int> connections_{0};
};
HostServer::Serve echo();

class Outside {
 public:
  // `binary`: run the program itself, confined as it is; else the engine in a thread.
  Outside(const std::string& hosts, bool binary);
  ~Outside();
  Outside(const Outside&) = delete;
  Outside& operator=(const Outside&) = delete;

  void connect();  // as a supervisor; also again
  void send(const std::string& packet, const std::vector<int>& fds = {});
  // The next message of this type; aborts the test after ten seconds. Others are kept.
  json::Document wait(const std::string& type);
  bool wait_until(const std::string& type, const std::function<bool(const json::Value&)>& holds);
  void attach(const std::string& name, Fd link, const std::vector<std::string>& rules,
              const std::string& more = "", const std::vector<int>& fds = {});
  void rules(const std::string& name, const std::vector<std::string>& rules);
  [[nodiscard]] std::string directory() const { return directory_; }
  void stop();

 private:
  struct Thread;
  std::string directory_, authorities_;
  Fd listener_, supervisor_;
  std::vector<std::string> received_;
  std::unique_ptr<Thread> thread_;
  pid_t process_ = -1;
};

}  // namespace fabric::egress
