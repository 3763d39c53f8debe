// SPDX-License-Identifier: Apache-2.0
// Other queues, for the same work in the same run: beanstalkd (a durable work queue for programs),
// task-spooler and nq (commands, one after the other). `./dev bench` unpacks Debian's packages of
// them below build/peers, without installing or starting anything; $FABRIC_PEERS names that place.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "bench_support.hpp"

namespace fabric::bench {

// The path of a peer's program, below $FABRIC_PEERS or in $PATH; empty when it is not there.
std::string peer(const std::string& name);

// A beanstalkd of our own that syncs its log at every write (-f0), as fabric does. Ended with it.
class Beanstalkd {
 public:
  // DIRECTORY is made; throws when the daemon does not answer within some seconds.
  Beanstalkd(const std::string& program, const std::string& directory);
  ~Beanstalkd();
  Beanstalkd(const Beanstalkd&) = delete;
  Beanstalkd& operator=(const Beanstalkd&) = delete;
  [[nodiscard]] uint16_t port() const { return port_; }

 private:
  uint16_t port_;
  pid_t pid_;
};

// Puts jobs, and waits for each answer.
class BeanstalkProducer {
 public:
  explicit BeanstalkProducer(uint16_t port);
  void put(const std::string& body);

 private:
  Fd socket_;
};

// `consumers` connections that each reserve a job, hand its body over and delete it, until `jobs`
// were taken. In the calling thread.
void consume(uint16_t port, size_t consumers, size_t jobs,
             const std::function<void(const std::string&)>& taken);

}  // namespace fabric::bench
