// SPDX-License-Identifier: Apache-2.0
// The supervisor's side of the egress process, with this test as the process: what it is told, what
// happens when it dies, what of it is taken up by a new supervisor.
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>

#include "base/json.hpp"
#include "isolation/control_socket.hpp"
#include "isolation/egress_process.hpp"
#include "isolation/inject_secrets.hpp"
#include "supervisor/egress_client.hpp"

using namespace fabric;

namespace {

struct Heard {
  json::Document object;
  std::vector<Fd> descriptors;
  [[nodiscard]] std::string type() const {
    return std::string(json::get_string(object, "type").value_or(""));
  }
};

// The process: its listening socket and one connection. Blocking, with deadlines; the loop of the
// client runs between the steps of a test (turn()).
class Process {
 public:
  explicit Process(std::string path) : path_(std::move(path)) {}
  Status listen() {
    ++starts;
    listener_ = TRY(listen_at(path_));
    return {};
  }
  void accept() {
    REQUIRE(readable(listener_));
    connection_ = Fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    REQUIRE(connection_);
  }
  void say(const std::string& text) const {
    REQUIRE(::send(connection_.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
  }
  void greet(const std::string& sandboxes = "") {
    accept();
    say(R"({"type":"hello","version":1,"pid":1,"sandboxes":[)" + sandboxes + "]}");
  }
  [[nodiscard]] bool has_more() const { return readable(connection_, 0); }
  [[nodiscard]] Heard hear() const {
    REQUIRE(readable(connection_));
    std::vector<char> text(65536);
    iovec part{text.data(), text.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t got = ::recvmsg(connection_.get(), &message, MSG_CMSG_CLOEXEC);
    REQUIRE(got > 0);
    Heard heard;
    heard.object = json::parse({text.data(), static_cast<size_t>(got)}).value();
    if (const cmsghdr* c = CMSG_FIRSTHDR(&message))
      for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
        heard.descriptors.emplace_back(fd);
      }
    return heard;
  }
  void die() {
    connection_.reset();
    listener_.reset();
  }
  int starts = 0;

 private:
  static bool readable(const Fd& fd, int milliseconds = 10000) {
    pollfd ask{fd.get(), POLLIN, 0};
    return ::poll(&ask, 1, milliseconds) == 1;
  }
  std::string path_;
  Fd listener_, connection_;
};

std::string new_directory() {
  char name[] = "/tmp/fabric-egress-XXXXXX";
  return ::mkdtemp(name);
}

struct Stage {
  Stage() { make_client(); }
  ~Stage() {
    client.reset();
    std::filesystem::remove_all(directory);
  }
  void make_client() {
    EgressClient::Hooks hooks;
    hooks.start = [this] { return start ? start() : process.listen(); };
    hooks.secret = [](const std::string&, const std::string& rule) -> Result<Fd> {
      SandboxOptions options;
      options.secrets = {"key=env:FABRIC_TEST_KEY"};
      options.inject = {rule};
      return open_injected_secret(options, rule);
    };
    hooks.refused = [this](const EgressRefused& r) { refused.push_back(r); };
    hooks.usage = [this](const EgressUsage& u) { usage.push_back(u); };
    client.emplace(*loop, directory + "/egress.sock", std::move(hooks));
  }
  // Lets the loop run until `true_now`, for ten seconds at most.
  void until(const std::function<bool()>& true_now) {
    const MonoTime deadline = loop->now() + Duration::seconds(10);
    std::function<void()> look = [&] {
      if (true_now() || loop->now() > deadline) return loop->stop();
      loop->after(Duration::millis(1), look);
    };
    loop->after(Duration{}, look);
    REQUIRE(loop->run());
    REQUIRE(true_now());
  }
  void turn() {
    loop->after(Duration::millis(5), [this] { loop->stop(); });
    REQUIRE(loop->run());
  }
  // The packet that the client sends next.
  Heard hear() {
    until([this] { return process.has_more(); });
    return process.hear();
  }
  void attach(const std::string& sandbox, Fd link, std::vector<std::string> publish = {},
              std::vector<std::string> inject = {}) {
    EgressAttachment what;
    what.sandbox = sandbox;
    what.generation = 7;
    what.agent = "agent";
    what.rules = {"api.example.com:443"};
    what.publish = std::move(publish);
    what.inject = std::move(inject);
    client->attach(
        std::move(what), std::move(link),
        [this]() -> Result<Fd> {
          auto [ours, theirs] = TRY(make_socket_pair());
          links.push_back(std::move(theirs));
          return std::move(ours);
        },
        [this](Status status) { done.push_back(std::move(status)); });
  }
  // A link of a new sandbox; its other end is kept.
  Fd new_link() {
    auto [ours, theirs] = make_socket_pair().value();
    links.push_back(std::move(theirs));
    return std::move(ours);
  }

  std::string directory = new_directory();
  std::unique_ptr<EventLoop> loop = EventLoop::make(system_clock()).value();
  Process process{directory + "/egress.sock"};
  std::function<Status()> start;
  std::vector<EgressRefused> refused;
  std::vector<EgressUsage> usage;
  std::vector<Status> done;
  std::vector<Fd> links;
  std::optional<EgressClient> client;
};

}  // namespace

TEST_CASE("the first sandbox starts the process and is attached with its link") {
  Stage stage;
  stage.client->find_living();
  CHECK(stage.process.starts == 0);
  stage.attach("a1-1", stage.new_link());
  CHECK(stage.process.starts == 1);
  stage.process.greet();
  Heard attach = stage.hear();
  CHECK(attach.type() == "attach");
  CHECK(json::get_string(attach.object, "sandbox") == "a1-1");
  CHECK(json::get_string(attach.object, "agent") == "agent");
  CHECK(json::get_int(attach.object, "generation") == 7);
  CHECK(json::to_text(*json::find(attach.object, "rules")) == R"(["api.example.com:443"])");
  REQUIRE(attach.descriptors.size() == 1);
  CHECK(stage.done.empty());
  stage.process.say(R"({"type":"attached","sandbox":"a1-1","generation":7})");
  stage.until([&] { return !stage.done.empty(); });
  CHECK(stage.done.at(0));
  // A second one starts no second process; what it says to a sandbox that is gone is nothing.
  stage.attach("a2-2", stage.new_link());
  CHECK(stage.hear().type() == "attach");
  stage.process.say(R"({"type":"failed","sandbox":"a2-2","message":"no listeners"})");
  stage.until([&] { return stage.done.size() == 2; });
  REQUIRE_FALSE(stage.done.at(1));
  CHECK(stage.done.at(1).error().message == "egress: no listeners");
  stage.client->set_rules("a1-1", {"!*"});
  Heard rules = stage.hear();
  CHECK(rules.type() == "rules");
  CHECK(json::to_text(*json::find(rules.object, "rules")) == R"(["!*"])");
  stage.client->detach("a2-2");
  Heard detach = stage.hear();
  CHECK(detach.type() == "detach");
  CHECK(json::get_string(detach.object, "sandbox") == "a2-2");
  CHECK(stage.process.starts == 1);
}

TEST_CASE("when the process dies another one is told everything, with new links") {
  Stage stage;
  stage.attach("a1-1", stage.new_link());
  stage.process.greet();
  (void)stage.hear();
  stage.process.say(R"({"type":"attached","sandbox":"a1-1"})");
  stage.until([&] { return !stage.done.empty(); });
  stage.client->set_rules("a1-1", {"other.example.com"});
  (void)stage.hear();
  const size_t links = stage.links.size();
  stage.process.die();
  stage.until([&] { return stage.process.starts == 2; });
  stage.process.greet();
  Heard attach = stage.hear();
  CHECK(attach.type() == "attach");
  CHECK(json::to_text(*json::find(attach.object, "rules")) == R"(["other.example.com"])");
  CHECK(attach.descriptors.size() == 1);
  CHECK(stage.links.size() == links + 1);
  CHECK(stage.done.size() == 1);  // that was said already
}

TEST_CASE("a new supervisor takes up what the process carries and drops what is gone") {
  Stage stage;
  REQUIRE(stage.process.listen());
  stage.client->find_living();
  stage.process.greet(R"({"sandbox":"a1-1","generation":7},{"sandbox":"a9-9","generation":9})");
  stage.turn();
  stage.attach("a1-1", Fd());
  stage.until([&] { return !stage.done.empty(); });
  CHECK(stage.done.at(0));
  CHECK(stage.links.empty());
  CHECK(stage.process.starts == 1);
  // Its rules may have changed while there was no supervisor.
  Heard rules = stage.hear();
  CHECK(rules.type() == "rules");
  CHECK(json::get_string(rules.object, "sandbox") == "a1-1");
  CHECK(rules.descriptors.empty());
  stage.client->forget_unknown();
  Heard detach = stage.hear();
  CHECK(detach.type() == "detach");
  CHECK(json::get_string(detach.object, "sandbox") == "a9-9");
  // One that it does not carry, because it was started anew in between, gets a link.
  stage.attach("a2-2", Fd());
  CHECK(stage.hear().descriptors.size() == 1);
  CHECK(stage.links.size() == 1);
}

TEST_CASE("refusals and usage are handed on and acknowledged") {
  Stage stage;
  stage.attach("a1-1", stage.new_link());
  stage.process.greet();
  (void)stage.hear();
  stage.process.say(
      R"({"type":"refused","sequence":4,"sandbox":"a1-1","at":1000000,"kind":"connect",)"
      R"("host":"evil.example.com","address":"","port":443,"rule":"",)"
      R"("allow":"evil.example.com","why":"no rule allows it","count":2})");
  stage.process.say(
      R"({"type":"usage","sequence":5,"sandbox":"a1-1","host":"h","in":10,"out":3,"connections":1})");
  stage.until([&] { return stage.refused.size() == 1 && stage.usage.size() == 1; });
  CHECK(describe(stage.refused[0]) ==
        "connect evil.example.com:443: no rule allows it; allowed by: "
        "isolation.egress = [\"evil.example.com\"]");
  CHECK(stage.refused[0].count == 2);
  CHECK(stage.usage[0].in_bytes == 10);
  uint64_t acknowledged = 0;
  while (acknowledged < 5) {
    Heard ack = stage.hear();
    REQUIRE(ack.type() == "ack");
    acknowledged = static_cast<uint64_t>(json::get_int(ack.object, "sequence").value_or(0));
  }
  CHECK(acknowledged == 5);
}

TEST_CASE("a process that cannot be started fails the spawn, with the cause") {
  Stage stage;
  stage.start = [] { return fail(ErrorCode::unavailable, "fabric-egress not found", "hint"); };
  stage.attach("a1-1", stage.new_link());
  stage.until([&] { return !stage.done.empty(); });
  REQUIRE_FALSE(stage.done.at(0));
  CHECK(stage.done.at(0).error().code == ErrorCode::unavailable);
}

TEST_CASE("a process that says nonsense is given up") {
  Stage stage;
  stage.attach("a1-1", stage.new_link());
  for (const char* nonsense : {"{", R"({"type":"hello","version":99})", "[1]"}) {
    const int before = stage.process.starts;
    stage.process.accept();
    stage.process.say(nonsense);
    stage.process.say(R"({"type":"hello","version":2})");
    stage.turn();
    stage.process.die();
    stage.until([&] { return stage.process.starts > before; });
  }
  stage.process.greet();
  CHECK(stage.hear().type() == "attach");
}

TEST_CASE("published ports are bound here, and a taken one is said") {
  auto first = listen_for("127.0.0.1:47811:80");
  REQUIRE(first);
  auto second = listen_for("127.0.0.1:47811:80");
  REQUIRE_FALSE(second);
  CHECK(second.error().message.find("publish 127.0.0.1:47811:80") != std::string::npos);

  Stage stage;
  stage.attach("a1-1", stage.new_link(), {"127.0.0.1:47812:80"});
  stage.process.greet();
  Heard attach = stage.hear();
  REQUIRE(attach.descriptors.size() == 2);
  CHECK(json::to_text(*json::find(attach.object, "publish")) ==
        R"([{"rule":"127.0.0.1:47812:80","fd":1}])");
  int listening = 0;
  socklen_t size = sizeof listening;
  ::getsockopt(attach.descriptors[1].get(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &size);
  CHECK(listening == 1);
  stage.attach("a2-2", stage.new_link(), {"127.0.0.1:47811:80"});
  stage.until([&] { return stage.done.size() == 1; });
  CHECK_FALSE(stage.done.at(0));
}

TEST_CASE("what is injected goes to the process in memory, and is needed for the spawn") {
  Stage stage;
  ::setenv("FABRIC_TEST_KEY", "sesame", 1);
  stage.attach("a1-1", stage.new_link(), {}, {"api=api.example.com,secret=key"});
  stage.process.greet();
  Heard attach = stage.hear();
  REQUIRE(attach.descriptors.size() == 2);
  CHECK(json::to_text(*json::find(attach.object, "inject")) ==
        R"([{"rule":"api=api.example.com,secret=key","fd":1}])");
  char value[16] = {};
  CHECK(::pread(attach.descriptors[1].get(), value, sizeof value, 0) == 6);
  CHECK(std::string(value) == "sesame");
  CHECK(::write(attach.descriptors[1].get(), "x", 1) < 0);
  ::unsetenv("FABRIC_TEST_KEY");
  stage.attach("a2-2", stage.new_link(), {}, {"api=api.example.com,secret=key"});
  stage.until([&] { return stage.done.size() == 1; });
  REQUIRE_FALSE(stage.done.at(0));
  CHECK(stage.done.at(0).error().message == "secret key: the variable FABRIC_TEST_KEY is not set");
  stage.attach("a3-3", stage.new_link(), {}, {"api=api.example.com,secret=other"});
  stage.until([&] { return stage.done.size() == 2; });
  CHECK(stage.done.at(1).error().message == "inject api: there is no secret other");
}
