// SPDX-License-Identifier: Apache-2.0
// A workspace of a benchmark, with a real supervisor. bench_main takes it down and removes it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "bench_support.hpp"
#include "config/workspace.hpp"
#include "model/agent.hpp"
#include "store/store.hpp"

namespace fabric::bench {

// A connection to the control socket that does no more than calls: unlike a Client it opens no
// store, so that the benchmark can have its own.
class Connection {
 public:
  explicit Connection(const std::string& socket_path);
  // Sends one line (newline included) and returns the answer line.
  std::string exchange(const std::string& line);
  // Throws when the answer is an error.
  void call(std::string_view method, const std::string& params_json);

 private:
  Fd socket_;
  int64_t next_ = 1;
  std::string received_;
};

class Workspace {
 public:
  // Made by `fabric init` in DIRECTORY/NAME; the process moves into it.
  Workspace(const std::string& directory, const std::string& name);

  void up();
  void down();
  [[nodiscard]] const config::Workspace& paths() const { return paths_; }
  [[nodiscard]] std::string socket() const { return paths_.control_socket(); }
  // Opened once, at the first call: do not mix with a Client that has no supervisor.
  store::Store& store();

  // With the workspace's defaults.
  AgentDefinition definition(const std::string& id, std::vector<std::string> command) const;
  // Copies a program of tests/bench/programs to where the agent sees it as ./NAME.
  void give(const std::string& agent, const std::string& program_name) const;
  void spawn(Connection& connection, const AgentDefinition& definition) const;
  // An agent that is busy for ever: what is scheduled for it stays in the queue.
  void spawn_busy(const std::string& id) const;

  [[nodiscard]] TaskCounts counts();
  // Until so many tasks have ended, looking every few milliseconds; they must all have completed.
  void wait_until_completed(uint64_t tasks, int patience_seconds);
  // Until this one has ended, watching the store's bell; it must have completed.
  void wait_for_task(const std::string& id);
  std::string result_of(const std::string& id);

 private:
  config::Workspace paths_;
  std::unique_ptr<store::Store> store_;
};

// A submission of `count` tasks for `agent` with the payload {"n":N}, as the client makes it.
std::string task_lines(const std::string& agent, size_t count);
// The call that schedules them, as one line.
std::string schedule_call(const std::string& lines);
// What stamp and echo_worker wrote: nanoseconds of CLOCK_MONOTONIC.
int64_t stamp_in(const std::string& text);

}  // namespace fabric::bench
