// SPDX-License-Identifier: Apache-2.0
// The control protocol between commands and the supervisor: JSON-RPC 2.0, one object a line, on the
// owner's unix socket (docs/control-protocol.md). Pure encoding and decoding; input is hostile.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "model/agent.hpp"
#include "supervisor/client.hpp"

namespace fabric::control {

constexpr size_t k_max_line = size_t{64} << 20;

struct Call {
  int64_t id = 0;
  std::string method;
  json::Document document;  // owns params
  [[nodiscard]] const json::Value* params() const { return json::find(document, "params"); }
};
Result<Call> decode_call(std::string_view line);
std::string encode_call(int64_t id, std::string_view method, std::string_view params_json);

std::string encode_result(int64_t id, std::string_view result_json);
std::string encode_error(int64_t id, const Error& error);
// The `result` of the answer to call `id`, or the error it carries.
struct Answer {
  json::Document document;
  [[nodiscard]] const json::Value& result() const { return *json::find(document, "result"); }
};
Result<Answer> decode_answer(int64_t id, std::string_view line);

std::string encode(const Submission& submission);
Result<Submission> decode_submission(const json::Value* params);
std::string encode(const SubmitReply& reply);
Result<SubmitReply> decode_submit_reply(const json::Value& result);
std::string encode(const AgentDefinition& definition);
Result<AgentDefinition> decode_definition(const json::Value* params);
std::string encode(const CancelReply& reply);
Result<CancelReply> decode_cancel_reply(const json::Value& result);

// {"KEY": N, ...} and single string parameters.
std::string encode_counts(const std::vector<std::pair<std::string_view, uint64_t>>& counts);
std::string encode_id(std::string_view id);
Result<std::string> decode_id(const json::Value* params);
uint64_t count_of(const json::Value& result, std::string_view key);

}  // namespace fabric::control
