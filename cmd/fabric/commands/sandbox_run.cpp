// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

#include "base/fd.hpp"
#include "base/size.hpp"
#include "base/users.hpp"
#include "config/settings.hpp"
#include "fabric/commands.hpp"
#include "fabric/output.hpp"
#include "fabric/sandbox_flags.hpp"
#include "fabric/session.hpp"
#include "fabric/text.hpp"
#include "isolation/isolation_manager.hpp"
#include "isolation/learned_policy.hpp"
#include "isolation/runtime_hints.hpp"
#include "model/sandbox_rules.hpp"

namespace fabric::cmd {
namespace {

constexpr int k_timed_out = 8;
constexpr size_t k_most_told = 20;

struct Options {
  AgentDefinition sandbox;
  std::string work;  // "": none, an empty one in memory
  OneCommand command;
  bool die_with_parent = false;
  std::optional<std::string> learn;  // the file to which it adds
};

bool is_or_holds(const std::string& directory, const std::string& other) {
  return directory == "/" || other == directory || other.starts_with(directory + "/");
}

// As the environment has it, which may name it by a link, and as the machine does.
bool is_or_holds_home(const std::string& directory) {
  const char* named = std::getenv("HOME");
  const std::optional<User> user = find_user(::geteuid());
  for (const std::string& home : {std::string(named ? named : ""), user ? user->home : ""}) {
    std::error_code error;
    const std::filesystem::path real = std::filesystem::canonical(home, error);
    if (!error && home != "/" && is_or_holds(directory, real)) return true;
  }
  return false;
}

// Why the current directory should not be handed over just because one stands in it.
std::string_view not_for_work(const std::string& directory) {
  if (directory == "/") return "the whole machine";
  if (is_or_holds_home(directory)) return "your home directory";
  for (const char* system : {"/bin", "/boot", "/dev", "/etc", "/lib", "/proc", "/run", "/sbin",
                             "/sys", "/usr", "/var/lib"})
    if (is_or_holds(directory, system) || is_or_holds(system, directory)) return "the system's";
  return {};
}

Result<std::string> work_directory(const std::optional<std::string>& named) {
  if (named) return *named;
  std::error_code error;
  const std::string current = std::filesystem::current_path(error);
  if (error) return fail(ErrorCode::failed, "the current directory: " + error.message());
  const std::string_view why = not_for_work(current);
  if (why.empty()) return current;
  note("/work is empty and in memory: the current directory is " + std::string(why) +
       " ('--work .' hands it over all the same)");
  return "";
}

// Nothing of ours is handed on but what a terminal program needs.
std::vector<std::string> environment(const AgentDefinition& sandbox) {
  std::vector<std::pair<std::string, std::string>> all{{"HOME", "/work"}};
  if (sandbox.isolation != IsolationLevel::container) {  // whose image may say otherwise
    all.emplace_back("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    all.emplace_back("LANG", "C.UTF-8");
    all.emplace_back("USER", "agent");
  }
  if (const char* terminal = std::getenv("TERM")) all.emplace_back("TERM", terminal);
  for (const auto& hint : runtime_hints(sandbox.limits)) all.push_back(hint);
  for (const auto& [name, value] : sandbox.env) {
    auto at = std::find_if(all.begin(), all.end(), [&](const auto& e) { return e.first == name; });
    if (at == all.end())
      all.emplace_back(name, value);
    else
      at->second = value;
  }
  std::vector<std::string> out;
  out.reserve(all.size());
  for (const auto& [name, value] : all) out.push_back(name + "=" + value);
  return out;
}

// Read by the egress process, whose current directory is not ours to count on.
Result<std::string> file_for_egress(const Arguments& arguments, const char* option) {
  const auto given = arguments.value(option);
  if (!given) return "";
  const std::string path = std::filesystem::absolute(std::filesystem::path(*given));
  if (::access(path.c_str(), R_OK) != 0)
    return fail_errno(errno, std::string(option) + " " + printable(path));
  return path;
}

Result<Options> read_options(const Arguments& arguments) {
  Options options;
  config::AgentFlags flags;
  TRY_STATUS(read_sandbox_flags(arguments, flags));
  if (arguments.value("--work") != "none") options.work = TRY(work_directory(flags.work));
  flags.work.reset();  // it is /work already
  options.learn = arguments.value("--learn");
  flags.learn = options.learn.has_value();
  options.sandbox = TRY(config::sandbox_of_flags(flags));
  options.command.timeout =
      TRY(parsed(arguments, "--timeout", parse_duration)).value_or(Duration{});
  options.command.grace =
      TRY(parsed(arguments, "--grace", parse_duration)).value_or(options.command.grace);
  options.command.egress_hosts_file = TRY(file_for_egress(arguments, "--hosts"));
  options.command.egress_authorities = TRY(file_for_egress(arguments, "--authorities"));
  options.die_with_parent = arguments.has("--die-with-parent");
  if (arguments.tail().empty() && options.sandbox.isolation != IsolationLevel::container)
    return fail(ErrorCode::usage, "sandbox run: no command",
                "write it after --: fabric sandbox run -- COMMAND");
  options.command.argv = arguments.tail();
  options.command.env = environment(options.sandbox);
  options.command.terminal = ::isatty(0) == 1 && ::tcgetpgrp(0) == ::getpgrp();
  return options;
}

Result<std::string> image_store() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return std::string(cache) + "/fabric/images";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home == '/') return std::string(home) + "/.cache/fabric/images";
  return fail(ErrorCode::usage, "no place for unpacked images: HOME is not set",
              "set HOME or XDG_CACHE_HOME");
}

// Names of hosts are what the command asked for: nothing of them may act on the terminal, and the
// rule is pasted into a shell.
std::string describe_for_shell(const EgressRefused& refused) {
  std::string line = "refused: " + printable(describe_cause(refused));
  if (refused.count > 1) line += " (" + std::to_string(refused.count) + " times)";
  if (!refused.allow.empty() && parse_egress_rule(refused.allow))
    line += "; to allow it: --egress '" + refused.allow + "'";
  return line;
}

// What could not be reached, and what to add so that it can.
void tell_refused(const OneEnd& end) {
  if (end.egress_died)
    note("fabric-egress died and was started again: connections that were open then have ended");
  size_t told = 0;
  for (const EgressRefused& refused : end.refused) {
    if (++told > k_most_told) break;
    note(describe_for_shell(refused));
  }
  if (end.refused.size() > k_most_told)
    note("and " + std::to_string(end.refused.size() - k_most_told) + " more refusals");
}

int exit_code_of(const AttemptExit& exit, const Options& options) {
  switch (exit.reason) {
    case EndReason::not_started:
      note(printable(exit.message));
      return exit.exit_code;
    case EndReason::timed_out:
      note("stopped: it ran longer than " + to_string(options.command.timeout));
      return k_timed_out;
    case EndReason::memory:
      note("killed: it needed more memory than " + human_size(options.sandbox.limits.memory_bytes) +
           " (--memory)");
      break;
    case EndReason::disk:
      note("killed: " + exit.message + " (--disk)");
      break;
    default:
      break;
  }
  return exit.signal != 0 ? 128 + exit.signal : exit.exit_code;
}

constexpr size_t k_longest_file = size_t{16} << 20;

// What the file says already; a mistake in it comes to light before the command runs.
Result<LearnedPolicy> learned_before(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return LearnedPolicy{};
  return in_context(read_learned(TRY(read_file(path, k_longest_file))), path);
}

Status keep_learned(const Options& options, LearnedPolicy policy, const OneEnd& end) {
  for (const LearnedUse& use : end.learned) learn(policy, use);
  for (const EgressReached& place : end.reached)
    learn_host(policy, place.host, place.port, place.is_private);
  ++policy.runs;
  return write_file_atomically(*options.learn, TRY(learned_toml(policy, options.sandbox.sandbox)),
                               0644);
}

Result<int> run(const Arguments& arguments) {
  const Options options = TRY(read_options(arguments));
  ::umask(022);  // what we make for the while has the modes that we give it
  if (options.die_with_parent) ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  LearnedPolicy learned;
  if (options.learn) learned = TRY(learned_before(*options.learn));
  SandboxSpec spec;
  spec.name = "sandbox";
  spec.level = options.sandbox.isolation;
  spec.limits = options.sandbox.limits;
  spec.options = options.sandbox.sandbox;
  // Whoever types the command may listen on the host himself; what needs a policy are definitions
  // of agents that others wrote.
  spec.options.publish_allowed = true;
  spec.work_dir = options.work;
  if (spec.level == IsolationLevel::container) spec.image_store = TRY(image_store());
  auto end = IsolationManager::run_once(TRY(init_binary()), spec, options.command);
  if (!end && end.error().code == ErrorCode::unavailable) {
    print_error(end.error());
    return static_cast<int>(ErrorCode::unavailable);
  }
  if (!end) return fail(std::move(end).error());
  for (const std::string& weaker : end->degraded) note("weaker: " + weaker);
  tell_refused(*end);
  if (options.learn) TRY_STATUS(keep_learned(options, std::move(learned), *end));
  return exit_code_of(end->exit, options);
}

constexpr Option k_before[] = {
    {"--timeout", "", "DURATION", "Stop it after this long (exit code 8), for example 30s."},
    {"--grace", "", "DURATION", "How long it has between SIGTERM and SIGKILL then. Default: 5s."},
};
constexpr Option k_after[] = {
    {"--hosts", "", "FILE", "Names for --egress that DNS does not know, as in /etc/hosts.",
     Takes::value, Complete::file},
    {"--authorities", "", "FILE",
     "Certificates that --inject trusts in place of the machine's authorities.", Takes::value,
     Complete::file},
    {"--learn", "", "FILE",
     "Write to FILE, as TOML, what it needs of files, hosts and system calls, and add to what is "
     "there. "
     "Meanwhile it sees the host's files, but no known secrets; see docs/learning.md.",
     Takes::value, Complete::file},
    {"--die-with-parent", "", "", "End, with all that is in the sandbox, when our parent does.",
     Takes::nothing},
};
constexpr auto k_options = with_sandbox_options(k_before, k_after);
constexpr Example k_examples[] = {
    {"fabric sandbox run -- make test", "The current directory is /work inside, nothing else is."},
    {"fabric sandbox run --work none --memory 64M -- python3 - <script.py",
     "Nothing of yours is inside; the script comes on standard input."}};

}  // namespace

