// SPDX-License-Identifier: Apache-2.0
// One command in a sandbox of its own. The way to the command's first instruction is kept short:
// the init starts to build as soon as its spec is written, and what needs the host (cgroups, the
// owner of the work directory) is made meanwhile and sent after it. There is no ready and no go.
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

#include "isolation/control_socket.hpp"
#include "isolation/host_features.hpp"
#include "isolation/host_trees.hpp"
#include "isolation/init_message.hpp"
#include "isolation/isolation_state.hpp"
#include "isolation/launcher.hpp"
#include "isolation/namespace_refusal.hpp"
#include "isolation/one_shot_groups.hpp"
#include "isolation/process_identity.hpp"
#include "isolation/run_names.hpp"
#include "isolation/sealed_binary.hpp"
#include "isolation/standard_streams.hpp"

namespace fabric {

namespace {

// Of the process, so that no two commands at a time share an id: above all ids that /etc/subuid
// gives away, and those of agents.
constexpr uint32_t k_first_uid = 0x78000000;
constexpr const char* k_group_prefix = "fabric-run-";
constexpr AttemptId k_attempt = 1;
constexpr Duration k_patience = Duration::seconds(10);

// Signals that are for the command come to a descriptor while this lives.
class Signals {
 public:
  Signals() {
    ::sigemptyset(&taken_);
    for (int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2})
      ::sigaddset(&taken_, number);
    ::sigprocmask(SIG_BLOCK, &taken_, &before_);
    fd_ = Fd(::signalfd(-1, &taken_, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  ~Signals() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  [[nodiscard]] int fd() const { return fd_.get(); }
  // 0: none.
  [[nodiscard]] int next() const {
    signalfd_siginfo info{};
    return ::read(fd_.get(), &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo)
                                                                : 0;
  }

 private:
  sigset_t taken_{}, before_{};
  Fd fd_;
};

// The terminal's foreground goes to the command, and comes back.
class Foreground {
 public:
  explicit Foreground(bool wanted) : group_(wanted ? ::tcgetpgrp(0) : -1) {}
  ~Foreground() {
    if (group_ < 0) return;
    sigset_t all, before;
    ::sigfillset(&all);  // SIGTTOU is sent to who does this from the background
    ::sigprocmask(SIG_SETMASK, &all, &before);
    ::tcsetpgrp(0, group_);
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
  }
  Foreground(const Foreground&) = delete;
  Foreground& operator=(const Foreground&) = delete;

 private:
  pid_t group_;
};

Status send(const Fd& socket, const std::vector<std::string>& packets,
            const std::vector<int>& descriptors) {
  for (size_t i = 0; i < packets.size(); ++i)
    TRY_STATUS(
        send_with_descriptors(socket, packets[i], i == 0 ? descriptors : std::vector<int>{}));
  return {};
}

Status send_start(const Fd& socket, const OneCommand& command) {
  StartRequest start;
  start.attempt = k_attempt;
  start.argv = command.argv;
  start.env = command.env;
  start.grace = command.grace;
  if (command.timeout.ns > 0) start.deadline = system_clock().monotonic() + command.timeout;
  start.announce = false;
  const uint32_t flags =
      wire::k_direct | wire::k_has_input | wire::k_has_output | wire::k_has_error;
  return send(socket, TRY(encode_start(start, flags)), {0, 1, 2});
}

// What the init says at last.
Result<AttemptExit> read_end(const Fd& socket) {
  std::array<char, 1024> packet{};
  const ssize_t got = ::recv(socket.get(), packet.data(), packet.size(), 0);
  wire::Header header{};
  if (got < static_cast<ssize_t>(sizeof header))
    return fail(ErrorCode::failed, "fabric-init died without a word",
                "if the machine ran out of memory, the kernel's log says so: dmesg");
  std::memcpy(&header, packet.data(), sizeof header);
  const std::string_view body(packet.data() + sizeof header,
                              static_cast<size_t>(got) - sizeof header);
  if (header.type == wire::k_failed)
    return fail(init_refusal(std::string(body), static_cast<int>(header.value)));
  auto exit = header.type == wire::k_exit ? decode_exit(body) : std::nullopt;
  if (!exit) return fail(ErrorCode::failed, "fabric-init sent a malformed packet");
  return *std::move(exit);
}

Result<AttemptExit> await_end(const Fd& socket, const Signals& signals) {
  std::array<pollfd, 2> ask{{{socket.get(), POLLIN, 0}, {signals.fd(), POLLIN, 0}}};
  for (;;) {
    if (::poll(ask.data(), ask.size(), -1) < 0) continue;
    if (ask[0].revents != 0) return read_end(socket);
    while (const int number = signals.next())
      TRY_STATUS(send(
          socket, encode_message(wire::k_signal, k_attempt, static_cast<uint64_t>(number)), {}));
  }
}

class Run {
 public:
  Run(const SandboxSpec& asked, const OneCommand& command) : asked_(asked), command_(command) {}

  template <class State>
  Result<OneEnd> run(State& state) {
    const bool walls = asked_.level == IsolationLevel::process;
    const bool change_user = walls && state.self.uid == 0;
    const uint32_t id = k_first_uid + static_cast<uint32_t>(::getpid());
    if (change_user) uid_ = id;
    const IdPair agent = change_user ? IdPair{id, id} : state.self;
    TRY_STATUS(plan(walls));
    if (OneShotGroups::before_the_init()) TRY_STATUS(make_groups(state));
    TRY_STATUS(start_init(state, agent));
    Fd work;
    uint64_t flags = 0;
    std::vector<int> descriptors;
    if (change_user && !asked_.work_dir.empty()) {
      const size_t before = end_.degraded.size();
      work = TRY(state.work_tree(asked_, paths_, agent, end_.degraded));
      handed_over_ = end_.degraded.size() > before;
      flags |= wire::k_part_work;
      descriptors.push_back(work.get());
    }
    if (!OneShotGroups::before_the_init()) TRY_STATUS(make_groups(state));
    TRY_STATUS(groups_.add_parts(flags, descriptors));
    TRY_STATUS(send(ours_, encode_message(wire::k_parts, 0, flags), descriptors));
    TRY_STATUS(send_start(ours_, command_));
    work.reset();
    if (::getpid() % 16 == 0) groups_.sweep(k_group_prefix);
    end_.exit = TRY(await_end(ours_, signals_));
    if (end_.exit.reason != EndReason::exited || end_.exit.signal != 0) streams_.command_died();
    if (handed_over_) TRY_STATUS(change_owner(asked_.work_dir, state.self));
    if (groups_.hold_the_init()) (void)wait_for_end(init_.pidfd, k_patience);
    groups_.remove();
    TRY_STATUS(names_.give_back());
    return std::move(end_);
  }

  // On failure: the init sees the end of the connection and ends, and so does all that is in it.
  void abandon() {
    ours_.reset();
    if (init_.pidfd) (void)wait_for_end(init_.pidfd, k_patience);
    groups_.remove();
    (void)names_.give_back();
  }

 private:
  // Again when another command in the same place came between.
  Status plan(bool walls) {
    for (int tries = 0; tries < 100; ++tries) {
      paths_ = TRY(plan_paths({asked_.options, "", "", walls}));
      if (!walls || TRY(names_.take(paths_))) return {};
    }
    return fail(ErrorCode::failed, "the work directory changes all the time");
  }

  template <class State>
  Status make_groups(State& state) {
    TRY_STATUS(groups_.find(k_group_prefix + std::to_string(::getpid()), asked_.limits));
    state.features = cheap_features(groups_.host());
    const SandboxSpec possible = TRY(within_means(asked_, state.features, end_.degraded));
    return groups_.enforce(possible.limits, uid_);
  }

  // The init first: while the kernel starts it, we find out what to tell it.
  template <class State>
  Status start_init(State& state, IdPair agent) {
    auto [ours, theirs] = TRY(make_socket_pair());
    ours_ = std::move(ours);
    theirs = TRY(move_above(std::move(theirs)));
    Launch how;
    how.binary = state.binary.get();
    how.setup = theirs.get();
    how.dev_null = state.dev_null.get();
    how.into_cgroup = groups_.into();
    how.namespaces = asked_.level == IsolationLevel::process;
    how.user_namespace = how.namespaces && state.self.uid != 0;
    init_ = TRY(launch(how));
    theirs.reset();
    state.host_plan = make_host_plan();
    state.features.landlock_abi = cheap_features({}).landlock_abi;
    InitSpec spec = TRY(state.describe(asked_, paths_, agent));
    spec.flags |= wire::k_one_shot;
    if (command_.terminal) spec.flags |= wire::k_terminal;
    if (groups_.hold_the_init()) {  // describe() knows of none
      spec.flags &= ~uint32_t{wire::k_cgroup_namespace};
      if (groups_.host().memory_limit) spec.flags |= wire::k_memory_v2;
    }
    if (asked_.work_dir.empty()) {
      spec.flags &= ~uint32_t{wire::k_work_tree};
      for (MountStep& step : spec.mounts)
        if (step.kind == wire::k_work)
          step = {wire::k_tmpfs, "", step.target, asked_.limits.memory_bytes / 2};
    }
    std::vector<Fd> trees;
    if (uid_) trees = TRY(open_trees(paths_, agent, state.maps));
    std::vector<int> descriptors;
    for (const Fd& tree : trees) descriptors.push_back(tree.get());
    return send_with_descriptors(ours_, TRY(encode_spec(spec)), descriptors);
  }

  const SandboxSpec& asked_;
  const OneCommand& command_;
  Signals signals_;
  StandardStreams streams_{command_.terminal};
  Foreground foreground_{command_.terminal};
  OneShotGroups groups_;
  std::optional<uint32_t> uid_;
  Fd ours_;
  Launched init_;
  OneEnd end_;
  PathPlan paths_;
  RunNames names_;
  bool handed_over_ = false;  // the files of the work directory, for lack of a mapped mount
};

// What somebody has to keep up while the command runs, which here nobody does: refused.
Status check_alone(const SandboxSpec& spec) {
  const SandboxOptions& o = spec.options;
  const Limits& l = spec.limits;
  const std::pair<bool, const char*> asked[] = {
      {!o.egress.empty(), "--egress"},   {!o.publish.empty(), "--publish"},
      {!o.inject.empty(), "--inject"},   {l.disk_bytes != 0, "--disk"},
      {l.io_weight != 0, "--io-weight"}, {l.output_rate != 0, "--output-rate"},
  };
  for (const auto& [wanted, name] : asked)
    if (wanted)
      return fail(ErrorCode::unavailable,
                  std::string(name) + " is not available for a single command yet",
                  "give it to an agent: fabric spawn ID " + std::string(name) + " ...");
  return {};
}

}  // namespace

Result<OneEnd> IsolationManager::run_once(const std::string& init_binary, const SandboxSpec& spec,
                                          const OneCommand& command) {
  SandboxSpec asked = spec;
  asked.slots = 1;
  asked.cgroup = "one";
  asked.options.work = asked.work_dir;  // the caller's own, not one that fabric made
  HostFeatures everything;              // what is lacking shows when it is tried
  everything.memory = everything.cpu = everything.pids = everything.namespaces = true;
  everything.landlock_abi = k_least_landlock;
  TRY_STATUS(check_alone(asked));
  TRY_STATUS(check_spec(asked, everything));
  State state;
  state.binary = TRY(move_above(TRY(seal_binary(init_binary))));
  TRY_STATUS(state.prepare(/*whole=*/false));
  state.maps.leave_helper = true;
  Run run(asked, command);
  auto end = run.run(state);
  if (end) return end;
  run.abandon();
  return fail(state.explained(std::move(end).error(), asked));
}

}  // namespace fabric
