// SPDX-License-Identifier: Apache-2.0
// The control socket, with a loop in a thread of its own and raw clients here.
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <thread>

#include "supervisor/control_server.hpp"
#include "supervisor/unix_socket.hpp"
#include "tests/unit/scheduler/helpers.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

// Answers: echo gives its params back, fail an error, big N bytes, later after 20 ms, never not.
class Server {
 public:
  explicit Server(const std::string& path, const std::string& agent_cgroup = "fabric-none")
      : loop_(ok(EventLoop::make(system_clock()))),
        server_(ok(ControlServer::listen(
            *loop_, path, agent_cgroup,
            [this](const control::Call& c, ControlServer::Responder r) { call(c, r); }))) {
    thread_ = std::thread([this] { static_cast<void>(loop_->run()); });
  }
  ~Server() {
    loop_->post([this] { loop_->stop(); });
    thread_.join();
  }
  void close_listener() {
    std::promise<void> closed;
    loop_->post([&] {
      server_->close_listener();
      closed.set_value();
    });
    closed.get_future().wait();
  }

 private:
  void call(const control::Call& c, ControlServer::Responder r) {
    if (c.method == "echo") return r.result(c.params() ? json::to_text(*c.params()) : "null");
    if (c.method == "big") return r.result("\"" + std::string(16 << 20, 'x') + "\"");
    if (c.method == "never") return;
    if (c.method == "later") {
      loop_->after(Duration::millis(20), [r] { r.result("\"late\""); });
      return;
    }
    r.error({ErrorCode::usage, "unknown method '" + c.method + "'", "hint"});
  }

  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<ControlServer> server_;
  std::thread thread_;
};

class Peer {
 public:
  explicit Peer(const std::string& path) : socket_(ok(connect_unix(path))) {
    REQUIRE(socket_.valid());
  }
  void send(std::string_view text) {
    while (!text.empty()) {
      ssize_t n = ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return;  // the server went away: what it says is read next
      text.remove_prefix(static_cast<size_t>(n));
    }
  }
  void finish_sending() { ::shutdown(socket_.get(), SHUT_WR); }
  // "" at the end of the connection; fails after 20 seconds of silence.
  std::string line() {
    for (;;) {
      size_t end = received_.find('\n');
      if (end != std::string::npos) {
        std::string text = received_.substr(0, end);
        received_.erase(0, end + 1);
        return text;
      }
      pollfd wait{socket_.get(), POLLIN, 0};
      if (::poll(&wait, 1, 20000) != 1) FAIL("no answer");
      char buffer[65536];
      ssize_t n = ::read(socket_.get(), buffer, sizeof buffer);
      if (n <= 0) return "";
      received_.append(buffer, static_cast<size_t>(n));
    }
  }

 private:
  Fd socket_;
  std::string received_;
};

}  // namespace

TEST_CASE("the socket is its owner's, at a path of any length") {
  TempDir dir;
  std::string deep = dir.path();
  for (int i = 0; i < 10; ++i) {
    deep += "/" + std::string(100, 'd');
    REQUIRE(::mkdir(deep.c_str(), 0700) == 0);
  }
  const std::string path = deep + "/control.sock";
  Server server(path);
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK(S_ISSOCK(info.st_mode));
  CHECK((info.st_mode & 07777) == 0600);
  Peer peer(path);
  peer.send(control::encode_call(1, "echo", R"({"a":[1,2]})"));
  CHECK(peer.line() == R"({"jsonrpc":"2.0","id":1,"result":{"a":[1,2]}})");
}

TEST_CASE("nobody listens") {
  TempDir dir;
  CHECK_FALSE(ok(connect_unix(dir.path() + "/none")).valid());
  CHECK_FALSE(ok(connect_unix(dir.path() + "/no/such/directory")).valid());
  { Server server(dir.path() + "/s"); }
  CHECK_FALSE(ok(connect_unix(dir.path() + "/s")).valid());
}

TEST_CASE("a left-over socket is replaced") {
  TempDir dir;
  const std::string path = dir.path() + "/s";
  { Fd left_over = ok(listen_unix(path)); }
  Server server(path);
  Peer peer(path);
  peer.send(control::encode_call(1, "echo", "{}"));
  CHECK(peer.line() == R"({"jsonrpc":"2.0","id":1,"result":{}})");
}

