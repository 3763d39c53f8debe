// SPDX-License-Identifier: Apache-2.0
// What is said on a worker's stdin and stdout: JSON-RPC 2.0, one object a line
// (docs/worker-protocol.md). Pure; what a worker says is hostile.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "base/result.hpp"
#include "model/task.hpp"
#include "model/usage.hpp"

namespace fabric::worker {

// To the worker. The request's id is the attempt id, as a string.
std::string run_request(const Task& task);
std::string cancel_notification(const Task& task);
std::string shutdown_notification();

// From the worker.
struct Completed {
  uint64_t attempt_id = 0;
  std::string result;  // JSON text, verbatim
};
struct Failed {
  uint64_t attempt_id = 0;
  int64_t code = 0;
  std::string message;
};
struct Heartbeat {};
struct UsageReport {
  uint64_t attempt_id = 0;  // 0: the only task that runs
  Usage usage;
};
struct LogLine {
  uint64_t attempt_id = 0;  // 0: of the worker itself
  std::string level, text;
};
using Message = std::variant<Completed, Failed, Heartbeat, UsageReport, LogLine>;

// usage error saying what is wrong when the line is none of these.
Result<Message> decode(std::string_view line);

}  // namespace fabric::worker
