// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <unistd.h>

#include "fabric/commands.hpp"
#include "fabric/follow.hpp"
#include "fabric/json_views.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/submission.hpp"
#include "fabric/task_exit.hpp"
#include "fabric/task_options.hpp"
#include "fabric/text.hpp"
#include "fabric/views.hpp"

namespace fabric::cmd {
namespace {

Result<std::string> schedule(const config::Workspace& workspace, const Submission& submission) {
  Client client = TRY(Client::open(workspace));
  const SubmitReply reply = TRY(client.schedule(submission));
  if (reply.items.empty()) return fail(ErrorCode::failed, "scheduling: no answer");
  return reply.items[0].id;
}

Status cancel(const config::Workspace& workspace, const std::string& id) {
  Client client = TRY(Client::open(workspace));
  TRY(client.cancel(id));
  return {};
}

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const std::string agent = arguments.positional(0);
  const Submission submission =
      submission_of(TRY(task_line(arguments, agent, system_clock().now())));
  const config::Workspace workspace = TRY(workspace_of(arguments));
  if (!agent.empty()) {
    const store::Store store = TRY(open_store(workspace));
    TRY(require_agent(TRY(store.read()), agent));
  }
  TRY(ensure_supervisor(workspace));
  const std::string id = TRY(schedule(workspace, submission));

  int stopped_by = 0;
  FollowOptions options;
  if (!choice.wanted()) options.out = standard_sink(STDOUT_FILENO);
  options.err = standard_sink(STDERR_FILENO);
  options.signals = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
  options.on_signal = [&](int signal) -> Status {
    stopped_by = signal;
    const Status cancelled = cancel(workspace, id);
    if (cancelled && signal == SIGINT) note("cancelling " + id + "; once more to leave at once");
    return {};  // it may have ended meanwhile
  };
  Follower follower = TRY(Follower::open(workspace, id, std::move(options)));
  auto followed = follower.run();
  if (!followed) {
    // Output that nobody takes any more ends the task, as it would end a command in a pipe.
    if (followed.error().hint == k_broken_pipe) static_cast<void>(cancel(workspace, id));
    return fail(std::move(followed).error());
  }
  const Task& task = *followed;
  if (choice.wanted()) TRY_STATUS(print(task_json(choice, task) + "\n"));
  if (stopped_by != 0) return 128 + stopped_by;
  const bool said_by_code = task.reason == Reason::exit || task.state == TaskState::completed;
  if (!said_by_code) note("task " + task.id + " " + state_in_words(task));
  const std::string likely = said_by_code ? likely_cause(task) : "";
  if (!likely.empty()) note("likely: " + printable(likely));
  return exit_code_of(task);
}

constexpr Positional k_positionals[] = {
    {"AGENT", "The agent that is to run it.", Complete::agent, {}, false}};
constexpr Example k_examples[] = {
    {"fabric run coder --payload @task.json", "Runs one task and shows what it prints."},
    {"fabric run tests --timeout 10m || echo failed", "Its exit code is the task's."}};

}  // namespace

const Command k_run_command{
    "run",
    Group::tasks,
    "run one task and show its output as it comes",
    "Schedules a task, copies its standard output and standard error, and exits with its exit "
    "code: "
    "128+n when signal n ended it, 8 when it timed out, 1 when it was cancelled. 125 is fabric's "
    "own "
    "failure. Ctrl-C cancels the task (exit code 130); a second one leaves at once. Starts the "
    "supervisor when none runs. With --json the answer is the task when it has ended, and not its "
    "standard output.",
    k_positionals,
    k_task_options,
    {},
    k_examples,
    task_shape,
    run,
    /*in_workspace=*/true,
    /*gives_task_code=*/true};

}  // namespace fabric::cmd
