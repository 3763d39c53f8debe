// SPDX-License-Identifier: Apache-2.0
#include "supervisor/operations.hpp"

#include "base/id.hpp"
#include "scheduler/agent_scheduler.hpp"
#include "scheduler/task_lines.hpp"

namespace fabric::operations {

Result<std::vector<Task>> parse(const Submission& s) {
  TaskLineContext context{s.request_id, s.first_line, s.user, s.correlation_id, s.traceparent};
  // W3C Trace Context: version 00, a trace of its own, sampled.
  if (context.traceparent.empty())
    context.traceparent = "00-" + random_hex(16) + "-" + random_hex(8) + "-01";
  return parse_task_lines(s.lines, context);
}

Result<SubmitReply> submit(store::WriteTxn& txn, std::vector<Task> tasks, WallTime now,
                           const SchedulerRules& rules) {
  AgentScheduler scheduler(txn, now, rules);
  std::vector<Scheduled> scheduled = TRY(scheduler.schedule(std::move(tasks)));
  SubmitReply reply;
  reply.items.reserve(scheduled.size());
  for (Scheduled& s : scheduled)
    reply.items.push_back({std::move(s.task.id), s.existed, s.task.state, std::move(s.task.agent)});
  return reply;
}

DispatchRules rules_of(const config::Settings& settings) {
  DispatchRules rules;
  rules.scheduler.max_lost_attempts = settings.max_lost_attempts;
  return rules;
}

}  // namespace fabric::operations
