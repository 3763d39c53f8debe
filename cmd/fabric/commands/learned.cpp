// SPDX-License-Identifier: Apache-2.0
#include "base/fd.hpp"
#include "base/id.hpp"
#include "fabric/commands.hpp"
#include "fabric/json_write.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/text.hpp"
#include "isolation/learned_policy.hpp"

namespace fabric::cmd {
namespace {

constexpr size_t k_longest_file = size_t{16} << 20;

struct Learned {
  std::string id, file;
  LearnedPolicy policy;
};

std::vector<std::string> list_of(const std::set<std::string>& set) {
  return {set.begin(), set.end()};
}

constexpr auto k_fields = std::to_array<JsonField<Learned>>({
    {"id", "The agent's id.", [](json::Writer& w, const Learned& v) { w.string(v.id); }},
    {"file", "Where it is written.", [](json::Writer& w, const Learned& v) { w.string(v.file); }},
    {"runs", "How many tasks it was learned from.",
     [](json::Writer& w, const Learned& v) { write_count(w, v.policy.runs); }},
    {"ro", "Paths inside that were read or executed and that not every sandbox has.",
     [](json::Writer& w, const Learned& v) { write_list(w, list_of(v.policy.read)); }},
    {"rw", "Directories in which something was to be changed.",
     [](json::Writer& w, const Learned& v) { write_list(w, list_of(v.policy.changed)); }},
    {"egress", "Where it connected to, as rules.",
     [](json::Writer& w, const Learned& v) { write_list(w, list_of(v.policy.egress)); }},
    {"calls", "System calls beyond the strict policy.",
     [](json::Writer& w, const Learned& v) { write_list(w, list_of(v.policy.calls)); }},
    {"not_given", "What it asked for and no rule gives: secrets, whole top directories.",
     [](json::Writer& w, const Learned& v) { write_list(w, list_of(v.policy.not_given)); }},
});
JsonShape learned_shape() { return shape_of<k_fields>(); }

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const config::Workspace workspace = TRY(workspace_of(arguments));
  Learned learned;
  learned.id = arguments.positional(0);
  TRY_STATUS(check_id(learned.id, "agent id"));
  learned.file = workspace.learned_file(learned.id);
  const auto text = read_file(learned.file, k_longest_file);
  if (!text)
    return fail(ErrorCode::not_found, "nothing was learned of agent " + learned.id,
                "let it run with: fabric spawn " + learned.id + " --learn");
  if (!choice.wanted()) {
    TRY_STATUS(print(*text));
    return 0;
  }
  learned.policy = TRY(in_context(read_learned(*text), learned.file));
  TRY_STATUS(print(choice.object(k_fields, learned) + "\n"));
  return 0;
}

constexpr Positional k_positionals[] = {{"AGENT", "An agent that learned.", Complete::agent}};
constexpr Example k_examples[] = {{"fabric learned coder", "Shows what it needed, as TOML."},
                                  {"fabric learned coder > agents/coder/agent.toml",
                                   "Lets the next coder have that and nothing else."}};

}  // namespace

const Command k_learned_command{
    "learned",
    Group::agents,
    "show the least policy that an agent needed",
    "Of an agent that was spawned with --learn: the files of the host that it read, executed or "
    "wanted to change, the hosts and ports to which it connected, and the system calls that it "
    "made "
    "beyond the strict policy, as the [isolation] table of an agent.toml. A directory stands for "
    "eight or more of what is in it. Each task adds to it; it stays in .fabric/agents/ID/"
    "learned.toml when the agent is terminated, and a later --learn goes on from there.\n\n"
    "It is what was done, not what should be: read it before you use it. Comments name what was "
    "asked for and is not given. Keys that it does not have, as memory_mb, env and secrets, "
    "are "
    "to be added. docs/learning.md says what a sandbox that learns is open to.",
    k_positionals,
    {},
    {},
    k_examples,
    learned_shape,
    run};

}  // namespace fabric::cmd
