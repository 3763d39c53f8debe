// SPDX-License-Identifier: Apache-2.0
// What a worker may say. Results are JSON, attempts are numbers that were given.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/json.hpp"
#include "supervisor/worker_protocol.hpp"

using namespace fabric;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check(const worker::Completed& m) {
  require(m.attempt_id != 0);
  require(json::validate(m.result).has_value());
}
void check(const worker::Failed& m) { require(m.attempt_id != 0); }
void check(const worker::Heartbeat&) {}
void check(const worker::UsageReport& m) {
  require(m.usage.cost_microusd <= uint64_t{1000000000000000});
}
void check(const worker::LogLine&) {}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view line(reinterpret_cast<const char*>(data), size);
  Result<worker::Message> message = worker::decode(line);
  if (message) {
    std::visit([](const auto& m) { check(m); }, *message);
    return 0;
  }
  require(message.error().code == ErrorCode::usage);
  // The same text as a payload: the request is one line of JSON whatever it holds.
  if (!json::validate(line)) return 0;
  Task task;
  task.payload = std::string(line);
  task.type = std::string(line.substr(0, 40));
  std::string request = worker::run_request(task);
  require(request.find('\n') == std::string::npos);
  require(json::validate(request).has_value());
  return 0;
}
