// SPDX-License-Identifier: Apache-2.0
// What agents that learn turn out to need: kept in learned.toml in the directory of their state, to
// which every run adds. In the I/O thread; files are written in the launcher's.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "base/event_loop.hpp"
#include "config/workspace.hpp"
#include "isolation/learned_policy.hpp"
#include "model/agent.hpp"
#include "supervisor/launcher_thread.hpp"

namespace fabric {

class Learner {
 public:
  Learner(const config::Workspace& workspace, EventLoop& loop, LauncherThread& launcher)
      : workspace_(workspace), loop_(loop), launcher_(launcher) {}

  void add(const Agent& agent, const LearnedUse& use);
  void add_host(const Agent& agent, const std::string& host, int64_t port, bool is_private);
  // One more run is in the file when `written` is called.
  void run_ended(const Agent& agent, std::function<void()> written);
  void forget(const std::string& agent_id) { agents_.erase(agent_id); }

 private:
  struct Entry {
    LearnedPolicy policy;
    SandboxOptions options;
    std::vector<std::string> command;
    bool waiting = false;  // for the next time to write
  };
  Entry& entry_of(const Agent& agent);
  void write_later(const std::string& id);
  void write(const std::string& id, std::function<void()> written);

  const config::Workspace& workspace_;
  EventLoop& loop_;
  LauncherThread& launcher_;
  std::map<std::string, Entry> agents_;
};

}  // namespace fabric
