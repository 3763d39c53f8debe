// SPDX-License-Identifier: Apache-2.0
#include "fabric/graph.hpp"

#include <unordered_map>
#include <unordered_set>

#include "fabric/commands.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/text.hpp"

namespace fabric::cmd {
namespace {

constexpr size_t k_most_nodes = 2000;

// Gathers tasks and their edges from the store.
class Gatherer {
 public:
  explicit Gatherer(const store::ReadTxn& txn) : txn_(txn) {}

  Status add(const Task& task) {
    if (!added_.insert(task.id).second) return {};
    const size_t after = TRY(node(task.id, &task));
    for (const std::string& id : task.depends_on) {
      const std::optional<Task> before = TRY(txn_.find_task(id));
      graph_.edges.push_back({TRY(node(id, before ? &*before : nullptr)), after});
      if (before) next_.push_back(*before);
    }
    for (uint64_t sequence : TRY(txn_.dependents(task.sequence)))
      if (std::optional<Task> dependent = TRY(txn_.find_task(sequence)))
        next_.push_back(*std::move(dependent));
    return {};
  }
  // With everything that hangs together with it.
  Status add_connected(const Task& task) {
    TRY_STATUS(add(task));
    while (!next_.empty()) {
      const Task more = std::move(next_.back());
      next_.pop_back();
      TRY_STATUS(add(more));
    }
    return {};
  }
  Graph take() { return std::move(graph_); }

 private:
  Result<size_t> node(const std::string& id, const Task* task) {
    const auto [known, fresh] = index_.try_emplace(id, graph_.nodes.size());
    if (fresh) {
      if (graph_.nodes.size() == k_most_nodes)
        return fail(ErrorCode::failed,
                    "more than " + std::to_string(k_most_nodes) + " tasks hang together",
                    "narrow it with an ID or --group");
      graph_.nodes.push_back({id, task ? task->state : TaskState::pending, task != nullptr});
    }
    return known->second;
  }
  const store::ReadTxn& txn_;
  Graph graph_;
  std::unordered_map<std::string, size_t> index_;
  std::unordered_set<std::string> added_;
  std::vector<Task> next_;
};

Result<Graph> gather(const store::ReadTxn& txn, const Arguments& arguments) {
  Gatherer gatherer(txn);
  if (!arguments.positionals().empty()) {
    const Task task = TRY(require_task(txn, arguments.positional(0)));
    // Edges of what has ended are not kept: its group, where it has one, tells the rest.
    if (!task.group.empty())
      for (uint64_t sequence : TRY(txn.group_tasks(task.group)))
        if (const std::optional<Task> member = TRY(txn.find_task(sequence)))
          TRY_STATUS(gatherer.add_connected(*member));
    TRY_STATUS(gatherer.add_connected(task));
    return gatherer.take();
  }
  if (const auto group = arguments.value("--group")) {
    const std::vector<uint64_t> members = TRY(txn.group_tasks(*group));
    if (members.empty())
      return fail(ErrorCode::not_found, "group " + printable(*group) + " not found",
                  "'fabric tasks --json=id,group' lists groups");
    for (uint64_t sequence : members)
      if (const std::optional<Task> member = TRY(txn.find_task(sequence)))
        TRY_STATUS(gatherer.add(*member));
    return gatherer.take();
  }
  for (TaskState state : {TaskState::running, TaskState::pending}) {
    store::TaskFilter filter;
    filter.state = state;
    filter.limit = k_most_nodes + 1;
    const std::vector<Task> tasks = TRY(txn.list_tasks(filter));
    for (auto task = tasks.rbegin(); task != tasks.rend(); ++task) TRY_STATUS(gatherer.add(*task));
  }
  return gatherer.take();
}

Result<int> run(const Arguments& arguments) {
  const config::Workspace workspace = TRY(workspace_of(arguments));
  const store::Store store = TRY(open_store(workspace));
  const Graph graph = TRY(gather(TRY(store.read()), arguments));
  const std::string format = arguments.value("--format").value_or("text");
  if (graph.nodes.empty())
    note("no tasks wait or run; name one, or a --group, to see what has ended");
  if (format == "dot")
    TRY_STATUS(print(graph_dot(graph)));
  else if (format == "mermaid")
    TRY_STATUS(print(graph_mermaid(graph)));
  else if (format == "svg")
    TRY_STATUS(print(graph_svg(graph)));
  else if (!graph.nodes.empty())
    TRY_STATUS(print(graph_text(graph)));
  return 0;
}

constexpr Positional k_positionals[] = {
    {"ID", "A task: it, and all that hangs together with it.", Complete::task, {}, false}};
constexpr Option k_options[] = {{"--group", "", "ID", "The tasks of this group."},
                                {"--format", "", "FORMAT", "How it is drawn. Default: text.",
                                 Takes::value, Complete::nothing, "text|dot|mermaid|svg"}};
constexpr Example k_examples[] = {
    {"fabric graph build", "Shows what task build waits for, and what waits for it."},
    {"fabric graph --group release --format svg >release.svg", "Draws a group of tasks."}};

}  // namespace

const Command k_graph_command{
    "graph",
    Group::tasks,
    "draw tasks and what they depend on",
    "Without ID and --group: the tasks that wait or run, and what they wait for. A task stands "
    "below "
    "(in pictures: right of) those it depends on. At most 2,000 tasks are drawn. Dependencies of "
    "tasks that have ended are found from the tasks that depend on them and within their group; "
    "ones "
    "that retention has removed are shown as removed.",
    k_positionals,
    k_options,
    {},
    k_examples,
    nullptr,
    run};

}  // namespace fabric::cmd
