// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "base/fd.hpp"

using namespace fabric;

namespace {

struct TemporaryDirectory {
  TemporaryDirectory() { REQUIRE(::mkdtemp(path.data())); }
  ~TemporaryDirectory() { std::filesystem::remove_all(path); }
  std::string path = "/tmp/fabric-test-XXXXXX";
};

}  // namespace

TEST_CASE("an Fd closes once and moves") {
  Fd a = open_file("/dev/null", O_RDONLY).value();
  const int number = a.get();
  CHECK((::fcntl(number, F_GETFD) & FD_CLOEXEC) != 0);
  Fd b = std::move(a);
  CHECK(b.get() == number);
  b.reset();
  CHECK(::fcntl(number, F_GETFD) == -1);
}

TEST_CASE("opening what is missing names it") {
  CHECK(open_file("/nonexistent/x", O_RDONLY).error().message ==
        "/nonexistent/x: No such file or directory");
}

TEST_CASE("a file is replaced whole, with its mode, leaving nothing behind") {
  const TemporaryDirectory directory;
  const std::string path = directory.path + "/x";
  REQUIRE(write_file_atomically(path, "one", 0600));
  REQUIRE(write_file_atomically(path, "two", 0600));
  CHECK(read_file(path).value() == "two");
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  auto files = std::filesystem::directory_iterator(directory.path);
  CHECK(std::distance(begin(files), end(files)) == 1);
}

TEST_CASE("read_file refuses more than its limit") {
  const TemporaryDirectory directory;
  const std::string path = directory.path + "/x";
  REQUIRE(write_file_atomically(path, std::string(100, 'x'), 0600));
  CHECK(read_file(path, 100).value().size() == 100);
  CHECK_FALSE(read_file(path, 99));
}
