// SPDX-License-Identifier: Apache-2.0
// A supervisor that answers in pieces, late, wrongly or not at all: here a plain socket.
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/unix_socket.hpp"
#include "supervisor/usage_watch.hpp"
#include "tests/unit/scheduler/helpers.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

class Supervisor {
 public:
  explicit Supervisor(const std::string& path) : listener_(ok(listen_unix(path))) {}
  void accept() { peer_ = Fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)); }
  std::string question() {
    char text[256];
    const ssize_t n = ::read(peer_.get(), text, sizeof text);
    return {text, static_cast<size_t>(std::max<ssize_t>(n, 0))};
  }
  void say(std::string_view text) {
    REQUIRE(::write(peer_.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  void hang_up() { peer_.reset(); }
  void go() { listener_.reset(); }

 private:
  Fd listener_, peer_;
};

}  // namespace

TEST_CASE("the answer is taken once it is whole, and the next question takes the same way") {
  TempDir dir;
  const std::string path = dir.path() + "/s";
  Supervisor supervisor(path);
  UsageWatch watch(path);
  CHECK(watch.fd() == -1);
  CHECK_FALSE(watch.take());
  watch.ask();
  CHECK(watch.fd() >= 0);
  CHECK_FALSE(watch.take());
  supervisor.accept();
  CHECK_THAT(supervisor.question(), Catch::Contains("\"usage\""));
  watch.ask();  // one question at a time
  supervisor.say(R"({"id":1,"result":{"a1":{"memory_bytes":7,"cpu_sec)");
  CHECK_FALSE(watch.take());
  supervisor.say("onds\":1.5,\"pids\":2}}}\n");
  const std::optional<LiveUsageList> usage = watch.take();
  REQUIRE(usage);
  REQUIRE(usage->size() == 1);
  CHECK(usage->at(0).first == "a1");
  CHECK(usage->at(0).second.memory_bytes == 7);
  CHECK(usage->at(0).second.cpu_seconds == 1.5);
  CHECK(watch.fd() == -1);
  watch.ask();
  CHECK_THAT(supervisor.question(), Catch::Contains("\"id\":2"));
}

TEST_CASE("a supervisor that goes away, answers nonsense or is not there gives no use") {
  TempDir dir;
  const std::string path = dir.path() + "/s";
  UsageWatch watch(path);
  watch.ask();
  CHECK(watch.fd() == -1);
  Supervisor supervisor(path);
  watch.ask();
  supervisor.accept();
  supervisor.hang_up();
  CHECK(watch.take()->empty());
  CHECK(watch.fd() == -1);
  watch.ask();
  supervisor.accept();
  supervisor.say("nonsense\n");
  CHECK(watch.take()->empty());
  // Hung up between two questions: the second one finds out and connects again.
  supervisor.hang_up();
  watch.ask();
  supervisor.accept();
  CHECK_THAT(supervisor.question(), Catch::Contains("\"usage\""));
  supervisor.hang_up();
  supervisor.go();
  CHECK(watch.take()->empty());
  watch.ask();
  CHECK(watch.fd() == -1);
}
