// SPDX-License-Identifier: Apache-2.0
#include "isolation/isolation_manager.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/process.hpp"
#include "isolation/apt_plan.hpp"
#include "isolation/control_socket.hpp"
#include "isolation/egress_plan.hpp"
#include "isolation/exit_journal.hpp"
#include "isolation/host_features.hpp"
#include "isolation/host_path.hpp"
#include "isolation/host_trees.hpp"
#include "isolation/io_weight.hpp"
#include "isolation/isolation_state.hpp"
#include "isolation/launcher.hpp"
#include "isolation/learning_filter.hpp"
#include "isolation/learning_view.hpp"
#include "isolation/namespace_refusal.hpp"
#include "isolation/path_plan.hpp"
#include "isolation/placeholders.hpp"
#include "isolation/process_identity.hpp"
#include "isolation/project_quota.hpp"
#include "isolation/sandbox_cgroup.hpp"
#include "isolation/sealed_binary.hpp"
#include "isolation/secrets.hpp"
#include "isolation/spec_encoder.hpp"

namespace fabric {

namespace {

constexpr Duration k_patience = Duration::seconds(10);

// An init that is being made, and ends when that fails.
struct Unready {
  Launched init;

  explicit Unready(Launched launched) : init(std::move(launched)) {}
  ~Unready() {
    if (!init.pidfd) return;
    (void)signal_process(init.pidfd, SIGKILL);
    (void)wait_for_end(init.pidfd, k_patience);
  }
  Unready(const Unready&) = delete;
  Unready& operator=(const Unready&) = delete;
  [[nodiscard]] Fd release() { return std::move(init.pidfd); }
  [[nodiscard]] Status wait_until_ready(const Fd& socket) const;
};

// READY, or what the init refused.
Status Unready::wait_until_ready(const Fd& socket) const {
  std::array<pollfd, 2> ask{{{socket.get(), POLLIN, 0}, {init.pidfd.get(), POLLIN, 0}}};
  int ready = 0;
  do {
    ready = ::poll(ask.data(), ask.size(), static_cast<int>(k_patience.to_millis()));
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) return fail(ErrorCode::timed_out, "fabric-init does not answer");
  std::array<char, 1024> packet{};
  ssize_t got = ::recv(socket.get(), packet.data(), packet.size(), MSG_DONTWAIT);
  wire::Header header{};
  if (got < static_cast<ssize_t>(sizeof header))
    return fail(init.failure().value_or(
        Error{ErrorCode::failed, "fabric-init died while it built the sandbox", ""}));
  std::memcpy(&header, packet.data(), sizeof header);
  if (header.type == wire::k_ready) return {};
  std::string what(packet.data() + sizeof header, static_cast<size_t>(got) - sizeof header);
  return fail(init_refusal(what, static_cast<int>(header.value)));
}

// How the limit of the work directory is kept. By the file system where it can: an agent that is
// somebody else, without capabilities, is bound by it, and the seccomp policy keeps it from leaving
// the project. Not of a directory that is the user's own: his files stay as they are.
std::string_view keep_disk_limit(const SandboxSpec& spec, bool change_user) {
  // And only of one directory: a container changes two.
  if (!change_user || !spec.options.work.empty() || spec.level == IsolationLevel::container)
    return spec.limits.disk_bytes != 0 ? k_disk_watched : "";
  if (spec.limits.disk_bytes == 0) {
    lift_project_quota(spec.work_dir);
    return "";
  }
  auto set = set_project_quota(spec.work_dir, spec.limits.disk_bytes);
  return set && *set ? k_disk_project : k_disk_watched;
}

// One may know hierarchies that the other does not: a group that both have decides.
bool same_place(const CgroupHost& a, const CgroupHost& b) {
  const auto in_a = a.all(), in_b = b.all();
  if (in_a.empty() || in_b.empty()) return true;
  return std::any_of(in_a.begin(), in_a.end(), [&](const CgroupBase* x) {
    return std::any_of(in_b.begin(), in_b.end(),
                       [&](const CgroupBase* y) { return x->path == y->path; });
  });
}

}  // namespace

IsolationManager::IsolationManager(std::unique_ptr<State> state) : state_(std::move(state)) {}
IsolationManager::IsolationManager(IsolationManager&&) noexcept = default;
IsolationManager& IsolationManager::operator=(IsolationManager&&) noexcept = default;
IsolationManager::~IsolationManager() = default;

Result<IsolationManager> IsolationManager::open(const std::string& init_binary,
                                                const std::string& cgroup_root) {
  auto state = std::make_unique<State>();
  state->boot_id = TRY(boot_id());
  // Above the numbers that the child gives away (launcher.cpp).
  state->init_binary = init_binary;
  state->binary = TRY(move_above(TRY(seal_binary(init_binary))));
  state->cgroups = TRY(open_cgroup_host(cgroup_root));
  state->features = cheap_features(state->cgroups);
  TRY_STATUS(state->prepare());
  return IsolationManager(std::move(state));
}

void IsolationManager::remove_empty_root() { leave_cgroup_host(state_->cgroups); }

const HostFeatures& IsolationManager::features() const { return state_->probed(); }

Status IsolationManager::State::prepare(bool whole) {
  self = {::geteuid(), ::getegid()};
  dev_null = TRY(open_file("/dev/null", O_RDWR));
  if (whole) host_plan = make_host_plan();
  return {};
}

const HostFeatures& IsolationManager::State::probed() {
  if (!features_probed) probe_features(features, maps);
  features_probed = true;
  return features;
}

Error IsolationManager::State::explained(Error error, const SandboxSpec& spec) {
  const bool known = error.code != ErrorCode::failed || spec.level == IsolationLevel::none;
  if (known || probed().namespaces) return error;
  return namespaces_lacking(features);
}

Status IsolationManager::State::check(const SandboxSpec& spec, const HostFeatures& known) const {
  TRY_STATUS(check_spec(spec, known));
  if (spec.limits.io_weight == 0) return {};
  return check_io_weight(cgroups, spec.options.work.empty() ? spec.work_dir : spec.options.work);
}

Status IsolationManager::check(const SandboxSpec& spec) const {
  return state_->check(spec, state_->probed());
}

Result<Fd> IsolationManager::State::work_tree(const SandboxSpec& spec, const PathPlan& paths,
                                              IdPair agent, std::vector<std::string>& degraded) {
  auto mapped = open_work(paths, agent, maps);
  if (mapped) return mapped;
  const std::string what = "the files of the work directory belong to " + std::to_string(agent.uid);
  // One that fabric made for the agent holds nobody's files that would change their owner, only
  // what stands for names that may not appear.
  std::vector<std::string> placeholders;
  for (const Placeholder& made : paths.wanted)
    placeholders.push_back(join_path(made.tree, made.relative));
  if (paths.own_work && all_belong_to(paths.work.host, agent.uid, placeholders))
    degraded.push_back(what + " (" + mapped.error().message + ")");
  else
    TRY_STATUS(weaken(spec, degraded, what, mapped.error().message, mapped.error().hint));
  TRY_STATUS(change_owner(paths.work.host, agent));
  return open_plain_work(paths);
}

Result<InitSpec> IsolationManager::State::describe(const SandboxSpec& spec, const PathPlan& paths,
                                                   IdPair agent, const Container* container) {
  InitSpec init;
  init.slots = spec.slots;
  init.uid = agent.uid;
  init.gid = agent.gid;
  init.orphan_grace_ns = spec.orphan_grace.ns;
  init.work_dir = paths.work.host;
  init.host_name = spec.name.substr(0, 64);
  init.probe = spec.probe_command;
  init.path_env = spec.path_env;
  init.limits = task_limits(spec.limits);
  if (cgroups.unified) init.flags |= wire::k_unified;
  if (cgroups.memory) init.flags |= wire::k_memory_v1;
  if (cgroups.mode == CgroupMode::v2 && cgroups.memory_limit) init.flags |= wire::k_memory_v2;
  if (spec.level != IsolationLevel::none) {
    init.flags |= wire::k_walls;
    init.flags |= self.uid == 0 ? wire::k_change_user | wire::k_work_tree : wire::k_user_namespace;
    // On v2 the init is beside the leaves, and from inside a namespace it could not reach them.
    if (cgroups.mode != CgroupMode::v2) init.flags |= wire::k_cgroup_namespace;
    if (wants_egress(spec.options)) {
      init.flags |= wire::k_egress;
      init.networks = egress_networks(spec.options);
    }
    if (spec.options.learn) {
      init.flags |= wire::k_learn;
      init.filter = std::make_shared<const SeccompFilter>(TRY(make_learning_filter()));
    } else {
      init.filter = TRY(policies.get(spec.options.seccomp));
    }
    if (container != nullptr)
      TRY_STATUS(describe_container(*container, spec, init));
    else
      init.mounts = make_sandbox_plan(host_plan, agent.uid, agent.gid, spec.limits);
    if (spec.options.learn) show_the_host(init.mounts, spec.options, spec.workspace);
    for (MountStep step : paths.steps) {
      if (step.kind == wire::k_tree && self.uid == 0) step.argument |= wire::k_tree_given;
      init.mounts.push_back(std::move(step));
    }
    if (wants_egress(spec.options)) add_resolver(init.mounts, init.host_name);
    // Who learns sees all of /etc.
    if (!spec.options.egress.empty() && !spec.options.learn) add_apt(init.mounts);
    if (features.landlock_abi >= k_least_landlock) init.flags |= wire::k_landlock_required;
  }
  TRY_STATUS(add_secrets(spec, init.mounts));
  return init;
}

Result<Sandbox> IsolationManager::State::build(const SandboxSpec& asked) {
  std::vector<std::string> degraded;
  const SandboxSpec spec = TRY(within_means(asked, features, degraded));
  const bool walls = spec.level != IsolationLevel::none;
  const bool change_user = walls && self.uid == 0;
  const uint32_t id = k_first_agent_uid + spec.number;
  std::optional<Container> container;
  if (spec.level == IsolationLevel::container)
    container = TRY(prepare_container(spec, TRY(find_container_root(spec, init_binary)), self));
  const IdPair agent = container ? container->agent(self) : change_user ? IdPair{id, id} : self;

  const PathPlan paths = TRY(plan_paths({spec.options, spec.work_dir, spec.workspace,
                                         container ? container->root.directory : "", walls}));
  const SandboxCgroup groups =
      TRY(make_sandbox_cgroup(cgroups, spec.cgroup, spec.limits, spec.slots,
                              change_user ? std::optional(agent.uid) : std::nullopt));
  if (container && change_user)
    for (const SandboxCgroup::Leaf& leaf : groups.leaves)
      TRY_STATUS(hand_to_init(leaf.unified, leaf.memory, agent.uid, agent.gid));
  auto [ours, theirs] = TRY(make_socket_pair());
  // Above the numbers that the child gives away, as the binary is.
  theirs = TRY(move_above(std::move(theirs)));
  Launch how;
  how.binary = binary.get();
  how.setup = theirs.get();
  how.dev_null = dev_null.get();
  how.join = &groups.join;
  how.into_cgroup = groups.into.get();
  how.namespaces = walls;
  how.user_namespace = walls && !change_user;
  how.network_later = change_user && !container;  // while we make files
  if (container) map_ids(*container, how);
  Unready launched{TRY(launch(how))};
  theirs.reset();

  InitSpec init = TRY(describe(spec, paths, agent, container ? &*container : nullptr));
  JournalPosition position;
  Fd journal = TRY(open_exit_journal(spec.exit_journal, position));
  init.journal_next = position.next;
  init.journal_sequence = position.sequence;
  if (walls)
    TRY_STATUS(
        make_placeholders(placeholder_list(spec.control_socket), paths.wanted, paths.present));
  const std::string_view disk_quota = keep_disk_limit(spec, change_user);
  Fd work;
  ContainerParts layers;
  std::vector<Fd> trees;
  if (container) layers = TRY(open_container(*container, maps, spec, degraded));
  if (change_user) {
    work = TRY(work_tree(spec, paths, agent, degraded));
    trees = TRY(open_trees(paths, agent, maps));
  }
  if (groups.cpu_stat) init.flags |= wire::k_cpu_stat;
  if (groups.pids_events) init.flags |= wire::k_pids_events;
  Fd listener = TRY(listen_at(spec.control_socket));
  std::vector<int> descriptors{listener.get(), journal.get()};
  if (work) descriptors.push_back(work.get());
  if (container)
    for (const int part : layers.descriptors(*container)) descriptors.push_back(part);
  for (const Fd& tree : trees) descriptors.push_back(tree.get());
  std::pair<Fd, Fd> link;
  if ((init.flags & wire::k_egress) != 0) {
    link = TRY(make_socket_pair());
    descriptors.push_back(link.second.get());
  }
  for (const SandboxCgroup::Leaf& leaf : groups.leaves)
    for (const Fd* fd : {&leaf.unified, &leaf.memory})
      if (fd->valid()) descriptors.push_back(fd->get());
  for (const Fd* fd : {&groups.cpu_stat, &groups.pids_events})
    if (fd->valid()) descriptors.push_back(fd->get());
  // One that has ended meanwhile cannot be told, but has said why.
  const Status told = send_with_descriptors(ours, TRY(encode_spec(init)), descriptors);
  TRY_STATUS(launched.wait_until_ready(ours));
  TRY_STATUS(told);
  TRY_STATUS(check_sandbox_cgroup(cgroups, spec.cgroup, spec.limits, launched.init.pid));
  const uint64_t start_time = TRY(process_start_time(launched.init.pid));
  const wire::Header go{wire::k_go, 0, 0, 0, 0};
  TRY_STATUS(
      send_with_descriptors(ours, std::string(reinterpret_cast<const char*>(&go), sizeof go), {}));
  ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  SandboxIdentity identity{launched.init.pid, start_time,  boot_id,
                           spec.generation,   spec.cgroup, spec.control_socket,
                           spec.exit_journal, walls};
  return Sandbox{std::move(identity), launched.release(),      InitConnection(std::move(ours)),
                 std::move(degraded), std::string(disk_quota), std::move(link.first)};
}

Result<Sandbox> IsolationManager::create_sandbox(const SandboxSpec& spec) {
  TRY_STATUS(in_context(state_->check(spec, state_->features), spec.name));
  auto made = state_->build(spec);
  if (made) return made;
  (void)remove_sandbox_cgroup(state_->cgroups, spec.cgroup, k_patience);
  (void)remove_placeholders(placeholder_list(spec.control_socket));
  (void)remove_socket(spec.control_socket);
  return in_context(Result<Sandbox>(fail(state_->explained(std::move(made).error(), spec))),
                    spec.name);
}

Result<Sandbox> IsolationManager::adopt_sandbox(const SandboxIdentity& identity) {
  if (identity.boot_id != state_->boot_id)
    return fail(ErrorCode::not_found, "the sandbox is from before the last start of the machine");
  Fd pidfd = TRY(open_process(identity.pid, identity.start_time));
  Fd socket = TRY(connect_to(identity.control_socket));
  CgroupHost place = locate_cgroups(identity.pid, identity.cgroup);
  if (!same_place(place, state_->cgroups))
    state_->elsewhere.insert_or_assign(identity.cgroup, std::move(place));
  return Sandbox{identity, std::move(pidfd), InitConnection(std::move(socket)), {}};
}

Status IsolationManager::destroy_sandbox(const SandboxIdentity& identity) {
  const bool this_boot = identity.boot_id.empty() || identity.boot_id == state_->boot_id;
  auto pidfd = this_boot ? open_process(identity.pid, identity.start_time)
                         : Result<Fd>(fail(ErrorCode::not_found, "other boot"));
  CgroupHost elsewhere;
  if (auto known = state_->elsewhere.extract(identity.cgroup))
    elsewhere = std::move(known.mapped());
  if (pidfd) {
    if (elsewhere.mode == CgroupMode::none)
      elsewhere = locate_cgroups(identity.pid, identity.cgroup);
    // The init first: nothing starts another process after that, and at level `process` the kernel
    // kills the whole pid namespace with it.
    TRY_STATUS(signal_process(*pidfd, SIGKILL));
  }
  for (const CgroupHost* host : {&std::as_const(state_->cgroups), &std::as_const(elsewhere)})
    TRY_STATUS(kill_sandbox_cgroup(*host, identity.cgroup));
  if (pidfd) TRY_STATUS(wait_for_end(*pidfd, k_patience));
  for (const CgroupHost* host : {&std::as_const(state_->cgroups), &std::as_const(elsewhere)})
    TRY_STATUS(remove_sandbox_cgroup(*host, identity.cgroup, k_patience));
  if (!same_place(elsewhere, state_->cgroups)) leave_cgroup_host(elsewhere);
  TRY_STATUS(remove_placeholders(placeholder_list(identity.control_socket)));
  return remove_socket(identity.control_socket);
}

Result<size_t> IsolationManager::remove_unknown(const std::vector<std::string>& known) {
  size_t removed = 0;
  for (const std::string& name : list_sandbox_cgroups(state_->cgroups)) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    TRY_STATUS(kill_sandbox_cgroup(state_->cgroups, name));
    TRY_STATUS(remove_sandbox_cgroup(state_->cgroups, name, k_patience));
    ++removed;
  }
  return removed;
}

Result<ResourceUsage> IsolationManager::get_resource_usage(const SandboxIdentity& identity) const {
  auto usage = read_usage(state_->cgroups, identity);
  if (usage || identity.boot_id != state_->boot_id) return usage;
  if (!open_process(identity.pid, identity.start_time)) return usage;
  CgroupHost elsewhere = locate_cgroups(identity.pid, identity.cgroup);
  return elsewhere.mode == CgroupMode::none ? usage : read_usage(elsewhere, identity);
}

}  // namespace fabric
