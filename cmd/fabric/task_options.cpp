// SPDX-License-Identifier: Apache-2.0
#include "fabric/task_options.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/fd.hpp"
#include "base/id.hpp"
#include "base/json.hpp"
#include "fabric/moment.hpp"
#include "fabric/text.hpp"
#include "model/task.hpp"

namespace fabric::cmd {
namespace {

using json::Writer;

tl::unexpected<Error> bad(const std::string& message, std::string hint = {}) {
  return fail(ErrorCode::usage, message, std::move(hint));
}

Status add_text(const Arguments& arguments, std::string_view option, std::string_view field,
                Writer& task) {
  const auto text = arguments.value(option);
  if (!text) return {};
  if (text->empty()) return bad(std::string(option) + " is empty");
  task.field(field, *text);
  return {};
}

Status add_seconds(const Arguments& arguments, std::string_view option, std::string_view field,
                   Writer& task) {
  const auto duration = TRY(parsed(arguments, option, parse_duration));
  if (!duration) return {};
  if (duration->ns <= 0) return bad(std::string(option) + ": a task needs more time than 0s");
  task.field(field, duration->to_seconds());
  return {};
}

Status add_identity(const Arguments& arguments, Naming naming, Writer& task) {
  if (const auto type = arguments.value("--type")) task.field("type", *type);
  if (naming == Naming::by_others) return {};
  if (arguments.has("--id") && arguments.has("--idempotency-key"))
    return bad("--id and --idempotency-key exclude each other");
  if (const auto id = arguments.value("--id")) {
    TRY_STATUS(check_id(*id, "task id"));
    task.field("id", *id);
  }
  TRY_STATUS(add_text(arguments, "--idempotency-key", "idempotency_key", task));
  if (const auto group = arguments.value("--group")) {
    TRY_STATUS(check_id(*group, "group id"));
    task.field("group", *group);
  }
  return {};
}

// "A,B" of each use of the option, empty parts refused.
Result<std::vector<std::string>> listed(const Arguments& arguments, std::string_view option) {
  std::vector<std::string> items;
  for (const std::string& text : arguments.values(option))
    for (std::string_view item : split(text, ',')) {
      if (item.empty())
        return bad(std::string(option) + " '" + printable(text) + "': an entry is empty");
      items.emplace_back(item);
    }
  return items;
}

void add_list(Writer& task, std::string_view field, const std::vector<std::string>& items) {
  task.key(field).begin_array();
  for (const std::string& item : items) task.string(item);
  task.end_array();
}

Status add_dependencies(const Arguments& arguments, Writer& task) {
  const std::vector<std::string> ids = TRY(listed(arguments, "--after"));
  for (const std::string& id : ids) TRY_STATUS(in_context(check_id(id, "task id"), "--after"));
  if (!ids.empty()) add_list(task, "depends_on", ids);
  const auto policy = TRY(parsed(arguments, "--after-policy", parse_after_policy));
  if (!policy) return {};
  if (ids.empty()) return bad("--after-policy without --after");
  task.field("after", to_string(*policy));
  return {};
}

Status add_times(const Arguments& arguments, WallTime now, Writer& task) {
  TRY_STATUS(add_seconds(arguments, "--timeout", "timeout_seconds", task));
  TRY_STATUS(add_seconds(arguments, "--no-progress-timeout", "no_progress_timeout_seconds", task));
  TRY_STATUS(add_seconds(arguments, "--queue-ttl", "queue_ttl_seconds", task));
  if (const auto text = arguments.value("--deadline")) {
    const WallTime deadline = TRY(in_context(parse_moment_or_delay(*text, now), "--deadline"));
    if (deadline <= now) return bad("--deadline: " + printable(*text) + " has passed already");
    task.field("deadline", to_rfc3339(deadline));
  }
  if (arguments.has("--at") && arguments.has("--delay"))
    return bad("--at and --delay exclude each other");
  if (const auto text = arguments.value("--at"))
    task.field("start_at", to_rfc3339(TRY(in_context(parse_moment(*text, now), "--at"))));
  if (const auto delay = TRY(parsed(arguments, "--delay", parse_duration)))
    task.field("start_at", to_rfc3339(now + *delay));
  return {};
}

Result<uint32_t> parse_retries(std::string_view text) {
  uint32_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || end != text.data() + text.size() || count > k_max_retries)
    return bad("invalid number '" + printable(text) + "'",
               "write a number from 0 to " + std::to_string(k_max_retries));
  return count;
}

Status add_retries(const Arguments& arguments, Writer& task) {
  const auto limit = TRY(parsed(arguments, "--retries", parse_retries));
  if (limit) task.field("retries", *limit);
  const auto backoff = TRY(parsed(arguments, "--backoff", parse_backoff));
  const std::vector<std::string> on = TRY(listed(arguments, "--retry-on"));
  if (!limit && (backoff || !on.empty()))
    return bad(std::string(backoff ? "--backoff" : "--retry-on") + " without --retries",
               "say how often: --retries 3");
  if (backoff) task.field("backoff", to_string(*backoff));
  for (const std::string& entry : on) TRY_STATUS(in_context(check_retry_on(entry), "--retry-on"));
  if (!on.empty()) add_list(task, "retry_on", on);
  return {};
}

Status add_placement(const Arguments& arguments, Writer& task) {
  if (const auto slots = TRY(parsed(arguments, "--slots", parse_slots))) {
    task.key("slots").begin_object();
    for (const auto& [label, count] : *slots) task.field(label, count);
    task.end_object();
  }
  TRY_STATUS(add_text(arguments, "--share", "share", task));
  TRY_STATUS(add_text(arguments, "--exclusive", "exclusive", task));
  Requirements require;
  for (const std::string& text : arguments.values("--require")) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos)
      return bad("--require '" + printable(text) + "': no KEY=VALUE",
                 "write for example --require tool=browser");
    require.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  TRY_STATUS(in_context(normalise(require), "--require"));
  if (require.empty()) return {};
  task.key("require").begin_object();
  for (size_t i = 0; i < require.size(); ++i) {  // sorted: values of one key are neighbours
    if (i == 0 || require[i - 1].first != require[i].first)
      task.key(require[i].first).begin_array();
    task.string(require[i].second);
    if (i + 1 == require.size() || require[i + 1].first != require[i].first) task.end_array();
  }
  task.end_object();
  return {};
}

}  // namespace

