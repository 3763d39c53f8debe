// SPDX-License-Identifier: Apache-2.0
#include "fabric/recurring_task.hpp"

#include "base/id.hpp"
#include "base/json.hpp"
#include "base/timezone.hpp"
#include "fabric/session.hpp"
#include "fabric/task_options.hpp"
#include "scheduler/cron.hpp"

namespace fabric::cmd {
namespace {

// Of whoever asks; "", which is that of whoever supervises, where it has no name.
Result<std::string> local_zone() {
  const std::string name = TRY(TimeZone::local()).name();
  return TimeZone::load(name) ? name : std::string();
}

Result<std::string> zone_of(const Arguments& arguments) {
  const auto given = arguments.value("--timezone");
  if (!given) return local_zone();
  TRY(in_context(TimeZone::load(*given), "--timezone"));
  return *given;
}

}  // namespace

Result<Recurring> recurring_task(const Arguments& arguments, const std::string& agent,
                                 const std::string& every) {
  Recurring recurring;
  recurring.id = arguments.value("--id").value_or(make_uuid7());
  TRY_STATUS(check_id(recurring.id, "task id"));
  recurring.every = every;
  TRY(in_context(CronExpression::parse(every), "--every"));
  recurring.timezone = TRY(zone_of(arguments));
  recurring.missed =
      TRY(parsed(arguments, "--missed", parse_missed_runs)).value_or(MissedRuns::skip);
  recurring.line = TRY(task_line(arguments, agent, system_clock().now(), Identity::left_out));
  if (const auto group = arguments.value("--group")) {
    TRY_STATUS(check_id(*group, "group id"));
    json::Writer w;
    w.begin_object().field("group", *group);
    recurring.line = w.take() + "," + recurring.line.substr(1);
  }
  recurring.user = login_name();
  recurring.correlation_id = correlation_id();
  return recurring;
}

std::string encode_recurring(const Recurring& recurring) {
  json::Writer w;
  w.begin_object().field("id", recurring.id).field("every", recurring.every);
  w.field("timezone", recurring.timezone).field("missed", to_string(recurring.missed));
  w.field("line", recurring.line).field("user", recurring.user);
  w.field("correlation_id", recurring.correlation_id).end_object();
  return w.take();
}

Result<AddedRecurring> add_recurring(const config::Workspace& workspace,
                                     const Recurring& recurring) {
  Client client = TRY(Client::open(workspace));
  const json::Document answer = TRY(client.perform("add_recurring", encode_recurring(recurring)));
  AddedRecurring added{recurring.id, {}, client.supervised()};
  if (const auto due = json::get_string(answer, "due"); due && !due->empty())
    added.next_run = TRY(parse_rfc3339(*due));
  return added;
}

}  // namespace fabric::cmd
