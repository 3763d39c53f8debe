// SPDX-License-Identifier: Apache-2.0
// What sandboxes deny, on its way to the store, and to the reasons of the tasks that failed of it.
// In the I/O thread.
//
// An agent can be denied as often as it likes: what is equal is counted, a few different ones a
// second are kept of each agent, and one transaction a second at most is made for all of them.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "base/event_loop.hpp"
#include "isolation/egress_messages.hpp"
#include "isolation/init_connection.hpp"
#include "isolation/seccomp_policies.hpp"
#include "model/agent.hpp"
#include "model/task.hpp"
#include "model/violation.hpp"
#include "supervisor/store_thread.hpp"

namespace fabric {

class ViolationLog {
 public:
  ViolationLog(StoreThread& writer, EventLoop& loop, const Clock& clock)
      : writer_(writer), loop_(loop), clock_(clock) {}

  // `agent` and the task are filled in; so is the time where there is none.
  void add(const Agent& agent, Violation violation);
  void add(const Agent& agent, const std::string& task, const DeniedCall& denied);
  // The most likely of this attempt in words; "" when nothing was denied.
  [[nodiscard]] std::string likely(const Agent& agent, const Task& task) const;
  // The task of the newest equal one of the last seconds; "" when there is none.
  [[nodiscard]] std::string task_denied_the_same(const Agent& agent,
                                                 const Violation& violation) const;
  void forget(const Agent& agent);
  void write_now();

 private:
  std::string allow_line(const std::string& selection, const DeniedCall& denied);

  StoreThread& writer_;
  EventLoop& loop_;
  const Clock& clock_;
  SeccompPolicies policies_;
  std::map<std::string, std::string> allow_lines_;
  std::map<uint32_t, std::vector<Violation>> unwritten_;
  std::map<uint32_t, std::deque<Violation>> recent_;  // newest last
  bool waiting_ = false;                              // for the next time to write
};

// A call with its arguments as far as they matter: "socket(AF_VSOCK)".
std::string describe_call(const DeniedCall& denied);
// Of the egress process, which says it of a sandbox; not which task it was.
Violation egress_violation(const EgressRefused& refused);

}  // namespace fabric
