// SPDX-License-Identifier: Apache-2.0
// One command in a sandbox of its own. The way to the command's first instruction is kept short:
// the init starts to build as soon as its spec is written, and what needs the host (cgroups, the
// owner of the work directory) is made meanwhile and sent after it. There is no ready and no go.
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

#include "isolation/control_socket.hpp"
#include "isolation/egress_plan.hpp"
#include "isolation/host_features.hpp"
#include "isolation/host_trees.hpp"
#include "isolation/init_message.hpp"
#include "isolation/io_weight.hpp"
#include "isolation/isolation_state.hpp"
#include "isolation/launcher.hpp"
#include "isolation/namespace_refusal.hpp"
#include "isolation/one_shot_disk.hpp"
#include "isolation/one_shot_egress.hpp"
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
constexpr Duration k_last_words = Duration::seconds(7);  // longer than the egress process waits
constexpr int k_most_egress_deaths = 16;

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

// What the init says at last. nullopt: that was something else.
Result<std::optional<AttemptExit>> read_end(const Fd& socket, std::vector<LearnedUse>& learned) {
  std::array<char, wire::k_max_packet> packet;
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
  if (header.type == wire::k_learned) {
    const auto event = TRY(EventAssembler().take({packet.data(), static_cast<size_t>(got)}));
    if (const auto* use = event ? std::get_if<LearnedUse>(&*event) : nullptr)
      learned.push_back(*use);
    return std::nullopt;
  }
  auto exit = header.type == wire::k_exit ? decode_exit(body) : std::nullopt;
  if (!exit) return fail(ErrorCode::failed, "fabric-init sent a malformed packet");
  return exit;
}

class Run {
 public:
  Run(const std::string& init_binary, const SandboxSpec& asked, const OneCommand& command,
      ContainerRoot root)
      : init_binary_(init_binary), asked_(asked), command_(command), root_(std::move(root)) {}

  template <class State>
  Result<OneEnd> run(State& state) {
    const bool walls = asked_.level != IsolationLevel::none;
    const bool change_user = walls && state.self.uid == 0;
    const uint32_t id = k_first_uid + static_cast<uint32_t>(::getpid());
    if (asked_.level == IsolationLevel::container)
      container_ = TRY(prepare_container(asked_, std::move(root_), state.self));
    const IdPair agent = container_    ? container_->agent(state.self)
                         : change_user ? IdPair{id, id}
                                       : state.self;
    if (change_user) uid_ = agent.uid;
    if (wants_egress(asked_.options)) TRY_STATUS(start_egress());
    const bool groups_first = OneShotGroups::before_the_init();
    if (groups_first) TRY_STATUS(make_groups(state));
    TRY_STATUS(start_init(state));
    TRY_STATUS(plan(walls));
    TRY_STATUS(describe_to_init(state, agent));
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
    if (!groups_first) TRY_STATUS(make_groups(state));
    if (container_ && change_user) TRY_STATUS(groups_.hand_over(agent.uid, agent.gid));
    if (change_user) hand_over_pipes(agent.uid);
    if (walls) {
      flags |= wire::k_part_standard;
      descriptors.insert(descriptors.end(), {0, 1, 2});
    }
    TRY_STATUS(groups_.add_parts(flags, descriptors));
    TRY_STATUS(send(ours_, encode_message(wire::k_parts, 0, flags), descriptors));
    if (egress_) TRY_STATUS(egress_->wait_until_attached());
    if (asked_.limits.disk_bytes != 0 && !asked_.work_dir.empty())
      TRY_STATUS(disk_.emplace(asked_.work_dir, asked_.limits.disk_bytes).begin());
    TRY_STATUS(send_start(ours_, command_));
    work.reset();
    if (::getpid() % 16 == 0) groups_.sweep(k_group_prefix);
    end_.exit = TRY(await_end());
    if (egress_) {
      end_.refused = egress_->finish(k_last_words);
      end_.reached = egress_->reached();
    }
    if (end_.exit.reason != EndReason::exited || end_.exit.signal != 0) streams_.command_died();
    if (handed_over_) TRY_STATUS(change_owner(asked_.work_dir, state.self));
    if (groups_.hold_the_init()) (void)wait_for_end(init_.pidfd, k_patience);
    groups_.remove();
    TRY_STATUS(names_.give_back());
    return std::move(end_);
  }

