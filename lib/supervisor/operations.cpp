// SPDX-License-Identifier: Apache-2.0
#include "supervisor/operations.hpp"

#include <algorithm>

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
  const config::SchedulerSettings& s = settings.scheduler;
  std::copy(s.weights.begin(), s.weights.end(), rules.weights.begin());
  rules.workspace_slots = s.max_concurrent_tasks;
  rules.label_slots = s.slots;
  rules.pool_slots = s.pools;
  rules.share_weights = s.shares;
  rules.scheduler.max_pending_tasks = s.max_pending_tasks;
  rules.scheduler.max_lost_attempts = settings.max_lost_attempts;
  rules.scheduler.label_slots = s.slots;
  rules.retention = {settings.retention.tasks, settings.retention.age, settings.retention.log_bytes,
                     s.keep_events};
  return rules;
}

}  // namespace fabric::operations
