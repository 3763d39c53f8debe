// SPDX-License-Identifier: Apache-2.0
#include "isolation/init_message.hpp"

#include <algorithm>
#include <cstring>

namespace fabric {

namespace {

constexpr size_t k_room = wire::k_max_packet - sizeof(wire::Header);

template <class T>
void append(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <class T>
bool copy_from(std::string_view bytes, T& value) {
  if (bytes.size() < sizeof value) return false;
  std::memcpy(&value, bytes.data(), sizeof value);
  return true;
}

tl::unexpected<Error> malformed(const char* what) {
  return fail(ErrorCode::failed, std::string("fabric-init sent a malformed ") + what);
}

// Names come from inside: what is not printable would draw on the terminal of who reads them.
template <size_t size>
std::string plain_text(const char (&bytes)[size]) {
  std::string text(bytes, strnlen(bytes, size));
  for (char& c : text)
    if (c < ' ' || c > '~') c = '?';
  return text;
}

DeniedCall to_denied_call(const wire::ViolationRecord& record) {
  DeniedCall denied;
  denied.attempt = record.attempt;
  denied.at = WallTime{record.at_us};
  denied.pid = record.pid;
  denied.process = plain_text(record.process);
  denied.call = record.call;
  denied.error = record.error;
  std::copy(std::begin(record.arguments), std::end(record.arguments), denied.arguments.begin());
  denied.rule = plain_text(record.rule);
  denied.count = record.count;
  return denied;
}

}  // namespace

AttemptExit to_attempt_exit(const wire::ExitRecord& record) {
  AttemptExit exit;
  exit.attempt = record.attempt;
  exit.reason = static_cast<EndReason>(record.reason);
  exit.exit_code = record.exit_code;
  exit.signal = record.signal;
  exit.cpu = Duration::nanoseconds(static_cast<int64_t>(record.cpu_ns));
  exit.memory_peak_bytes = record.memory_peak;
  exit.stdout_bytes = record.stdout_bytes;
  exit.stderr_bytes = record.stderr_bytes;
  exit.stdout_dropped = record.stdout_dropped;
  exit.stderr_dropped = record.stderr_dropped;
  exit.ended_at = WallTime{record.ended_at_us};
  // An init of the first version had a longer message, and none of what is behind it now.
  if (record.magic == wire::k_exit_magic_first) {
    constexpr size_t k_first_size = sizeof record - offsetof(wire::ExitRecord, message);
    exit.message.assign(record.message, strnlen(record.message, k_first_size));
    return exit;
  }
  exit.message.assign(record.message, strnlen(record.message, sizeof record.message));
  exit.memory_met = (record.limits & wire::k_met_memory) != 0;
  exit.cpu_throttled = Duration::nanoseconds(static_cast<int64_t>(record.throttled_ns));
  exit.pids_refused = record.pids_refused;
  exit.io_read_bytes = record.io_read;
  exit.io_written_bytes = record.io_written;
  return exit;
}

std::optional<AttemptExit> decode_exit(std::string_view bytes) {
  wire::ExitRecord record;
  if (bytes.size() != sizeof record || !copy_from(bytes, record)) return std::nullopt;
  if (record.magic != wire::k_exit_magic && record.magic != wire::k_exit_magic_first)
    return std::nullopt;
  if (record.checksum != wire::checksum(record)) return std::nullopt;
  if (record.reason < 0 || record.reason > wire::k_disk) return std::nullopt;
  return to_attempt_exit(record);
}

std::vector<std::string> encode_message(wire::MessageType type, uint64_t attempt, uint64_t value,
                                        std::string_view body) {
  std::vector<std::string> packets;
  do {
    std::string_view part = body.substr(0, k_room);
    body.remove_prefix(part.size());
    const auto flags = static_cast<uint16_t>(body.empty() ? 0 : wire::k_more);
    std::string& packet = packets.emplace_back();
    packet.reserve(sizeof(wire::Header) + part.size());
    append(packet, wire::Header{static_cast<uint16_t>(type), flags,
                                static_cast<uint32_t>(part.size()), attempt, value});
    packet += part;
  } while (!body.empty());
  return packets;
}

Result<std::vector<std::string>> encode_start(const StartRequest& request, uint32_t stdio) {
  size_t text = 0;
  for (const auto* list : {&request.argv, &request.env})
    for (const std::string& item : *list) {
      text += item.size() + 1;
      if (item.find('\0') != std::string::npos)
        return fail(ErrorCode::usage, "an argument or environment variable contains a NUL byte");
    }
  if (request.argv.empty()) return fail(ErrorCode::usage, "the command is empty");
  if (text > k_max_start_bytes || request.argv.size() + request.env.size() > wire::k_max_strings)
    return fail(ErrorCode::usage, "the command and its environment are larger than 128 KiB",
                "pass large inputs on standard input");
  std::string body;
  body.reserve(sizeof(wire::StartHead) + text);
  wire::StartHead head{};
  head.slot = request.slot;
  head.flags =
      stdio | (request.worker ? wire::k_worker : 0U) | (request.announce ? wire::k_announce : 0U);
  head.deadline_ns = request.deadline.ns;
  head.grace_ns = request.grace.ns;
  head.output_limit = request.output_limit;
  head.stop_signal = request.stop_signal;
  head.argc = static_cast<uint32_t>(request.argv.size());
  head.envc = static_cast<uint32_t>(request.env.size());
  head.text_size = static_cast<uint32_t>(text);
  append(body, head);
  for (const auto* list : {&request.argv, &request.env})
    for (const std::string& item : *list) body.append(item.c_str(), item.size() + 1);
  const int64_t no_progress = request.worker ? 0 : std::max<int64_t>(request.no_progress.ns, 0);
  return encode_message(wire::k_start, request.attempt, static_cast<uint64_t>(no_progress), body);
}

Result<std::optional<InitEvent>> EventAssembler::take(std::string_view packet) {
  wire::Header header;
  if (!copy_from(packet, header) || header.size != packet.size() - sizeof header)
    return malformed("packet");
  std::string_view body = packet.substr(sizeof header);
  switch (header.type) {
    case wire::k_state: {
      if (body.size() % sizeof(wire::StateEntry) != 0) return malformed("state");
      InitState state;
      for (; !body.empty(); body.remove_prefix(sizeof(wire::StateEntry))) {
        wire::StateEntry entry;
        copy_from(body, entry);
        if (entry.ended != 0) {
          state.ended.push_back(entry.attempt);
          continue;
        }
        state.running.push_back(entry.attempt);
        state.running_slots.push_back(entry.slot);
      }
      return InitEvent{state};
    }
    case wire::k_started:
      return InitEvent{AttemptStarted{header.attempt, static_cast<pid_t>(header.value)}};
    case wire::k_exit: {
      auto exit = decode_exit(body);
      if (!exit) return malformed("exit");
      partial_.erase(exit->attempt);
      return InitEvent{std::move(*exit)};
    }
    case wire::k_violation: {
      wire::ViolationRecord record;
      if (body.size() != sizeof record || !copy_from(body, record)) return malformed("violation");
      return InitEvent{to_denied_call(record)};
    }
    case wire::k_learned: {
      LearnedUse use{header.attempt, static_cast<uint32_t>(header.value & 0xffffffff),
                     static_cast<int>(header.value >> 32), std::string(body)};
      const bool path = use.kind >= wire::k_learned_read && use.kind < wire::k_learned_call;
      if (path ? !body.starts_with('/') : use.kind != wire::k_learned_call || !body.empty())
        return malformed("use");
      return InitEvent{std::move(use)};
    }
    case wire::k_worker_line:
      return take_line(header, body);
    default:
      return std::optional<InitEvent>{};
  }
}

Result<std::optional<InitEvent>> EventAssembler::take_line(const wire::Header& header,
                                                           std::string_view body) {
  auto at = partial_.find(header.attempt);
  if ((header.flags & wire::k_first) != 0) {
    if (at == partial_.end()) {
      // At most the lines of as many workers as there can be are unfinished at once.
      if (partial_.size() >= 2 * wire::k_max_slots) return malformed("line");
      at = partial_.emplace(header.attempt, std::string{}).first;
    }
    at->second.clear();
  }
  if (at == partial_.end() || at->second.size() + body.size() > k_max_line)
    return malformed("line");
  at->second += body;
  if ((header.flags & wire::k_more) != 0) return std::optional<InitEvent>{};
  WorkerLine line{header.attempt, header.value, std::move(at->second),
                  (header.flags & wire::k_truncated) != 0};
  partial_.erase(at);
  return InitEvent{std::move(line)};
}

}  // namespace fabric
