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
constexpr size_t k_most_edges = 20000;  // the text has a line for each, indented by its depth

// Gathers tasks and their edges from the store.
class Gatherer {
 public:
  explicit Gatherer(const store::ReadTxn& txn) : txn_(txn) {}

  // The task and what it depends on.
  Status add(const Task& task) {
    if (!added_.insert(task.id).second) return {};
    const size_t after = TRY(node(task.id, &task));
    for (const std::string& id : task.depends_on) {
      const std::optional<Task> before = TRY(txn_.find_task(id));
      graph_.edges.push_back({TRY(node(id, before ? &*before : nullptr)), after});
      if (graph_.edges.size() > k_most_edges) return too_many("dependencies", k_most_edges);
    }
    return {};
  }
  // And what they depend on, and what waits for any of these, and so on.
  Status add_connected(const Task& task) {
    TRY_STATUS(add(task));
    std::vector<std::string> open{task.id};
    std::unordered_set<std::string> seen{task.id};
    while (!open.empty()) {
      const std::optional<Task> next = TRY(txn_.find_task(open.back()));
      open.pop_back();
      if (!next) continue;
      TRY_STATUS(add(*next));
      for (const std::string& id : next->depends_on)
        if (seen.insert(id).second) open.push_back(id);
      for (uint64_t sequence : TRY(txn_.dependents(next->sequence)))
        if (const std::optional<Task> dependent = TRY(txn_.find_task(sequence)))
          if (seen.insert(dependent->id).second) open.push_back(dependent->id);
    }
    return {};
  }
  Status add_group(const std::string& group) {
    for (uint64_t sequence : TRY(txn_.group_tasks(group)))
      if (const std::optional<Task> member = TRY(txn_.find_task(sequence)))
        TRY_STATUS(add(*member));
    return {};
  }
  Status add_open() {
    for (TaskState state : {TaskState::running, TaskState::pending}) {
      store::TaskFilter filter;
      filter.state = state;
      filter.limit = k_most_nodes + 1;
      const std::vector<Task> tasks = TRY(txn_.list_tasks(filter));
      for (auto task = tasks.rbegin(); task != tasks.rend(); ++task) TRY_STATUS(add(*task));
    }
    return {};
  }
  Graph take() { return std::move(graph_); }
  // Only what hangs together with this one.
  Graph take_around(const std::string& id) { return connected(graph_, index_.at(id)); }

 private:
  static tl::unexpected<Error> too_many(const std::string& what, size_t most) {
    return fail(ErrorCode::failed, "more than " + std::to_string(most) + " " + what + " to draw",
                "name one task, or a smaller --group");
  }
  Result<size_t> node(const std::string& id, const Task* task) {
    const auto [known, fresh] = index_.try_emplace(id, graph_.nodes.size());
    if (fresh) {
      if (graph_.nodes.size() == k_most_nodes) return too_many("tasks", k_most_nodes);
      graph_.nodes.push_back({id, task ? task->state : TaskState::pending, task != nullptr});
    }
    return known->second;
  }
  const store::ReadTxn& txn_;
  Graph graph_;
  std::unordered_map<std::string, size_t> index_;
  std::unordered_set<std::string> added_;
};

Result<Graph> gather(const store::ReadTxn& txn, const Arguments& arguments) {
  Gatherer gatherer(txn);
  if (!arguments.positionals().empty()) {
    const Task task = TRY(require_task(txn, arguments.positional(0)));
    TRY_STATUS(gatherer.add_connected(task));
    // Who waited for what has ended is in no index; within its group it can be told.
    if (!task.group.empty()) TRY_STATUS(gatherer.add_group(task.group));
    return gatherer.take_around(task.id);
  }
  if (const auto group = arguments.value("--group")) {
    TRY_STATUS(gatherer.add_group(*group));
    Graph graph = gatherer.take();
    if (graph.nodes.empty())
      return fail(ErrorCode::not_found, "group " + printable(*group) + " not found",
                  "'fabric tasks --json=id,group' lists groups");
    return graph;
  }
  TRY_STATUS(gatherer.add_open());
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
    "(in pictures: right of) those it depends on. At most 2,000 tasks with 20,000 dependencies "
    "are drawn. Who waited for a task that has ended is found within its group only; "
    "ones "
    "that retention has removed are shown as removed.",
    k_positionals,
    k_options,
    {},
    k_examples,
    nullptr,
    run};

}  // namespace fabric::cmd
