// SPDX-License-Identifier: Apache-2.0
#include <signal.h>

#include <algorithm>
#include <map>

#include "fabric/commands.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/table.hpp"
#include "fabric/terminal.hpp"
#include "fabric/text.hpp"
#include "fabric/wakeups.hpp"

namespace fabric::cmd {
namespace {

void text_or_null(json::Writer& w, const std::string& text) {
  text.empty() ? w.null() : w.string(text);
}

constexpr auto k_fields = std::to_array<JsonField<Violation>>({
    {"at", "When it was denied first.",
     [](json::Writer& w, const Violation& v) { w.string(to_rfc3339(v.at)); }},
    {"last_at", "When last, as far as it was counted.",
     [](json::Writer& w, const Violation& v) { w.string(to_rfc3339(v.last_at)); }},
    {"count", "How often.",
     [](json::Writer& w, const Violation& v) { w.integer(static_cast<int64_t>(v.count)); }},
    {"agent", "Whose sandbox it was.",
     [](json::Writer& w, const Violation& v) { w.string(v.agent); }},
    {"task", "The task that ran, or null when that is not known.",
     [](json::Writer& w, const Violation& v) { text_or_null(w, v.task); }},
    {"pid", "The process, as seen inside the sandbox, or null.",
     [](json::Writer& w, const Violation& v) { v.pid != 0 ? w.integer(v.pid) : w.null(); }},
    {"process", "Its name, which it may choose, or null.",
     [](json::Writer& w, const Violation& v) { text_or_null(w, v.process); }},
    {"kind",
     "What it was: call, file, connect, name, publish, or a limit: memory, pids, file_size, "
     "disk, output.",
     [](json::Writer& w, const Violation& v) { w.string(to_string(v.kind)); }},
    {"what", "The call, path, host or limit.",
     [](json::Writer& w, const Violation& v) { w.string(v.what); }},
    {"rule", "The group or rule that denied it, or the limit as it is set.",
     [](json::Writer& w, const Violation& v) { w.string(v.rule); }},
    {"allow", "The line of agent.toml that would allow it, or null when none would.",
     [](json::Writer& w, const Violation& v) { text_or_null(w, v.allow); }},
    {"source", "Who noticed: filter, landlock, egress, limit, or output (its own words).",
     [](json::Writer& w, const Violation& v) { w.string(to_string(v.source)); }},
    {"hint", "Whether the agent could have made it up.",
     [](json::Writer& w, const Violation& v) { w.boolean(v.hint); }},
});

JsonShape violation_shape() { return shape_of<k_fields>(); }

std::string line_of(const Violation& v, WallTime now) {
  std::string line = human(v.last_at, now) + "  " + printable(v.agent);
  if (!v.task.empty()) line += " " + printable(v.task);
  if (!v.process.empty()) line += " (" + printable(v.process) + ")";
  line += "  " + coloured(printable(v.what), Colour::red);
  if (v.count > 1) line += " x" + std::to_string(v.count);
  line += "  " + std::string(v.hint ? "hint: " : "") + printable(v.rule);
  line +=
      "  " + coloured(v.allow.empty() ? "(nothing allows it)" : printable(v.allow), Colour::dim);
  return line;
}

std::string table_of(const std::vector<Violation>& violations, WallTime now) {
  Table table({{"LAST"},
               {"AGENT", Align::left, 8},
               {"TASK", Align::left, 8},
               {"PROCESS", Align::left, 7},
               {"DENIED", Align::left, 16},
               {"TIMES", Align::right},
               {"BY", Align::left, 10},
               {"ALLOWED BY"}});
  for (const Violation& v : violations)
    table.add({human(v.last_at, now),
               v.agent,
               v.task,
               v.process,
               {v.what, Colour::red},
               std::to_string(v.count),
               (v.hint ? "hint: " : "") + v.rule,
               v.allow.empty() ? Cell("nothing", Colour::dim) : Cell(v.allow)});
  return table.to_text(terminal_width());
}

// Reads on from where it was. In the order of time, whichever agents they are of.
class Reader {
 public:
  explicit Reader(std::string agent) : agent_(std::move(agent)) {}