const Command k_sandbox_run_command{
    "sandbox run",
    Group::agents,
    "run one command in a sandbox of its own",
    "No workspace, agent or supervisor is needed, and nothing is left of the sandbox. It has the "
    "walls and the default limits of an agent: the host's system directories read-only, no network "
    "but a loopback of its own, 512M of memory, one processor core, 512 processes.\n\n"
    "The current directory is /work inside, and may be changed; --work DIR takes another, --work "
    "none an empty one in memory. The root directory, your home directory and those of the system "
    "are handed over only when they are named. The environment is clean but for TERM; --env adds "
    "to it.\n\n"
    "Standard input, output and error are the command's own, without anything in between, and so "
    "is the terminal. Signals are passed on. When fabric dies, everything in the sandbox dies.\n\n"
    "With --root its root is a directory or an image (isolation level container); what it changes "
    "there is in memory. An image says environment, user, and without a command after -- what to "
    "run.\n\n"
    "With --egress, --publish or --inject an egress process of its own runs as long as the "
    "command, "
    "as an ordinary user without capabilities. What it refused is said on standard error at the "
    "end, with the option that would allow it. Ports are published without a policy asked: whoever "
    "types the command may listen on the host himself.\n\n"
    "With --disk the directory that is /work is measured while the command runs; who passes the "
    "limit is killed. --output-rate is refused, for nothing is in between to hold the output "
    "up.\n\n"
    "The exit code is the command's: 128+n when signal n ended it, 8 when it ran too long, 126 "
    "when "
    "it could not be started, 127 when it was not found, 9 when this machine cannot build what was "
    "asked for, 125 when fabric itself failed.",
    {},
    k_options,
    "COMMAND...",
    k_examples,
    nullptr,
    run,
    /*in_workspace=*/false,
    /*gives_task_code=*/true};

}  // namespace fabric::cmd
