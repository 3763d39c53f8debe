// SPDX-License-Identifier: Apache-2.0
// What the supervisor does because time has passed: it wakes the store thread when something is due
// by the wall clock, and looks at how short the machine is while anything runs.
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>

#include "supervisor/core.hpp"
#include "supervisor/log_files.hpp"
#include "telemetry/log.hpp"

namespace fabric {
namespace {

// A pressure figure is a mean of ten seconds.
constexpr Duration k_pressure_interval = Duration::seconds(1);

// Retention is looked at a minute after the start, then every ten; a step of it keeps others
// waiting for some milliseconds.
constexpr Duration k_collection_interval = Duration::seconds(600);
constexpr size_t k_collection_step = 500;

}  // namespace

Status SupervisorCore::open_wall_timer() {
  wall_timer_ = Fd(::timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!wall_timer_) return fail_errno(errno, "timerfd");
  return loop_->watch(wall_timer_.get(), EPOLLIN, [this](uint32_t) {
    uint64_t expirations = 0;
    // ECANCELED: somebody set the clock. Either way it is asked anew what is due.
    [[maybe_unused]] ssize_t n = ::read(wall_timer_.get(), &expirations, sizeof expirations);
    writer_->post([](store::WriteTxn&, Dispatcher&) { return Status(); },
                  [this](Status) { arm_wall_timer(); });
  });
}

void SupervisorCore::wake_at(std::optional<WallTime> when) {
  next_tick_ = when;
  arm_wall_timer();
}

void SupervisorCore::arm_wall_timer() {
  itimerspec at{};
  if (next_tick_) {
    // What is overdue and could not be decided is tried again in a second.
    const WallTime soonest = clock_.now() + Duration::seconds(1);
    const bool overdue = *next_tick_ <= clock_.now();
    const int64_t us = overdue ? soonest.us : next_tick_->us;
    at.it_value.tv_sec = us / 1000000;
    at.it_value.tv_nsec = us % 1000000 * 1000;
  }
  if (::timerfd_settime(wall_timer_.get(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &at,
                        nullptr) != 0)
    log::error("no timer", {{"error", std::to_string(errno)}});
}

void SupervisorCore::watch_pressure() {
  if (pressure_watched_ || going_down_ ||
      (settings_.scheduler.pressure_cpu == 0 && settings_.scheduler.pressure_memory == 0))
    return;
  pressure_watched_ = true;
  look_at_pressure();
}

void SupervisorCore::look_at_pressure() {
  const uint32_t before = pressure_.degree();
  const uint32_t degree = pressure_.update(read_pressure());
  if (degree != before) {
    log::info("pressure", {{"degree", std::to_string(degree)}, {"why", pressure_.describe()}});
    writer_->post(
        [degree, words = pressure_.describe()](store::WriteTxn& txn,
                                               Dispatcher& dispatcher) -> Status {
          dispatcher.set_pressure(degree);
          store::SupervisorRecord record = TRY(txn.supervisor());
          record.pressure = words;
          record.pressure_degree = degree;
          return txn.save_supervisor(record);
        },
        {});
  }
  size_t running = 0;
  for (const auto& [id, entry] : agents_)
    if (entry.host) running += entry.host->runner().running();
  // Nothing runs and nothing is held up: the next claim begins to watch again.
  if (running == 0 && degree == 0) {
    pressure_watched_ = false;
    return;
  }
  loop_->after(k_pressure_interval, [this] { look_at_pressure(); });
}

void SupervisorCore::collect_garbage_later(Duration delay) {
  loop_->after(delay, [this] { collect_garbage_now(); });
}

void SupervisorCore::collect_garbage_now() {
  if (going_down_) return;
  auto step = std::make_shared<Collected>();
  writer_->post(
      [this, step](store::WriteTxn& txn, Dispatcher& dispatcher) -> Status {
        *step = TRY(collect_garbage(txn, dispatcher.retention(), clock_.now(), k_collection_step));
        return {};
      },
      [this, step](Status status) {
        if (!status) log::error("retention", {{"error", status.error().message}});
        if (status && !step->logs.empty())
          launcher_->post([this, step](IsolationManager&) {
            remove_logs(workspace_, step->logs);
            return std::function<void()>();
          });
        if (status && step->more) return collect_garbage_now();
        trim_log_files();
        collect_garbage_later(k_collection_interval);
      });
}

void SupervisorCore::trim_log_files() {
  launcher_->post([this, most = settings_.retention.log_bytes](IsolationManager&) {
    Result<LogsRemoved> removed = trim_logs(workspace_, *store_, most, false);
    if (!removed) log::error("logs not trimmed", {{"error", removed.error().message}});
    if (removed && removed->files > 0)
      log::info("logs removed", {{"files", std::to_string(removed->files)},
                                 {"bytes", std::to_string(removed->bytes)}});
    return std::function<void()>();
  });
}

}  // namespace fabric
