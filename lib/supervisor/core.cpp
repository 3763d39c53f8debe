// SPDX-License-Identifier: Apache-2.0
#include "supervisor/core.hpp"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "lifecycle/lifecycle_manager.hpp"
#include "supervisor/notify.hpp"
#include "telemetry/log.hpp"

namespace fabric {
namespace {

tl::unexpected<Error> another_supervisor() {
  return fail(ErrorCode::failed, "another supervisor holds this workspace",
              "see it with: fabric status");
}

}  // namespace

SupervisorCore::SupervisorCore(const config::Workspace& workspace, const SupervisorOptions& options,
                               config::Settings settings)
    : workspace_(workspace),
      options_(options),
      settings_(std::move(settings)),
      pressure_({settings_.scheduler.pressure_cpu, settings_.scheduler.pressure_memory}) {}

std::string SupervisorCore::cgroup_root() const {
  // FNV-1a: short, stable, and different for every workspace of the machine.
  uint64_t hash = 14695981039346656037U;
  for (char c : workspace_.root) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  char name[32];
  std::snprintf(name, sizeof name, "fabric-%012llx",
                static_cast<unsigned long long>(hash & 0xffffffffffffU));
  return name;
}

Status SupervisorCore::open() {
  for (const char* directory : {"/agents", "/logs", "/run", "/run/agents"}) {
    std::string path = workspace_.state_dir() + directory;
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno(errno, path);
  }
  // Every attempt holds two descriptors here, every agent two, every client one.
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  // In a terminal a person watches; everywhere else the log is a file of JSON lines.
  if (::isatty(STDERR_FILENO) == 1)
    log::to_stderr();
  else
    TRY_STATUS(log::to_file(workspace_.supervisor_log()));
  using store::Ownership;
  // One that answers is here to stay; one that was just killed lets go in a moment, and so does a
  // direct command after its transaction.
  if (TRY(Ownership::holder(workspace_.owner_path()))) {
    Result<Client> other = Client::open(workspace_);
    if (other && other->ping()) return another_supervisor();
  }
  ownership_ = TRY(Ownership::acquire(workspace_.owner_path(), Ownership::Kind::exclusive,
                                      Duration::seconds(5)));
  if (!ownership_) return another_supervisor();
  store_ = TRY(store::Store::open(workspace_.store_dir(), store::Store::Mode::create));
  isolation_ = TRY(IsolationManager::open(options_.init_binary, cgroup_root()));
  loop_ = TRY(EventLoop::make(clock_));
  TRY_STATUS(watch_signals());
  TRY_STATUS(open_wall_timer());
  writer_ = std::make_unique<StoreThread>(
      *store_, *loop_, Dispatcher(operations::rules_of(settings_), clock_),
      [this](std::vector<Dispatcher::Claim> claims) { start_claims(std::move(claims)); },
      [this](std::optional<WallTime> when) { wake_at(when); });
  violations_ = std::make_unique<ViolationLog>(*writer_, *loop_, clock_);
  launcher_ = std::make_unique<LauncherThread>(*isolation_, *loop_);
  learner_ = std::make_unique<Learner>(workspace_, *loop_, *launcher_);
  open_egress();
  return {};
}

// Blocked before any thread exists, so that every thread inherits it.
Status SupervisorCore::watch_signals() {
  sigset_t stop;
  sigemptyset(&stop);
  for (int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&stop, signal);
  ::signal(SIGPIPE, SIG_IGN);
  ::umask(022);  // a work directory that even its agent cannot use helps nobody
  ::sigprocmask(SIG_BLOCK, &stop, nullptr);
  signals_ = Fd(::signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return fail_errno(errno, "signalfd");
  return loop_->watch(signals_.get(), EPOLLIN, [this](uint32_t) {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
      log::info("stop signal", {{"signal", std::to_string(info.ssi_signo)}});
      go_down(std::nullopt);
    }
  });
}

Status SupervisorCore::run() {
  TRY_STATUS(open());
  TRY_STATUS(recover());
  Status ran = loop_->run();
  writer_.reset();
  disk_watch_.reset();
  launcher_.reset();
  if (finishing_) isolation_->remove_empty_root();
  server_.reset();
  egress_.reset();
  agents_.clear();
  return ran ? failure_ : ran;
}

// Everything is adopted: tell the world.
void SupervisorCore::serve() {
  Result<std::unique_ptr<ControlServer>> server = ControlServer::listen(
      *loop_, workspace_.control_socket(), cgroup_root(),
      [this](const control::Call& c, Responder responder) { call(c, responder); });
  if (!server) {
    log::error("control socket", {{"error", server.error().message}});
    failure_ = fail(server.error());
    return go_down(std::nullopt);
  }
  server_ = std::move(*server);
  serving_ = true;
  egress_->forget_unknown();
  log::info("serving", {{"workspace", workspace_.root}, {"version", options_.version}});
  if (options_.on_ready) options_.on_ready();
  notify_ready();
  clear_stale_readers();
  collect_garbage_later(Duration::seconds(60));
}

// A command that was killed while it read leaves its slot, and with it the pages it saw, taken.
void SupervisorCore::clear_stale_readers() {
  store_->clear_stale_readers();
  loop_->after(Duration::seconds(60), [this] { clear_stale_readers(); });
}

void SupervisorCore::go_down(std::optional<Responder> responder) {
  if (responder) down_waiters_.push_back(*responder);
  if (going_down_) return;
  going_down_ = true;
  for (auto& [id, entry] : agents_) {
    if (entry.restart_timer != 0) loop_->cancel(entry.restart_timer);
    entry.restart_timer = 0;
    if (entry.host) entry.host->runner().set_going_down();
  }
  writer_->post(
      [](store::WriteTxn&, Dispatcher& dispatcher) -> Status {
        dispatcher.pause();
        return {};
      },
      [this](Status) {
        if (settings_.stop_timeout.ns == 0) return stop_running_tasks();
        loop_->after(settings_.stop_timeout, [this] { stop_running_tasks(); });
        check_down();
      });
}

void SupervisorCore::stop_running_tasks() {
  for (auto& [id, entry] : agents_)
    if (entry.host) entry.host->runner().stop_all();
  check_down();
}

// Called whenever something ended: agents whose tasks are done are shut down; when all are gone, so
// is the supervisor.
void SupervisorCore::check_down() {
  if (!going_down_) return;
  bool all_gone = true;
  for (auto& [id, entry] : agents_) {
    if (entry.launching) all_gone = false;
    if (!entry.host) continue;
    all_gone = false;
    if (entry.host->runner().running() == 0) entry.host->shut_down(entry.agent.definition.grace);
  }
  if (all_gone) finish_down();
}

void SupervisorCore::finish_down() {
  if (finishing_) return;
  finishing_ = true;
  violations_->write_now();
  // Sandboxes are gone; their records say so in one last transaction.
  std::vector<std::string> ids;
  for (const auto& [id, entry] : agents_)
    if (entry.agent.state == AgentState::ready || entry.agent.state == AgentState::starting)
      ids.push_back(id);
  writer_->post(
      [this, ids](store::WriteTxn& txn, Dispatcher&) -> Status {
        LifecycleManager lifecycle(txn, clock_.now());
        for (const std::string& id : ids) {
          Result<Agent> changed = lifecycle.change(id, AgentEvent::down, "");
          if (!changed)
            log::warn("agent not stopped", {{"agent", id}, {"error", changed.error().message}});
        }
        return {};
      },
      [this](Status) {
        if (server_) server_->close_listener();
        egress_->shut_down();
        for (Responder& waiter : down_waiters_)
          waiter.result(
              control::encode_counts({{"finished", down_.finished}, {"stopped", down_.stopped}}));
        log::info("down");
        stop_when_written(200);
      });
}

// A client that reads slowly still gets the answer it waits for, within two seconds.
void SupervisorCore::stop_when_written(int tries) {
  if (tries == 0 || !server_ || server_->all_written()) return loop_->stop();
  loop_->after(Duration::millis(10), [this, tries] { stop_when_written(tries - 1); });
}

Status run_supervisor(const config::Workspace& workspace, const SupervisorOptions& options) {
  config::Settings settings = TRY(config::load_settings(workspace));
  SupervisorCore core(workspace, options, std::move(settings));
  return core.run();
}

}  // namespace fabric
