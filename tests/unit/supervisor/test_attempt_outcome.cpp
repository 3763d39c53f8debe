// SPDX-License-Identifier: Apache-2.0
// What the end of a process means for its task.
#include "supervisor/attempt_outcome.hpp"
#include "supervisor/task_runner.hpp"
#include "tests/unit/scheduler/helpers.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

AttemptExit ended(EndReason reason, int exit_code, int signal = 0) {
  AttemptExit exit;
  exit.reason = reason;
  exit.exit_code = exit_code;
  exit.signal = signal;
  return exit;
}

Outcome outcome_of(const AttemptExit& exit) {
  AgentDefinition definition;
  definition.timeout = Duration::seconds(90);
  return fabric::outcome_of(exit, Task{}, definition);
}

}  // namespace

TEST_CASE("exit code 0 completes") {
  Outcome o = outcome_of(ended(EndReason::exited, 0));
  CHECK(o.state == TaskState::completed);
  CHECK(o.reason == Reason::none);
  CHECK(o.exit_code == 0);
  CHECK_FALSE(o.signal);
  CHECK(o.detail.empty());
}

TEST_CASE("another exit code fails") {
  Outcome o = outcome_of(ended(EndReason::exited, 3));
  CHECK(o.state == TaskState::failed);
  CHECK(o.reason == Reason::exit);
  CHECK(o.exit_code == 3);
  CHECK(o.detail == "exit code 3");
}

TEST_CASE("a signal fails") {
  Outcome o = outcome_of(ended(EndReason::exited, 0, 11));
  CHECK(o.state == TaskState::failed);
  CHECK(o.reason == Reason::signal);
  CHECK(o.signal == 11);
  CHECK_FALSE(o.exit_code);
  CHECK(o.detail == "killed by SIGSEGV");
  CHECK(outcome_of(ended(EndReason::exited, 0, 40)).detail == "killed by signal 40");
}

TEST_CASE("a deadline that passed is a time out however the process ended") {
  for (AttemptExit exit : {ended(EndReason::timed_out, 0), ended(EndReason::timed_out, 0, 9)}) {
    Outcome o = outcome_of(exit);
    CHECK(o.state == TaskState::timed_out);
    CHECK(o.reason == Reason::timeout);
    CHECK(o.detail == "ran longer than 1m30s");
  }
  Task task;
  task.timeout = Duration::millis(1500);
  CHECK(fabric::outcome_of(ended(EndReason::timed_out, 0), task, {}).detail ==
        "ran longer than 1s500ms");
}

TEST_CASE("no output for too long is a time out with its own words") {
  Task task;
  task.timeout = Duration::seconds(600);
  task.no_progress_timeout = Duration::seconds(30);
  Outcome o = fabric::outcome_of(ended(EndReason::no_progress, 0, 15), task, {});
  CHECK(o.state == TaskState::timed_out);
  CHECK(o.reason == Reason::no_progress);
  CHECK(o.signal == 15);
  CHECK(o.detail == "made no output for 30s");
  CHECK(fabric::outcome_of(ended(EndReason::timed_out, 0), task, {}).detail ==
        "ran longer than 10m");
}

TEST_CASE("over the memory limit") {
  AttemptExit exit = ended(EndReason::memory, 0, 9);
  exit.memory_peak_bytes = uint64_t{512} << 20;
  Outcome o = outcome_of(exit);
  CHECK(o.state == TaskState::failed);
  CHECK(o.reason == Reason::memory);
  CHECK(o.detail == "killed by the memory limit of 512.0 MiB (peak 512.0 MiB)");
}

TEST_CASE("a command that could not be executed") {
  AttemptExit exit = ended(EndReason::not_started, 127);
  CHECK(outcome_of(exit).detail == "the command could not be executed");
  exit.message = "codex: command not found";
  Outcome o = outcome_of(exit);
  CHECK(o.state == TaskState::failed);
  CHECK(o.reason == Reason::not_started);
  CHECK(o.exit_code == 127);
  CHECK(o.detail == "codex: command not found");
}

TEST_CASE("a stopped process ends as it ended") {
  CHECK(outcome_of(ended(EndReason::stopped, 0)).state == TaskState::completed);
  CHECK(outcome_of(ended(EndReason::stopped, 0, 15)).detail == "killed by SIGTERM");
}

TEST_CASE("what was measured is passed on") {
  AttemptExit exit = ended(EndReason::exited, 0);
  exit.stdout_bytes = 10;
  exit.stderr_bytes = 20;
  exit.stdout_dropped = 3;
  exit.stderr_dropped = 4;
  exit.cpu = Duration::millis(5);
  exit.memory_peak_bytes = 6;
  Outcome o = outcome_of(exit);
  CHECK(o.result_bytes == 10);
  CHECK(o.stderr_bytes == 20);
  CHECK(o.dropped_bytes == 7);
  CHECK(o.cpu == Duration::millis(5));
  CHECK(o.memory_peak_bytes == 6);
}

TEST_CASE("an attempt that fabric could not start") {
  Outcome o = not_started("no free slot");
  CHECK(o.state == TaskState::failed);
  CHECK(o.reason == Reason::not_started);
  CHECK(o.detail == "no free slot");
}

TEST_CASE("a file beyond its limit") {
  AttemptExit exit = ended(EndReason::exited, 0, 25);
  Outcome o = outcome_of(exit);
  CHECK(o.reason == Reason::file_size);
  CHECK(o.detail == "killed for writing a file beyond the limit of 64.0 GiB");
  AgentDefinition without;
  without.limits.file_size_bytes = 0;  // then it sent the signal to itself
  CHECK(fabric::outcome_of(exit, Task{}, without).reason == Reason::signal);
}

TEST_CASE("the limit of the work directory, in the words of who watches it") {
  AttemptExit exit = ended(EndReason::disk, 0, 9);
  exit.message = "the work directory held 2.0 GiB, more than its limit of 1.0 GiB";
  CHECK(outcome_of(exit).reason == Reason::disk);
  CHECK(outcome_of(exit).state == TaskState::failed);
  CHECK(outcome_of(exit).detail == exit.message);
}

TEST_CASE("what else was met is said with what it ended of") {
  AttemptExit exit = ended(EndReason::exited, 2);
  exit.pids_refused = 3;
  exit.cpu_throttled = Duration::seconds(2);
  CHECK(outcome_of(exit).detail == "exit code 2; the limit of 512 processes refused 3 more");
  exit.pids_refused = 0;
  exit.memory_met = true;
  exit.memory_peak_bytes = uint64_t{512} << 20;
  CHECK(outcome_of(exit).detail ==
        "exit code 2; the memory limit of 512.0 MiB killed a process of it (peak 512.0 MiB)");
  exit = ended(EndReason::exited, 0);
  exit.pids_refused = 3;
  CHECK(outcome_of(exit).detail.empty());  // it came through
  exit.stdout_dropped = uint64_t{3} << 20;
  CHECK(outcome_of(exit).detail == "3.0 MiB of output beyond the limit of 64.0 MiB were dropped");
  exit = ended(EndReason::timed_out, 0, 9);
  exit.cpu_throttled = Duration::seconds(20);
  exit.cpu = Duration::seconds(10);
  Task task;
  task.timeout = Duration::seconds(30);
  CHECK(fabric::outcome_of(exit, task, {}).detail ==
        "ran longer than 30s; its processes waited 20.0s because of the limit of 1 core (it used "
        "10.0s)");
}
