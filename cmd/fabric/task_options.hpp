// SPDX-License-Identifier: Apache-2.0
// The options that say what a task is: one for each field of a task line
// (scheduler/task_lines.hpp).
#pragma once

#include <string>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "fabric/arguments.hpp"

namespace fabric::cmd {

// What `schedule` and `run` share.
inline constexpr Option k_task_options[] = {
    {"--id", "", "ID", "The task's id. Default: a new UUID. The same task again is not run again."},
    {"--idempotency-key", "", "TEXT",
     "Instead of --id: any text. The same text again means the same task."},
    {"--type", "", "TYPE", "What kind of task it is, for you and for its agent."},
    {"--payload", "", "JSON|@FILE|-",
     "Its input: JSON, a file that holds it, or standard input. Default: {}.", Takes::value,
     Complete::file},
    {"--priority", "", "PRIORITY", "How urgent it is. Default: normal.", Takes::value,
     Complete::nothing, "critical|high|normal|low"},
    {"--after", "", "ID,...", "Start it when these tasks have completed.", Takes::values,
     Complete::task},
    {"--after-policy", "", "POLICY",
     "success: when all of them completed; finish: when all ended, however; any: when one "
     "completed. Default: success.",
     Takes::value, Complete::nothing, "success|finish|any"},
    {"--timeout", "", "DURATION", "Stop it when it has run for this long, for example 30s."},
    {"--no-progress-timeout", "", "DURATION",
     "Stop it when it has printed and reported nothing for this long."},
    {"--queue-ttl", "", "DURATION", "Give it up when it has not started within this time."},
    {"--deadline", "", "TIME|+DURATION", "Stop it, or give it up, when it has not ended by then."},
    {"--retries", "", "N", "Run it again when it ends badly, at most this often. Default: 0."},
    {"--backoff", "", "SPEC",
     "The pause before a retry: 10s (always), exp:1s:5m (doubling from 1s to 5m), none. Default: "
     "none."},
    {"--retry-on", "", "LIST",
     "What is retried: failed, timed_out, lost, exit:N. Default: failed,timed_out,lost."},
    {"--slots", "", "LABEL=N,...",
     "Slots that it takes while it runs, for example gpu=1,build=2 (see [scheduler] slots)."},
    {"--share", "", "NAME", "The share group that it counts for. Default: your user name."},
    {"--exclusive", "", "KEY", "Never run it at the same time as another task with this key."},
    {"--group", "", "ID", "The group that it belongs to."},
    {"--require", "", "KEY=VALUE",
     "Instead of AGENT: whichever agent has this tool, model, pool or label. All of them, when "
     "repeated.",
     Takes::values},
    {"--metadata", "", "KEY=VALUE", "Something to remember about it.", Takes::values}};

// When it starts: of `schedule` only.
inline constexpr Option k_start_options[] = {
    {"--at", "", "TIME",
     "Start it not before: 14:30 (the next such time), '2026-11-25 14:30', or RFC 3339."},
    {"--delay", "", "DURATION", "Start it not before this time has passed."}};

// The payload that `text` (JSON, @FILE, -) means, on one line.
Result<std::string> read_payload(const std::string& text);

// Whether a line says id and group, or whoever makes more of it does.
enum class Naming : uint8_t { as_given, by_others };
// A task line from those options, without line feed. `agent` is "" with --require. What is relative
// becomes absolute.
Result<std::string> task_line(const Arguments& arguments, const std::string& agent, WallTime now,
                              Naming naming = Naming::as_given);
// AGENT and --require exclude each other, and one of them must be.
Status check_target(const Arguments& arguments, const std::string& agent);

}  // namespace fabric::cmd
