// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

#include "base/fd.hpp"
#include "base/json.hpp"
#include "telemetry/log.hpp"
#include "telemetry/log_line.hpp"

using namespace fabric;
namespace fs = std::filesystem;

namespace {

struct TemporaryDirectory {
  TemporaryDirectory() { REQUIRE(::mkdtemp(path.data())); }
  ~TemporaryDirectory() {
    log::close();
    fs::remove_all(path);
  }
  std::string path = "/tmp/fabric-test-XXXXXX";
};

constexpr WallTime k_time{1795568523456789};

}  // namespace

TEST_CASE("a JSON line has time, level, message and the values in order") {
  CHECK(
      log::json_line(
          k_time, log::Level::warn, "task \"x\"\n",
          {{"task", "t"}, {"n", 5}, {"ok", true}, {"big", UINT64_MAX}, {"s", std::string("v")}}) ==
      R"({"ts":"2026-11-25T01:02:03.456789Z","level":"warn","msg":"task \"x\"\n","task":"t","n":5,)"
      R"("ok":true,"big":18446744073709551615,"s":"v"})");
}

TEST_CASE("a text line is for people, and nothing in it drives the terminal") {
  CHECK(log::text_line(k_time, log::Level::info, "started \x1b[2J",
                       {{"agent", "a"}, {"why", "a b\x1b"}, {"e", ""}}, log::Colour::no) ==
        "2026-11-25T01:02:03.456789Z info  started \\u001b[2J agent=a why=\"a b\\u001b\" e=\"\"");
  CHECK(log::text_line(k_time, log::Level::error, "x", {}, log::Colour::yes) ==
        "2026-11-25T01:02:03.456789Z \x1b[31merror\x1b[0m x");
}

TEST_CASE("levels read back") {
  for (auto level : {log::Level::debug, log::Level::info, log::Level::warn, log::Level::error})
    CHECK(log::parse_level(log::to_string(level)).value() == level);
  CHECK_FALSE(log::parse_level("trace"));
}

TEST_CASE("a file of JSON lines, private, from its level up") {
  const TemporaryDirectory d;
  const std::string path = d.path + "/supervisor.log";
  ::umask(0);
  REQUIRE(log::to_file(path, log::Level::info));
  ::umask(022);
  log::debug("no");
  log::info("yes", {{"task", "t"}});
  log::error("yes {} %s", {{"why", "braces are no format"}});
  const std::string text = read_file(path).value();
  CHECK(std::count(text.begin(), text.end(), '\n') == 2);
  CHECK(text.find("\"msg\":\"yes {} %s\"") != std::string::npos);
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE("files rotate and stay private; threads do not mix lines") {
  const TemporaryDirectory d;
  const std::string path = d.path + "/s.log";
  REQUIRE(log::to_file(path, log::Level::info, 20000));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([t] {
      for (int i = 0; i < 300; ++i) log::info("line", {{"thread", t}, {"i", i}});
    });
  for (auto& thread : threads) thread.join();
  log::close();
  size_t files = 0;
  for (const auto& entry : fs::directory_iterator(d.path)) {
    ++files;
    struct stat info {};
    REQUIRE(::stat(entry.path().c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
    CHECK(info.st_size <= 20000);
    const std::string text = read_file(entry.path()).value();
    for (size_t begin = 0, end = 0; begin < text.size(); begin = end + 1) {
      end = text.find('\n', begin);
      REQUIRE(json::validate(std::string_view(text).substr(begin, end - begin)));
    }
  }
  CHECK(files == 1 + log::k_old_files);
}

TEST_CASE("a symlink in place of the log is not followed") {
  const TemporaryDirectory d;
  fs::create_symlink(d.path + "/victim", d.path + "/s.log");
  CHECK_FALSE(log::to_file(d.path + "/s.log"));
  CHECK_FALSE(fs::exists(d.path + "/victim"));
  CHECK_FALSE(log::to_file(d.path + "/missing/s.log"));
}

TEST_CASE("a log nobody opened swallows its lines") {
  log::close();
  log::error("nowhere");
}