Result<std::string> read_payload(const std::string& text) {
  std::string payload = text;
  std::string where = "--payload";
  if (text == "-") {
    payload = TRY(in_context(read_all(STDIN_FILENO, k_max_payload), "--payload -"));
  } else if (text.starts_with('@')) {
    where = text.substr(1);
    payload = TRY(in_context(read_file(where, k_max_payload), "--payload"));
  }
  const Status valid = json::validate(payload);
  if (!valid)
    return fail(
        ErrorCode::usage, where + ": " + valid.error().message,
        text == payload && !text.starts_with('{')
            ? "text has to be quoted as JSON: --payload '\"text\"'; a file is --payload @FILE"
            : "");
  // A line feed in valid JSON stands between tokens, where a space means the same; tasks travel as
  // lines.
  std::replace(payload.begin(), payload.end(), '\n', ' ');
  std::replace(payload.begin(), payload.end(), '\r', ' ');
  return payload;
}

Status check_target(const Arguments& arguments, const std::string& agent) {
  const std::string name(arguments.command().name);
  if (!arguments.has("--require"))
    return agent.empty() ? Status(fail(ErrorCode::usage, name + ": AGENT is missing",
                                       "see 'fabric " + name + " --help'"))
                         : check_id(agent, "agent id");
  if (!agent.empty())
    return bad(name + ": AGENT and --require exclude each other",
               "--require finds the agent itself");
  return {};
}

Result<std::string> task_line(const Arguments& arguments, const std::string& agent, WallTime now,
                              Naming naming) {
  TRY_STATUS(check_target(arguments, agent));
  Writer task;
  task.begin_object();
  if (!agent.empty()) task.field("agent", agent);
  TRY_STATUS(add_identity(arguments, naming, task));
  if (const auto priority = TRY(parsed(arguments, "--priority", parse_priority)))
    task.field("priority", to_string(*priority));
  TRY_STATUS(add_dependencies(arguments, task));
  TRY_STATUS(add_times(arguments, now, task));
  TRY_STATUS(add_retries(arguments, task));
  TRY_STATUS(add_placement(arguments, task));
  const auto metadata = TRY(parsed_pairs(arguments, "--metadata"));
  if (!metadata.empty()) {
    task.key("metadata").begin_object();
    for (const auto& [key, value] : metadata) task.field(key, value);
    task.end_object();
  }
  task.key("payload").raw(TRY(read_payload(arguments.value("--payload").value_or("{}"))));
  task.end_object();
  return task.take();
}

}  // namespace fabric::cmd