  // What the init said, or why it did not start, is the reason why it could not be told more.
  Error cause(Error error) {
    if (error.code != ErrorCode::failed || !ours_) return error;
    std::array<char, 1024> packet{};
    const ssize_t got = ::recv(ours_.get(), packet.data(), packet.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return error;
    if (got <= 0) return init_.failure().value_or(std::move(error));
    wire::Header header{};
    if (got < static_cast<ssize_t>(sizeof header)) return error;
    std::memcpy(&header, packet.data(), sizeof header);
    if (header.type != wire::k_failed) return error;
    return init_refusal(
        std::string(packet.data() + sizeof header, static_cast<size_t>(got) - sizeof header),
        static_cast<int>(header.value));
  }

  // On failure: the init sees the end of the connection and ends, and so does all that is in it.
  void abandon() {
    ours_.reset();
    if (init_.pidfd) (void)wait_for_end(init_.pidfd, k_patience);
    groups_.remove();
    (void)names_.give_back();
  }

 private:
  Result<AttemptExit> await_end() {
    std::array<pollfd, 3> ask{
        {{ours_.get(), POLLIN, 0}, {signals_.fd(), POLLIN, 0}, {-1, POLLIN, 0}}};
    const int look = disk_ ? static_cast<int>(OneShotDisk::k_look.to_millis()) : -1;
    for (;;) {
      ask[2].fd = egress_ ? egress_->fd() : -1;
      if (::poll(ask.data(), ask.size(), look) < 0) continue;
      if (ask[0].revents != 0)
        if (auto end = TRY(read_end(ours_, end_.learned))) return *std::move(end);
      while (const int number = signals_.next())
        TRY_STATUS(send(
            ours_, encode_message(wire::k_signal, k_attempt, static_cast<uint64_t>(number)), {}));
      if (ask[2].revents != 0 && !egress_->read()) (void)renew_egress();
      if (disk_) TRY_STATUS(keep_disk_limit());
    }
  }

  Status keep_disk_limit() {
    const auto over = disk_->look(init_.pid);
    if (!over) return {};
    const auto reason = static_cast<uint64_t>(EndReason::disk);
    return send(ours_, encode_message(wire::k_over_limit, 0, reason, *over), {});
  }

  // Before all else: it takes the longest to start.
  Status start_egress() {
    link_ = TRY(egress_.emplace().make_link());
    return egress_->start(init_binary_, asked_, command_);
  }

  // Connections that were open are lost; new ones have waited in the init's listeners.
  Status renew_egress() {
    end_.egress_died = true;
    if (++egress_deaths_ > k_most_egress_deaths) return {};
    const Fd link = TRY(egress_->make_link());
    TRY_STATUS(send(ours_, encode_message(wire::k_net_link, 0, 0), {link.get()}));
    return egress_->start(init_binary_, asked_, command_);
  }

  // Again when another command in the same place came between.
  Status plan(bool walls) {
    for (int tries = 0; tries < 100; ++tries) {
      paths_ = TRY(plan_paths({asked_.options, "", "", container_ ? container_->root.directory : "",
                               walls, TRY(mounts())}));
      if (!walls || TRY(names_.take(paths_))) return {};
    }
    return fail(ErrorCode::failed, "the work directory changes all the time");
  }

  // Read once: the kernel writes out the path of every mount for it.
  Result<std::string> mounts() {
    if (mounts_.empty()) mounts_ = TRY(read_file("/proc/self/mountinfo"));
    return mounts_;
  }

  template <class State>
  Status make_groups(State& state) {
    TRY_STATUS(
        groups_.find(k_group_prefix + std::to_string(::getpid()), asked_.limits, TRY(mounts())));
    state.features = cheap_features(groups_.host());
    if (asked_.limits.io_weight != 0)
      TRY_STATUS(check_io_weight(groups_.host(), asked_.work_dir.empty() ? "/" : asked_.work_dir));
    const SandboxSpec possible = TRY(within_means(asked_, state.features, end_.degraded));
    return groups_.enforce(possible.limits, uid_);
  }

  // In memory, which its own limit bounds as well.
  [[nodiscard]] uint64_t size_of_empty_work() const {
    const uint64_t half = asked_.limits.memory_bytes / 2, disk = asked_.limits.disk_bytes;
    return disk == 0 ? half : half == 0 ? disk : std::min(half, disk);
  }

  // The init first: while the kernel starts it, we find out what to tell it.
  template <class State>
  Status start_init(State& state) {
    auto [ours, theirs] = TRY(make_socket_pair());
    ours_ = std::move(ours);
    theirs = TRY(move_above(std::move(theirs)));
    Launch how;
    how.binary = state.binary.get();
    how.setup = theirs.get();
    how.dev_null = state.dev_null.get();
    how.into_cgroup = groups_.into();
    how.namespaces = asked_.level != IsolationLevel::none;
    how.user_namespace = how.namespaces && state.self.uid != 0;
    how.network_later = how.namespaces && !how.user_namespace && !container_;
    if (container_) map_ids(*container_, how);
    init_ = TRY(launch(how));
    return {};
  }

  template <class State>
  Status describe_to_init(State& state, IdPair agent) {
    if (!container_) state.host_plan = make_host_plan();
    state.features.landlock_abi = cheap_features({}).landlock_abi;
    InitSpec spec = TRY(state.describe(asked_, paths_, agent, container_ ? &*container_ : nullptr));
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
          step = {wire::k_tmpfs, "", step.target, size_of_empty_work()};
    }
    if (command_.terminal) name_own_terminal(spec.mounts);
    std::vector<Fd> trees;
    if (uid_) trees = TRY(open_trees(paths_, agent, state.maps));
    std::vector<int> descriptors;
    ContainerParts layers;
    if (container_) {
      layers = TRY(open_container(*container_, state.maps, asked_, end_.degraded));
      descriptors = layers.descriptors(*container_);
    }
    for (const Fd& tree : trees) descriptors.push_back(tree.get());
    const Fd link = std::move(link_);
    if (link) descriptors.push_back(link.get());
    return send_with_descriptors(ours_, TRY(encode_spec(spec)), descriptors);
  }

