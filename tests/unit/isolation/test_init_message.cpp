// SPDX-License-Identifier: Apache-2.0
// The bytes themselves: what an init of another version makes of them.
#include <catch2/catch.hpp>
#include <cstring>

#include "isolation/init_message.hpp"

using namespace fabric;

namespace {

wire::Header header_of(const std::string& packet) {
  wire::Header header;
  std::memcpy(&header, packet.data(), sizeof header);
  return header;
}

std::string body_of(const std::string& packet) { return packet.substr(sizeof(wire::Header)); }

std::string packet_of(const StartRequest& request) {
  auto packets = encode_start(request, 0);
  REQUIRE(packets);
  REQUIRE(packets->size() == 1);
  return packets->front();
}

std::string record_of(int32_t reason) {
  wire::ExitRecord record{};
  record.magic = wire::k_exit_magic;
  record.reason = reason;
  record.checksum = wire::checksum(record);
  return {reinterpret_cast<const char*>(&record), sizeof record};
}

}  // namespace

TEST_CASE("the no-progress limit leaves the body as an older init expects it") {
  StartRequest request;
  request.argv = {"true"};
  const std::string without = packet_of(request);
  CHECK(header_of(without).value == 0);
  request.no_progress = Duration::seconds(30);
  const std::string with = packet_of(request);
  CHECK(header_of(with).value == 30000000000);
  CHECK(body_of(with) == body_of(without));
  CHECK(body_of(with).size() == sizeof(wire::StartHead) + sizeof "true");
}

TEST_CASE("a negative no-progress limit is none, and a worker has none") {
  StartRequest request;
  request.argv = {"true"};
  request.no_progress = Duration{-1};
  CHECK(header_of(packet_of(request)).value == 0);
  request.no_progress = Duration::seconds(1);
  request.worker = true;
  CHECK(header_of(packet_of(request)).value == 0);
}

TEST_CASE("exit records with reasons that we know are read, others are not") {
  auto exit = decode_exit(record_of(wire::k_no_progress));
  REQUIRE(exit);
  CHECK(exit->reason == EndReason::no_progress);
  CHECK(decode_exit(record_of(wire::k_timed_out))->reason == EndReason::timed_out);
  CHECK_FALSE(decode_exit(record_of(wire::k_disk + 1)));
  CHECK(decode_exit(record_of(wire::k_disk))->reason == EndReason::disk);
  CHECK_FALSE(decode_exit(record_of(-1)));
}

TEST_CASE("an init of the first version had a longer message and told less") {
  wire::ExitRecord record{};
  record.magic = wire::k_exit_magic_first;
  const std::string long_message(159, 'm');
  std::memcpy(reinterpret_cast<char*>(&record) + offsetof(wire::ExitRecord, message),
              long_message.c_str(), long_message.size() + 1);
  record.checksum = wire::checksum(record);
  auto exit = decode_exit({reinterpret_cast<const char*>(&record), sizeof record});
  REQUIRE(exit);
  CHECK(exit->message == long_message);
  CHECK(exit->pids_refused == 0);
  CHECK(exit->io_written_bytes == 0);
}
