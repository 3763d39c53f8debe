// SPDX-License-Identifier: Apache-2.0
// Encoding and decoding of what init_wire.hpp describes, without a socket: pure functions, and an
// assembler that holds the unfinished lines of one connection. Packets from an init are not trusted
// (an agent at level `none` shares its uid).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/init_connection.hpp"
#include "isolation/init_wire.hpp"

namespace fabric {

AttemptExit to_attempt_exit(const wire::ExitRecord& record);
// nullopt when magic, checksum or values are wrong.
std::optional<AttemptExit> decode_exit(std::string_view bytes);

// The packets of one message.
std::vector<std::string> encode_message(wire::MessageType type, uint64_t attempt, uint64_t value,
                                        std::string_view body = {});
// ErrorCode::usage when argv and env do not fit. `stdio` says which descriptors go along.
Result<std::vector<std::string>> encode_start(const StartRequest& request, uint32_t stdio);

class EventAssembler {
 public:
  // nullopt: a part of a line, or a message that this version does not know. AttemptStarted::pid is
  // what the init says (0 when a pidfd says it).
  Result<std::optional<InitEvent>> take(std::string_view packet);

 private:
  Result<std::optional<InitEvent>> take_line(const wire::Header& header, std::string_view body);
  std::map<AttemptId, std::string> partial_;
};

}  // namespace fabric