  const std::string& init_binary_;
  const SandboxSpec& asked_;
  const OneCommand& command_;
  Signals signals_;
  StandardStreams streams_{command_.terminal};
  Foreground foreground_{command_.terminal};
  OneShotGroups groups_;
  std::optional<uint32_t> uid_;
  Fd ours_;
  Launched init_;
  std::optional<OneShotEgress> egress_;
  Fd link_;  // its end for the init
  int egress_deaths_ = 0;
  std::optional<OneShotDisk> disk_;
  OneEnd end_;
  PathPlan paths_;
  ContainerRoot root_;
  std::optional<Container> container_;
  std::string mounts_;
  RunNames names_;
  bool handed_over_ = false;  // the files of the work directory, for lack of a mapped mount
};

// What cannot be had by a command whose output is its own.
Status check_alone(const SandboxSpec& spec) {
  if (spec.limits.output_rate == 0) return {};
  return fail(
      ErrorCode::unavailable,
      "--output-rate is not available for a single command: its output goes where ours does, "
      "with nothing in between",
      "give it to an agent (fabric spawn ID --output-rate ...), or pipe it through pv -L");
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
  state.binary = TRY(move_above(TRY(safe_binary(init_binary))));
  TRY_STATUS(state.prepare(/*whole=*/false));
  state.maps.leave_helper = true;
  ContainerRoot root;
  if (asked.level == IsolationLevel::container) root = TRY(find_container_root(asked, init_binary));
  OneCommand wanted = command;
  if (wanted.argv.empty()) {
    wanted.argv = root.image.entrypoint;
    wanted.argv.insert(wanted.argv.end(), root.image.command.begin(), root.image.command.end());
  }
  if (wanted.argv.empty())
    return fail(ErrorCode::usage, "no command, and no image that names one", "write it after --");
  // From here on signals are the command's.
  Run run(init_binary, asked, wanted, std::move(root));
  auto end = run.run(state);
  if (end) return end;
  Error error = run.cause(std::move(end).error());
  run.abandon();
  return fail(state.explained(std::move(error), asked));
}

}  // namespace fabric
