// SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <regex>
#include <set>
#include <thread>
#include <vector>

#include "base/id.hpp"

using namespace fabric;

TEST_CASE("ids are safe as file names") {
  for (const char* id : {"a", "A.b_c-9", "0", "_x", "a..b"}) CHECK(is_valid_id(id));
  CHECK(is_valid_id(std::string(64, 'x')));
  for (const char* id : {"", ".", "..", ".a", "-a", "a/b", "a b", "a\n", "\xc3\xa9", "a:b"})
    CHECK_FALSE(is_valid_id(id));
  CHECK_FALSE(is_valid_id(std::string(65, 'x')));
  CHECK_FALSE(is_valid_id(std::string_view("a\0b", 3)));
}

TEST_CASE("a refused id is shown without what could drive a terminal") {
  const Status status = check_id("a\x1b[31m", "agent id");
  CHECK(status.error().message == "invalid agent id 'a?[31m'");
  CHECK(status.error().code == ErrorCode::usage);
}

TEST_CASE("UUIDv7 has the form of RFC 9562 and the time of making") {
  const std::string id = make_uuid7();
  CHECK(std::regex_match(
      id, std::regex("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")));
  const std::string hex = id.substr(0, 8) + id.substr(9, 4);
  const int64_t ms = std::stoll(hex, nullptr, 16);
  CHECK(std::abs(ms - system_clock().now().us / 1000) < 2000);
}

TEST_CASE("UUIDv7 ascend within a process") {
  std::string last = make_uuid7();
  for (int i = 0; i < 50000; ++i) {
    std::string next = make_uuid7();
    REQUIRE(last < next);
    last = std::move(next);
  }
}

TEST_CASE("UUIDv7 of several threads ascend in each and never meet") {
  std::vector<std::vector<std::string>> made(4);
  std::vector<std::thread> threads;
  for (auto& list : made)
    threads.emplace_back([&list] {
      for (int i = 0; i < 5000; ++i) list.push_back(make_uuid7());
    });
  for (auto& thread : threads) thread.join();
  std::set<std::string> all;
  for (const auto& list : made) {
    CHECK(std::is_sorted(list.begin(), list.end()));
    all.insert(list.begin(), list.end());
  }
  CHECK(all.size() == 20000);
}

TEST_CASE("a forked process does not repeat its parent's UUIDs") {
  (void)make_uuid7();
  int pipe_fds[2];
  REQUIRE(::pipe(pipe_fds) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string id = make_uuid7();
    (void)!::write(pipe_fds[1], id.data(), id.size());
    ::_exit(0);
  }
  const std::string ours = make_uuid7();
  std::string theirs(36, ' ');
  REQUIRE(::read(pipe_fds[0], theirs.data(), theirs.size()) == 36);
  ::waitpid(child, nullptr, 0);
  ::close(pipe_fds[0]);
  ::close(pipe_fds[1]);
  // The last 32 bits are random bits alone.
  CHECK(ours.substr(28) != theirs.substr(28));
}

TEST_CASE("random_hex has two digits a byte and differs") {
  CHECK(random_hex(8).size() == 16);
  CHECK(random_hex(16).size() == 32);
  CHECK(random_hex(16) != random_hex(16));
}
