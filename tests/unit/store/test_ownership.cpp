// SPDX-License-Identifier: Apache-2.0
#include <signal.h>

#include "store/ownership.hpp"
#include "tests/unit/store/helpers.hpp"

using namespace fabric;
using namespace fabric::store;
using namespace fabric::store::test;

namespace {

using Kind = Ownership::Kind;

// In another process: 'y' taken, 'n' somebody else has it, 'e' error.
char other_tries(const std::string& path, Kind kind, Duration patience = {}) {
  const int status = in_child([&] {
    Result<std::optional<Ownership>> got = Ownership::acquire(path, kind, patience);
    return got ? (*got ? 'y' : 'n') : 'e';
  });
  return static_cast<char>(WEXITSTATUS(status));
}

int other_asks_holder(const std::string& path) {
  return WEXITSTATUS(in_child([&] {
    Result<std::optional<pid_t>> holder = Ownership::holder(path);
    if (!holder) return 2;
    return *holder ? (**holder == ::getppid() ? 1 : 3) : 0;
  }));
}

}  // namespace

TEST_CASE("a supervisor excludes everybody, direct commands only a supervisor") {
  TempDir dir;
  const std::string path = dir.path() + "/owner";
  CHECK(!ok(Ownership::holder(path)));
  {
    std::optional<Ownership> mine = ok(Ownership::acquire(path, Kind::exclusive, {}));
    REQUIRE(mine);
    CHECK(other_tries(path, Kind::exclusive) == 'n');
    CHECK(other_tries(path, Kind::shared) == 'n');
    CHECK(ok(Ownership::holder(path)) == ::getpid());
    CHECK(other_asks_holder(path) == 1);
    CHECK(other_tries(path, Kind::shared) == 'n');  // asking has not let it go
    CHECK(!Ownership::acquire(path, Kind::shared, {}));
    Ownership moved = *std::move(mine);
    mine.reset();
    CHECK(other_tries(path, Kind::shared) == 'n');
  }
  CHECK(other_asks_holder(path) == 0);
  {
    std::optional<Ownership> mine = ok(Ownership::acquire(path, Kind::shared, {}));
    REQUIRE(mine);
    CHECK(other_tries(path, Kind::shared) == 'y');
    CHECK(other_tries(path, Kind::exclusive) == 'n');
    CHECK(other_asks_holder(path) == 0);
    CHECK(!ok(Ownership::holder(path)));
    CHECK(other_tries(path, Kind::exclusive) == 'n');
  }
  CHECK(other_tries(path, Kind::exclusive) == 'y');
}

TEST_CASE("stop signals are blocked while a direct command owns, and only then") {
  TempDir dir;
  const auto blocked = [](int signal) {
    sigset_t now;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &now);
    return ::sigismember(&now, signal) == 1;
  };
  {
    std::optional<Ownership> mine = ok(Ownership::acquire(dir.path() + "/o", Kind::shared, {}));
    CHECK(blocked(SIGTSTP));
    CHECK(blocked(SIGTTOU));
    CHECK(!blocked(SIGTERM));
    Ownership moved = *std::move(mine);
    mine.reset();
    CHECK(blocked(SIGTSTP));
  }
  CHECK(!blocked(SIGTSTP));
  const auto mine = ok(Ownership::acquire(dir.path() + "/o", Kind::exclusive, {}));
  CHECK(!blocked(SIGTSTP));
}

TEST_CASE("it waits as long as it was told to, and the dead hold nothing") {
  TempDir dir;
  const std::string path = dir.path() + "/owner";
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    auto mine = Ownership::acquire(path, Kind::exclusive, {});
    static_cast<void>(!::write(ends[1], "x", 1));
    ::usleep(150000);
    ::kill(::getpid(), SIGKILL);
  }
  char c = 0;
  REQUIRE(::read(ends[0], &c, 1) == 1);
  CHECK(ok(Ownership::holder(path)) == child);
  CHECK(!ok(Ownership::acquire(path, Kind::shared, {})));
  CHECK(!ok(Ownership::acquire(path, Kind::shared, Duration::millis(20))));
  CHECK(ok(Ownership::acquire(path, Kind::shared, Duration::seconds(30))));
  REQUIRE(::waitpid(child, nullptr, 0) == child);
}

TEST_CASE("what is no plain file is refused") {
  TempDir dir;
  std::filesystem::create_symlink(dir.path() + "/x", dir.path() + "/link");
  CHECK(!Ownership::acquire(dir.path() + "/link", Kind::exclusive, {}));
  CHECK(!Ownership::acquire(dir.path(), Kind::exclusive, {}));
  CHECK(!Ownership::acquire(dir.path() + "/no/such", Kind::exclusive, {}));
  CHECK(ok(Ownership::acquire(dir.path() + "/good", Kind::exclusive, {})));
}
