// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "supervisor/live_usage.hpp"

using namespace fabric;

namespace {

LiveUsageList read(const std::string& text) { return decode_live_usage(json::parse(text).value()); }

}  // namespace

TEST_CASE("live use comes back as it was told") {
  LiveUsage usage;
  usage.memory_bytes = 1;
  usage.memory_peak_bytes = 2;
  usage.oom_kills = 3;
  usage.cpu_seconds = 4.5;
  usage.cpu_throttled_seconds = 5.5;
  usage.pids = 6;
  usage.pids_refused = 7;
  usage.io_read_bytes = 8;
  usage.io_written_bytes = 9;
  usage.net_sent_bytes = 0;  // known, and nothing; received is not known
  usage.disk_bytes = 10;
  usage.heartbeat_at.us = 11;
  LiveAttempt attempt;
  attempt.tasks = {"t1", "t2"};
  attempt.slot = 1;
  attempt.started_at.us = 12;
  attempt.processes = 13;
  attempt.memory_peak_bytes = 14;
  usage.attempts = {attempt};
  json::Writer w;
  w.begin_object().key("a");
  write_live_usage(w, usage);
  w.end_object();
  const LiveUsageList list = read(w.text());
  REQUIRE(list.size() == 1);
  CHECK(list[0].first == "a");
  const LiveUsage& got = list[0].second;
  CHECK(got.memory_bytes == 1);
  CHECK(got.memory_peak_bytes == 2);
  CHECK(got.oom_kills == 3);
  CHECK(got.cpu_seconds == 4.5);
  CHECK(got.cpu_throttled_seconds == 5.5);
  CHECK(got.pids == 6);
  CHECK(got.pids_refused == 7);
  CHECK(got.io_read_bytes == 8);
  CHECK(got.io_written_bytes == 9);
  CHECK_FALSE(got.net_received_bytes);
  CHECK(got.net_sent_bytes == 0);
  CHECK(got.disk_bytes == 10);
  CHECK(got.heartbeat_at.us == 11);
  REQUIRE(got.attempts.size() == 1);
  CHECK(got.attempts[0].tasks == std::vector<std::string>{"t1", "t2"});
  CHECK(got.attempts[0].slot == 1);
  CHECK(got.attempts[0].started_at.us == 12);
  CHECK(got.attempts[0].processes == 13);
  CHECK(got.attempts[0].memory_peak_bytes == 14);
}

TEST_CASE("what another version tells of use is taken as far as it is understood") {
  CHECK(read("[]").empty());
  CHECK(read(R"({"a":1})").empty());
  const LiveUsageList old =
      read(R"({"a":{"memory_bytes":-5,"pids":2,"attempts":[1,{"tasks":[3]}]}})");
  REQUIRE(old.size() == 1);
  CHECK(old[0].second.memory_bytes == 0);
  CHECK(old[0].second.pids == 2);
  REQUIRE(old[0].second.attempts.size() == 1);
  CHECK(old[0].second.attempts[0].tasks.empty());
}