TEST_CASE("an unknown method is refused") {
  TempDir dir;
  Server server(dir.path() + "/s");
  Peer peer(dir.path() + "/s");
  peer.send(control::encode_call(5, "erase", "{}"));
  Result<control::Answer> answer = control::decode_answer(5, peer.line());
  CHECK(refusal(answer) == "unknown method 'erase'");
  CHECK(answer.error().code == ErrorCode::usage);
}

TEST_CASE("garbage is answered and the connection goes on") {
  TempDir dir;
  Server server(dir.path() + "/s");
  Peer peer(dir.path() + "/s");
  peer.send("garbage\n\n[]\n" + std::string("\0\n", 2) + control::encode_call(1, "echo", "{}"));
  for (int i = 0; i < 4; ++i)
    CHECK_THAT(peer.line(), Catch::StartsWith(R"({"jsonrpc":"2.0","id":0,"error":{"code":2,)"));
  CHECK(peer.line() == R"({"jsonrpc":"2.0","id":1,"result":{}})");
}

TEST_CASE("a call that comes byte by byte, and calls that come together") {
  TempDir dir;
  Server server(dir.path() + "/s");
  Peer peer(dir.path() + "/s");
  for (char c : control::encode_call(1, "echo", "{}")) peer.send(std::string_view(&c, 1));
  CHECK(ok(control::decode_answer(1, peer.line())).result().IsObject());
  std::string many;
  for (int i = 0; i < 2000; ++i) many += control::encode_call(i, "echo", R"({"k":"vvvvvvvvvv"})");
  std::thread sender([&] { peer.send(many); });
  for (int i = 0; i < 2000; ++i)
    if (!control::decode_answer(i, peer.line())) FAIL("answer " << i);
  sender.join();
}

TEST_CASE("a client that has said all still gets its answers", "") {
  TempDir dir;
  Server server(dir.path() + "/s");
  Peer peer(dir.path() + "/s");
  peer.send(control::encode_call(1, "later", "{}") + control::encode_call(2, "big", "{}"));
  peer.finish_sending();
  std::string first = peer.line();
  std::string second = peer.line();
  CHECK(std::min(first.size(), second.size()) < 100);
  CHECK(std::max(first.size(), second.size()) > (16U << 20));
  CHECK(peer.line().empty());
}

TEST_CASE("clients that go away harm nobody") {
  TempDir dir;
  const std::string path = dir.path() + "/s";
  Server server(path);
  for (int i = 0; i < 200; ++i) {
    Peer gone(path);
    gone.send(control::encode_call(1, i % 20 == 0 ? "big" : "later", "{}") + "{\"half\":");
  }
  std::vector<std::unique_ptr<Peer>> silent;
  for (int i = 0; i < 200; ++i) silent.push_back(std::make_unique<Peer>(path));
  Peer peer(path);
  peer.send(control::encode_call(1, "never", "{}") + control::encode_call(2, "later", "{}"));
  CHECK(ok(control::decode_answer(2, peer.line())).result() == "late");
}

TEST_CASE("a line without end is not kept for ever") {
  TempDir dir;
  Server server(dir.path() + "/s");
  Peer peer(dir.path() + "/s");
  const std::string chunk(1 << 20, 'x');
  for (int i = 0; i < 70; ++i) peer.send(chunk);
  while (!peer.line().empty()) {
  }
  Peer other(dir.path() + "/s");
  other.send(control::encode_call(1, "echo", "{}"));
  CHECK_FALSE(other.line().empty());
}

TEST_CASE("after close_listener nobody connects; who is connected is still answered") {
  TempDir dir;
  const std::string path = dir.path() + "/s";
  Server server(path);
  Peer peer(path);
  peer.send(control::encode_call(1, "echo", "{}"));
  CHECK_FALSE(peer.line().empty());
  server.close_listener();
  peer.send(control::encode_call(2, "echo", "{}"));
  CHECK_FALSE(peer.line().empty());
  CHECK_FALSE(ok(connect_unix(path)).valid());
  CHECK(::access(path.c_str(), F_OK) != 0);
}
