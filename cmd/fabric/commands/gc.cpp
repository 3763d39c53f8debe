// SPDX-License-Identifier: Apache-2.0
#include "base/size.hpp"
#include "config/settings.hpp"
#include "fabric/commands.hpp"
#include "fabric/options.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/terminal.hpp"
#include "fabric/text.hpp"
#include "supervisor/log_files.hpp"
#include "supervisor/operations.hpp"

namespace fabric::cmd {
namespace {

// A step is one transaction, between those of others.
constexpr int k_step = 1000;

struct Removed {
  uint64_t tasks = 0, events = 0;
  LogsRemoved logs;
};

constexpr auto k_fields = std::to_array<JsonField<Removed>>({
    {"tasks", "Tasks that had ended, with their results.",
     [](json::Writer& w, const Removed& v) { w.integer(static_cast<int64_t>(v.tasks)); }},
    {"events", "Events.",
     [](json::Writer& w, const Removed& v) { w.integer(static_cast<int64_t>(v.events)); }},
    {"log_files", "Files of output.",
     [](json::Writer& w, const Removed& v) { w.integer(static_cast<int64_t>(v.logs.files)); }},
    {"log_bytes", "What those files held.",
     [](json::Writer& w, const Removed& v) { w.integer(static_cast<int64_t>(v.logs.bytes)); }},
});
JsonShape gc_shape() { return shape_of<k_fields>(); }

std::vector<Collected::Logs> logs_of(const json::Value& answer) {
  std::vector<Collected::Logs> logs;
  const json::Value* list = json::find(answer, "logs");
  if (list == nullptr || !list->IsArray()) return logs;
  for (const json::Value& entry : list->GetArray())
    logs.push_back({std::string(json::get_string(entry, "agent").value_or("")),
                    std::string(json::get_string(entry, "task").value_or("")),
                    static_cast<uint32_t>(json::get_int(entry, "attempt").value_or(0))});
  return logs;
}

Result<Removed> collect(const config::Workspace& workspace, const RetentionRules& rules) {
  json::Writer step;
  step.begin_object().field("limit", k_step).field("tasks", rules.tasks);
  step.field("age_ns", rules.age.ns).field("events", rules.events).end_object();
  Client client = TRY(Client::open(workspace));
  Removed removed;
  Progress progress;
  for (bool more = true; more;) {
    const json::Document answer = TRY(client.perform("collect", step.text()));
    removed.tasks += static_cast<uint64_t>(json::get_int(answer, "tasks").value_or(0));
    removed.events += static_cast<uint64_t>(json::get_int(answer, "events").value_or(0));
    const LogsRemoved files = remove_logs(workspace, logs_of(answer));
    removed.logs.files += files.files;
    removed.logs.bytes += files.bytes;
    progress.show(count_of(removed.tasks, "task") + " removed");
    more = json::get_bool(answer, "more").value_or(false);
  }
  return removed;
}

Result<Removed> look(const config::Workspace& workspace, const RetentionRules& rules) {
  const store::Store store = TRY(open_store(workspace));
  const Garbage garbage = TRY(find_garbage(TRY(store.read()), rules, system_clock().now()));
  return Removed{garbage.tasks, garbage.events, {}};
}

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const config::Workspace workspace = TRY(workspace_of(arguments));
  const RetentionRules rules =
      operations::rules_of(TRY(config::load_settings(workspace))).retention;
  const bool dry_run = arguments.has(k_dry_run.name);
  Removed removed = dry_run ? TRY(look(workspace, rules)) : TRY(collect(workspace, rules));
  const store::Store store = TRY(open_store(workspace));
  const LogsRemoved trimmed = TRY(trim_logs(workspace, store, rules.log_bytes, dry_run));
  removed.logs.files += trimmed.files;
  removed.logs.bytes += trimmed.bytes;
  TRY_STATUS(print(choice.wanted() ? choice.object(k_fields, removed) + "\n"
                                   : std::string(dry_run ? "would remove " : "removed ") +
                                         count_of(removed.tasks, "task") + ", " +
                                         count_of(removed.events, "event") + " and " +
                                         count_of(removed.logs.files, "log file") + " (" +
                                         human_size(removed.logs.bytes) + ")\n"));
  return 0;
}

constexpr Option k_options[] = {k_dry_run};
constexpr Example k_examples[] = {
    {"fabric gc --dry-run", "Says what is older, or more, than [retention] keeps."},
    {"fabric gc", "Removes it now, instead of when the supervisor does."}};

}  // namespace

const Command k_gc_command{
    "gc",
    Group::maintenance,
    "remove ended tasks, events and logs that are kept no longer",
    "What is kept is set in fabric.toml, table [retention]: how many tasks that have ended, for "
    "how "
    "long, how much output of tasks together, and in [scheduler] how many events. A supervisor "
    "does "
    "the same every ten minutes. Tasks whose results a waiting task will read stay, and so does "
    "what "
    "a running task writes. The space is used again; 'fabric store compact' gives it back to the "
    "file system.",
    {},
    k_options,
    {},
    k_examples,
    gc_shape,
    run};

}  // namespace fabric::cmd
