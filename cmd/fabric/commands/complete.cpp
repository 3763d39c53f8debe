// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <charconv>

#include "base/fd.hpp"
#include "base/id.hpp"
#include "fabric/commands.hpp"
#include "fabric/lease.hpp"
#include "fabric/output.hpp"
#include "fabric/text.hpp"
#include "model/task.hpp"

namespace fabric::cmd {
namespace {

struct Completed {
  std::string id, state;
};

constexpr auto k_fields = std::to_array<JsonField<Completed>>({
    {"id", "The task's id.", [](json::Writer& w, const Completed& v) { w.string(v.id); }},
    {"state", "Its state now: completed; failed; or pending, when it is tried again.",
     [](json::Writer& w, const Completed& v) { w.string(v.state); }},
});
JsonShape complete_shape() { return shape_of<k_fields>(); }

Result<std::string> read_result(const std::string& text) {
  if (text == "-") return in_context(read_all(STDIN_FILENO, k_result_head), "--result -");
  if (text.starts_with('@'))
    return in_context(read_file(text.substr(1), k_result_head), "--result");
  return text;
}

Result<int> parse_code(std::string_view text) {
  int code = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), code);
  if (error != std::errc{} || end != text.data() + text.size() || code < 1 || code > 255)
    return fail(ErrorCode::usage, "invalid exit code '" + printable(text) + "'",
                "write a number from 1 to 255");
  return code;
}

Result<std::string> params_of(const Arguments& arguments, const std::string& id) {
  const auto result = arguments.value("--result");
  const auto error = arguments.value("--error");
  const auto code = TRY(parsed(arguments, "--exit-code", parse_code));
  if (result.has_value() == error.has_value())
    return fail(ErrorCode::usage,
                result ? "complete: --result and --error exclude each other"
                       : "complete: how did it end? --result or --error is missing",
                "a task that worked: --result TEXT; one that did not: --error TEXT");
  if (code && !error)
    return fail(ErrorCode::usage, "complete: --exit-code needs --error",
                "a task with a result has completed");
  json::Writer params;
  params.begin_object().field("id", id).field("lease", TRY(lease_of(arguments)));
  if (result) params.field("result", TRY(read_result(*result)));
  if (error) params.field("error", *error);
  if (code) params.field("exit_code", *code);
  params.end_object();
  return params.take();
}

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  Completed completed;
  completed.id = arguments.positional(0);
  TRY_STATUS(check_id(completed.id, "task id"));
  const std::string params = TRY(params_of(arguments, completed.id));
  const json::Document answer = TRY(perform(arguments, "complete", params));
  completed.state = json::get_string(answer, "state").value_or("");
  if (json::get_bool(answer, "late").value_or(false))
    return fail(ErrorCode::failed,
                "too late: task " + completed.id + " is " + completed.state +
                    " already, and stays so; an answer to its last lease is kept beside",
                "see it with: fabric explain " + completed.id);
  if (choice.wanted()) {
    TRY_STATUS(print(choice.object(k_fields, completed) + "\n"));
    return 0;
  }
  const bool again = completed.state == to_string(TaskState::pending);
  TRY_STATUS(print(completed.id + (again ? " failed, and will be tried again\n"
                                         : " is " + completed.state + "\n")));
  return 0;
}

constexpr Positional k_positionals[] = {{"ID", "A task that was claimed.", Complete::task}};
constexpr Option k_options[] = {
    k_lease,
    {"--result", "", "TEXT|@FILE|-",
     "It completed, and this is its result: any text of at most 64 KiB, as given, from a file, or "
     "from standard input.",
     Takes::value, Complete::file},
    {"--error", "", "TEXT", "It failed, and this is why."},
    {"--exit-code", "", "N", "Exit code of a task that failed, 1 to 255. Default: 1."}};
constexpr Example k_examples[] = {
    {"fabric complete t1 --lease 17 --result '{\"ok\": true}'", "Task t1 completed."},
    {"fabric complete t1 --lease 17 --error 'no access' --exit-code 3", "Task t1 failed."}};

}  // namespace

const Command k_complete_command{
    "complete",
    Group::tasks,
    "say how a claimed task ended",
    "The result is kept as it is, as if a process had printed it: it may be JSON, which later "
    "tasks can refer to by key, or any other text; see fabric-result(1). A task that failed is "
    "tried again when its retry policy says so.\n\n"
    "Refused with exit code 1 when the lease is over, because the task was claimed again or went "
    "back to the queue. When the task has ended meanwhile, for example because it was cancelled, "
    "the answer to its last lease is kept beside and changes nothing; the exit code is 1 too.",
    k_positionals,
    k_options,
    {},
    k_examples,
    complete_shape,
    run};

}  // namespace fabric::cmd
