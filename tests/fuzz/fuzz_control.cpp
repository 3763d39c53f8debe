// SPDX-License-Identifier: Apache-2.0
// Control messages, read as calls and as answers. What is understood comes back the same when it is
// written and read again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "supervisor/control_protocol.hpp"

using namespace fabric;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

// Written, read and written again: the same text.
template <class T, class Decode>
void round_trip(const T& value, Decode decode) {
  std::string text = control::encode(value);
  require(text.find('\n') == std::string::npos);
  Result<json::Document> document = json::parse(text);
  require(document.has_value());
  auto again = decode(*document);
  require(again.has_value());
  require(control::encode(*again) == text);
}

void as_call(std::string_view line) {
  Result<control::Call> call = control::decode_call(line);
  if (!call) {
    std::string answer = control::encode_error(0, call.error());
    require(answer.find('\n') == answer.size() - 1);
    require(!control::decode_answer(0, answer).has_value());
    return;
  }
  require(call->id >= 0);
  static_cast<void>(control::decode_id(call->params()));
  if (auto submission = control::decode_submission(call->params()))
    round_trip(*submission, [](const json::Value& v) { return control::decode_submission(&v); });
  if (auto definition = control::decode_definition(call->params()))
    round_trip(*definition, [](const json::Value& v) { return control::decode_definition(&v); });
}

void as_answer(std::string_view line) {
  Result<control::Answer> answer = control::decode_answer(1, line);
  if (!answer) return;
  static_cast<void>(control::count_of(answer->result(), "cancelled"));
  if (auto reply = control::decode_submit_reply(answer->result()))
    round_trip(*reply, [](const json::Value& v) { return control::decode_submit_reply(v); });
  if (auto reply = control::decode_cancel_reply(answer->result()))
    round_trip(*reply, [](const json::Value& v) { return control::decode_cancel_reply(v); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view line(reinterpret_cast<const char*>(data), size);
  as_call(line);
  as_answer(line);
  return 0;
}