  Result<std::vector<Violation>> next(const store::Store& store) {
    const store::ReadTxn txn = TRY(store.read());
    std::vector<Violation> found;
    for (uint32_t number : TRY(txn.agents_with_violations()))
      for (Violation& v : TRY(txn.violations(number, seen_[number]))) {
        seen_[number] = v.sequence;
        if (agent_.empty() || v.agent == agent_) found.push_back(std::move(v));
      }
    std::stable_sort(found.begin(), found.end(),
                     [](const Violation& a, const Violation& b) { return a.at < b.at; });
    return found;
  }

 private:
  std::string agent_;
  std::map<uint32_t, uint64_t> seen_;
};

Status print_all(const JsonChoice& choice, bool follow, const std::vector<Violation>& violations) {
  if (violations.empty()) return {};
  const WallTime now = system_clock().now();
  if (!choice.wanted() && !follow) return print(table_of(violations, now));
  std::string text;
  for (const Violation& v : violations)
    text += (choice.wanted() ? choice.object(k_fields, v) : line_of(v, now)) + "\n";
  return print(text);
}

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const std::string agent = arguments.positional(0);
  const config::Workspace workspace = TRY(workspace_of(arguments));
  const store::Store store = TRY(open_store(workspace));
  std::optional<Wakeups> wakeups;
  if (arguments.has("--follow")) wakeups = TRY(Wakeups::open(store, {SIGINT, SIGTERM}));
  Reader reader(agent);
  const std::vector<Violation> past = TRY(reader.next(store));
  if (past.empty() && !agent.empty()) TRY(require_agent(TRY(store.read()), agent));
  const bool follow = arguments.has("--follow");
  TRY_STATUS(print_all(choice, follow, past));
  if (past.empty() && !choice.wanted() && !wakeups) note("nothing was denied");
  while (wakeups) {
    const Wake wake = TRY(wakeups->wait(std::nullopt));
    if (wake.signal != 0) return static_cast<int>(ErrorCode::interrupted);
    if (wake.output_gone) return fail(ErrorCode::failed, "", std::string(k_broken_pipe));
    TRY_STATUS(print_all(choice, follow, TRY(reader.next(store))));
  }
  return 0;
}

constexpr Positional k_positionals[] = {
    {"AGENT", "Only what this agent was denied.", Complete::agent, {}, false}};
constexpr Option k_options[] = {{"--follow", "-f", "",
                                 "Go on with what is denied from now on, until interrupted.",
                                 Takes::nothing}};
constexpr Example k_examples[] = {
    {"fabric violations coder", "What the sandbox of the agent coder has denied."},
    {"fabric violations --follow --json=agent,what,allow",
     "Each denial as it happens, with the line that would allow it."}};

}  // namespace

const Command k_violations_command{
    "violations",
    Group::agents,
    "show what sandboxes denied",
    "One denial a line, oldest first: when it was last, which agent, task and process, what it "
    "was, "
    "how often, the rule or limit that said so, and the line of agent.toml that would allow it. "
    "With --json: one object a line.\n\n"
    "What is equal is counted in one line while it goes on. The newest thousand of an agent are "
    "kept; of an agent that is denied many different things at once, some.\n\n"
    "A line that says hint was read from what the failed program itself wrote (a file that is not "
    "visible inside leaves no other trace): the agent could have made it up, so think before you "
    "allow it. The name of the process is always its own choice. Everything else is what the "
    "kernel "
    "or fabric saw.\n\n"
    "The reason of a task that failed names the likely one: see 'fabric status TASK'. Groups of "
    "system calls are listed in docs/seccomp.md; those without a line that allows them are walls.",
    k_positionals,
    k_options,
    {},
    k_examples,
    violation_shape,
    run};

}  // namespace fabric::cmd
