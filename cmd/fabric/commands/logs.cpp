// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "fabric/commands.hpp"
#include "fabric/follow.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/task_output.hpp"
#include "fabric/text.hpp"

namespace fabric::cmd {
namespace {

struct Line {
  std::string_view task;
  TaskStream stream = TaskStream::out;
  std::string_view text;
};

constexpr auto k_fields = std::to_array<JsonField<Line>>({
    {"task", "The task's id.", [](json::Writer& w, const Line& v) { w.string(v.task); }},
    {"stream", "stdout or stderr.",
     [](json::Writer& w, const Line& v) {
       w.string(v.stream == TaskStream::out ? "stdout" : "stderr");
     }},
    {"text", "One line, without its line feed. Bytes that are not UTF-8 are replaced.",
     [](json::Writer& w, const Line& v) { w.string(v.text); }},
});
JsonShape logs_shape() { return shape_of<k_fields>(); }

// Turns pieces into lines of JSON. What has no line feed at the end comes out by flush().
class JsonLines {
 public:
  JsonLines(const JsonChoice& choice, std::string task, TaskStream stream)
      : choice_(choice), task_(std::move(task)), stream_(stream) {}
  Status take(std::string_view piece) {
    pending_ += piece;
    std::string text;
    size_t start = 0;
    for (size_t end = pending_.find('\n'); end != std::string::npos;
         end = pending_.find('\n', start)) {
      text += object(std::string_view(pending_).substr(start, end - start));
      start = end + 1;
    }
    pending_.erase(0, start);
    return print(text);
  }
  Status flush() { return pending_.empty() ? Status{} : print(object(pending_)); }

 private:
  [[nodiscard]] std::string object(std::string_view text) const {
    return choice_.object(k_fields, Line{task_, stream_, text}) + "\n";
  }
  const JsonChoice& choice_;
  std::string task_;
  TaskStream stream_;
  std::string pending_;
};

// An agent's id stands for the newest of its tasks that has started.
Result<Task> find_task(const store::ReadTxn& txn, const std::string& id) {
  if (const auto task = TRY(txn.find_task(id))) return *task;
  if (!TRY(txn.find_agent(id)))
    return fail(ErrorCode::not_found,
                printable(id) + " not found: no agent and no task has this id",
                "'fabric agents' and 'fabric tasks' list them");
  store::TaskFilter filter;
  filter.agent = id;
  filter.limit = 1000;
  for (Task& task : TRY(txn.list_tasks(filter)))
    if (task.attempt > 0) return std::move(task);
  return fail(ErrorCode::not_found, "agent " + id + " has run no task yet");
}

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const bool only_stderr = arguments.has("--stderr");
  const config::Workspace workspace = TRY(workspace_of(arguments));
  std::optional<store::Store> store = TRY(open_store(workspace));
  const Task task = TRY(find_task(TRY(store->read()), arguments.positional(0)));

  JsonLines out_lines(choice, task.id, TaskStream::out);
  JsonLines err_lines(choice, task.id, TaskStream::err);
  FollowOptions sinks;
  if (choice.wanted()) {
    sinks.out = [&](std::string_view piece) { return out_lines.take(piece); };
    sinks.err = [&](std::string_view piece) { return err_lines.take(piece); };
  } else {
    sinks.out = standard_sink(STDOUT_FILENO);
    sinks.err = standard_sink(only_stderr ? STDOUT_FILENO : STDERR_FILENO);
  }
  if (only_stderr) sinks.out = nullptr;

  if (arguments.has("--follow") && !is_terminal(task.state)) {
    store.reset();
    Follower follower = TRY(Follower::open(workspace, task.id, std::move(sinks)));
    TRY(follower.run());
  } else {
    if (sinks.out) TRY_STATUS(read_output(workspace, *store, task, TaskStream::out, sinks.out));
    TRY_STATUS(read_output(workspace, *store, task, TaskStream::err, sinks.err));
  }
  TRY_STATUS(out_lines.flush());
  TRY_STATUS(err_lines.flush());
  return 0;
}

constexpr Positional k_positionals[] = {
    {"ID", "A task, or an agent for the newest task that it started.", Complete::agent_or_task}};
constexpr Option k_options[] = {
    {"--follow", "-f", "", "Go on until the task has ended.", Takes::nothing},
    {"--stderr", "", "", "Only what went to standard error, on standard output.", Takes::nothing}};
constexpr Example k_examples[] = {
    {"fabric logs t1 --follow", "Shows what a running task prints, as it comes."},
    {"fabric logs t1 --stderr | grep -i warning", "Searches what it wrote to standard error."}};

}  // namespace

const Command k_logs_command{
    "logs",
    Group::tasks,
    "show what a task printed",
    "Its standard output goes to standard output, its standard error to standard error. Of a task "
    "that was started again, the last attempt is shown. With --json: one object a line.",
    k_positionals,
    k_options,
    {},
    k_examples,
    logs_shape,
    run};

}  // namespace fabric::cmd
