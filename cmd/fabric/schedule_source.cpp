// SPDX-License-Identifier: Apache-2.0
#include "fabric/schedule_source.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "base/id.hpp"
#include "fabric/array.hpp"
#include "fabric/dag.hpp"

namespace fabric::cmd {
namespace {

using Kind = ScheduleSource::Kind;

tl::unexpected<Error> exclude(std::string_view one, std::string_view other, std::string hint) {
  return fail(
      ErrorCode::usage,
      "schedule: " + std::string(one) + " and " + std::string(other) + " exclude each other",
      std::move(hint));
}

Result<ScheduleSource> which(const Arguments& arguments) {
  ScheduleSource source;
  std::string_view chosen;
  for (const auto& [name, kind] :
       {std::pair("--batch", Kind::batch), std::pair("--array", Kind::array),
        std::pair("--dag", Kind::dag), std::pair("--every", Kind::recurring)}) {
    const auto from = arguments.value(name);
    if (!from) continue;
    if (!chosen.empty()) return exclude(chosen, name, "");
    chosen = name;
    source.kind = kind;
    source.from = *from;
  }
  return source;
}

// What says it for one task has no place where each task says it itself.
Status refuse_task_options(const Arguments& arguments, const ScheduleSource& source) {
  const char* name = source.kind == Kind::batch ? "--batch" : "--dag";
  const bool names_group = source.kind == Kind::dag;
  const auto refuse = [&](std::span<const Option> options) -> Status {
    for (const Option& option : options) {
      if (names_group && (option.name == "--group" || option.name == "--id")) continue;
      if (arguments.has(option.name))
        return exclude(option.name, name, "there each task says it for itself");
    }
    return {};
  };
  TRY_STATUS(refuse(k_task_options));
  TRY_STATUS(refuse(k_start_options));
  if (!arguments.positionals().empty())
    return exclude("AGENT", name, "there each task names its agent");
  return {};
}

Result<std::string> group_of(const Arguments& arguments) {
  if (arguments.has("--id") && arguments.has("--group"))
    return exclude("--id", "--group", "the ids of the tasks are made from the group");
  const auto given = arguments.has("--id") ? arguments.value("--id") : arguments.value("--group");
  if (!given) return make_uuid7();
  TRY_STATUS(check_id(*given, "group id"));
  return *given;
}

Status check_recurring(const Arguments& arguments) {
  for (const char* option :
       {"--at", "--delay", "--deadline", "--idempotency-key", "--wait", "--wait-for-space"})
    if (arguments.has(option))
      return exclude(option, "--every", "it means one run, and there will be many");
  return {};
}

}  // namespace

Result<ScheduleSource> schedule_source(const Arguments& arguments) {
  ScheduleSource source = TRY(which(arguments));
  source.agent = arguments.positional(0);
  if (source.kind != Kind::recurring)
    for (const char* option : {"--timezone", "--missed"})
      if (arguments.has(option))
        return fail(ErrorCode::usage, "schedule: " + std::string(option) + " without --every");
  if (source.kind == Kind::batch || source.kind == Kind::dag)
    TRY_STATUS(refuse_task_options(arguments, source));
  else
    TRY_STATUS(check_target(arguments, source.agent));
  if (source.kind == Kind::array && arguments.has("--idempotency-key"))
    return exclude("--idempotency-key", "--array", "the same --group makes the same tasks");
  if (source.kind == Kind::array || source.kind == Kind::dag)
    source.group = TRY(group_of(arguments));
  if (source.kind == Kind::recurring) TRY_STATUS(check_recurring(arguments));
  return source;
}

Status for_each_submission(const Arguments& arguments, const ScheduleSource& source,
                           size_t most_lines, const Submit& submit) {
  const WallTime now = system_clock().now();
  switch (source.kind) {
    case Kind::batch:
      return for_each_slice(source.from, most_lines, submit);
    case Kind::array: {
      const std::string line = TRY(task_line(arguments, source.agent, now, Identity::left_out));
      return for_each_array_slice({source.from, line, source.group}, most_lines, submit);
    }
    case Kind::dag: {
      Submission whole = new_submission();
      for (const std::string& line :
           TRY(dag_lines(source.from, TRY(read_dag_file(source.from)), source.group)))
        whole.lines += line + "\n";
      return submit(whole);
    }
    case Kind::one:
    case Kind::recurring:
      break;
  }
  return submit(submission_of(TRY(task_line(arguments, source.agent, now))));
}

}  // namespace fabric::cmd
