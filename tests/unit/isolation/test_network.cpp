// SPDX-License-Identifier: Apache-2.0
// The sandbox's side of egress, with this test as the egress process: routes and resolver inside,
// the link to the init, its survival.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>

#include "fixture.hpp"
#include "isolation/control_socket.hpp"
#include "model/egress_wire.hpp"

using namespace fabric;
using namespace fabric::test;
using wire::LinkPacket;

namespace {

struct Answer {
  LinkPacket packet{};
  Fd fd;
};

// The other end of the link. Every wait has a deadline.
class Peer {
 public:
  explicit Peer(Fd link) : link_(std::move(link)) {}

  void say(const LinkPacket& packet) const {
    REQUIRE(::send(link_.get(), &packet, sizeof packet, MSG_NOSIGNAL) == sizeof packet);
  }
  // Until neither side takes any more.
  void flood(const LinkPacket& packet) const {
    int sent = 0;
    while (::send(link_.get(), &packet, sizeof packet, MSG_NOSIGNAL | MSG_DONTWAIT) > 0) ++sent;
    CHECK(errno == EAGAIN);
    CHECK(sent > 1);
  }
  [[nodiscard]] Answer hear() const {
    Answer answer;
    pollfd ask{link_.get(), POLLIN, 0};
    REQUIRE(::poll(&ask, 1, 10000) == 1);
    iovec part{&answer.packet, sizeof answer.packet};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    REQUIRE(::recvmsg(link_.get(), &message, MSG_CMSG_CLOEXEC) == sizeof answer.packet);
    if (const cmsghdr* c = CMSG_FIRSTHDR(&message)) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c), sizeof fd);
      answer.fd = Fd(fd);
    }
    return answer;
  }
  std::map<uint32_t, Answer> replay() const {
    LinkPacket request{};
    request.op = wire::k_link_replay;
    say(request);
    std::map<uint32_t, Answer> all;
    for (;;) {
      Answer answer = hear();
      if (answer.packet.op == wire::k_link_replayed) return all;
      REQUIRE(answer.packet.op == wire::k_link_listener);
      REQUIRE(answer.fd);
      const uint32_t id = answer.packet.id;
      all.emplace(id, std::move(answer));
    }
  }
  Answer ask(uint16_t op, uint32_t id, const std::string& address, uint16_t port,
             const std::string& note = "") const {
    LinkPacket request{};
    request.op = op;
    request.id = id;
    const bool six = address.find(':') != std::string::npos;
    request.listen.family = six ? AF_INET6 : AF_INET;
    request.listen.type = SOCK_STREAM;
    request.listen.port = port;
    request.listen.flags = six ? wire::k_listen_free : 0;
    ::inet_pton(request.listen.family, address.c_str(), request.listen.address);
    std::strncpy(request.note, note.c_str(), sizeof request.note - 1);
    say(request);
    return hear();
  }
  Answer listen(uint32_t id, const std::string& address, uint16_t port,
                const std::string& note = "") const {
    return ask(wire::k_link_listen, id, address, port, note);
  }
  [[nodiscard]] bool ended() const {
    pollfd ask{link_.get(), 0, 0};
    return ::poll(&ask, 1, 10000) == 1 && (ask.revents & POLLHUP) != 0;
  }

 private:
  Fd link_;
};

// In the case of an ordinary user without cgroups there are no limits.
SandboxSpec open_spec(Fixture& fixture, std::vector<std::string> rules) {
  SandboxSpec spec = fixture.spec();
  if (fixture.manager().features().cgroups == CgroupMode::none) spec.limits = {0, 0, 0};
  spec.options.egress = std::move(rules);
  return spec;
}

// Accepts one connection, writes `text` to it and closes.
void serve(const Fd& listener, const std::string& text) {
  pollfd ask{listener.get(), POLLIN, 0};
  REQUIRE(::poll(&ask, 1, 10000) == 1);
  Fd client(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  REQUIRE(client);
  REQUIRE(::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(text.size()));
}

std::string connect_script(const std::string& address, uint16_t port) {
  return "python3 -c 'import socket, errno\ntry:\n  s = socket.create_connection((\"" + address +
         "\", " + std::to_string(port) +
         "), 5)\n  print(s.recv(99).decode(), end=\"\")\nexcept OSError as e:\n"
         "  print(errno.errorcode.get(e.errno, str(e)), end=\"\")'";
}

struct Running {
  AttemptId attempt;
  Fd out;
};
Running begin(Sandbox& sandbox, const std::string& script) {
  Running running{0, Fd(::memfd_create("out", 0))};
  StartRequest start = shell(script);
  running.attempt = start.attempt;
  Fd null = open_file("/dev/null", O_RDWR).value();
  REQUIRE(sandbox.connection.start(start, null, running.out, null));
  return running;
}
std::string end(Sandbox& sandbox, Running& running) {
  AttemptExit exit = wait_for<AttemptExit>(sandbox);
  CHECK(exit.attempt == running.attempt);
  (void)sandbox.connection.acknowledge_exit(exit.attempt);
  ::lseek(running.out.get(), 0, SEEK_SET);
  return read_all(running.out.get()).value();
}

void check_network(Fixture& fixture) {
  Sandbox sandbox = fixture.create(open_spec(fixture, {"api.example.com:443", "10.9.0.0/16:80"}));
  REQUIRE(sandbox.egress_link);
  Peer peer(std::move(sandbox.egress_link));
  auto birth = peer.replay();
  REQUIRE(birth.size() == 4);

  // What stands for a name, with a port that needs privileges elsewhere.
  Answer name = peer.listen(16, "198.18.1.1", 443, "api.example.com");
  REQUIRE(name.packet.error == 0);
  Running client = begin(sandbox, connect_script("198.18.1.1", 443));
  serve(name.fd, "by name");
  CHECK(end(sandbox, client) == "by name");
  Answer six = peer.listen(17, "fdfa:b21c::1", 443, "api.example.com");
  REQUIRE(six.packet.error == 0);
  client = begin(sandbox, connect_script("fdfa:b21c::1", 443));
  serve(six.fd, "by name six");
  CHECK(end(sandbox, client) == "by name six");
  // Any address of a network, beside a listener for one address on the same port.
  REQUIRE(peer.listen(18, "198.18.1.1", 80).packet.error == 0);
  Answer network = peer.listen(19, "0.0.0.0", 80);
  REQUIRE(network.packet.error == 0);
  client = begin(sandbox, connect_script("10.9.7.3", 80));
  serve(network.fd, "by address");
  CHECK(end(sandbox, client) == "by address");

  // Everything else is refused at once, not after a while.
  for (const char* address : {"10.8.0.1", "192.0.2.1", "169.254.169.254", "2001:db8::1"}) {
    const MonoTime before = system_clock().monotonic();
    CHECK(run_shell(sandbox, connect_script(address, 80)).out == "EACCES");
    CHECK((system_clock().monotonic() - before).to_millis() < 3000);
  }
  CHECK(run_shell(sandbox, connect_script("198.18.9.9", 443)).out == "ECONNREFUSED");
  CHECK(run_shell(sandbox,
                  "python3 -c 'import socket\n"
                  "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b\"x\", "
                  "(\"192.0.2.1\", 53))'")
            .exit.exit_code != 0);
  CHECK(run_shell(sandbox, "getent hosts $(cat /proc/sys/kernel/hostname)").out.starts_with("127"));
  CHECK(run_shell(sandbox, "cat /etc/resolv.conf").out.starts_with("nameserver 127.0.0.53\n"));
  // A query reaches the resolver's socket, which the init made and we hold.
  // Both families count as configured for AI_ADDRCONFIG, though there is nothing but lo.
  CHECK(run_shell(sandbox,
                  "cat /proc/net/if_inet6; python3 -c 'import socket\n"
                  "for a in (\"198.18.0.1\", \"fdfa:b21c:0:1::1\"):\n"
                  "  for r in socket.getaddrinfo(a, 80, flags=socket.AI_ADDRCONFIG, "
                  "type=socket.SOCK_STREAM): print(r[4][0])'")
            .out.ends_with("198.18.0.1\nfdfa:b21c:0:1::1\n"));
  client = begin(sandbox, "getent ahosts api.example.com & sleep 0.2; kill $!");
  pollfd ask{birth.at(wire::k_link_resolver_udp).fd.get(), POLLIN, 0};
  CHECK(::poll(&ask, 1, 10000) == 1);
  (void)end(sandbox, client);
}

}  // namespace

TEST_CASE("listeners inside, accepted outside") {
  Fixture fixture;
  check_network(fixture);
}

TEST_CASE("listeners inside without privileges", "[.][unprivileged]") {
  Fixture fixture;
  check_network(fixture);
}

TEST_CASE("without rules there is no link and no route") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  CHECK_FALSE(sandbox.egress_link);
  CHECK(run_shell(sandbox, connect_script("198.18.1.1", 443)).out == "ENETUNREACH");
  CHECK(run_shell(sandbox, "test -e /etc/resolv.conf").exit.exit_code != 0);
}

TEST_CASE("a new egress process gets what there was") {
  Fixture fixture;
  Sandbox sandbox = fixture.create(open_spec(fixture, {"*.example.com:443"}));
  std::optional<Peer> peer(std::move(sandbox.egress_link));
  REQUIRE(peer->listen(16, "198.18.1.1", 443, "a.example.com").packet.error == 0);
  REQUIRE(peer->listen(17, "198.18.1.2", 443, "b.example.com").packet.error == 0);
  LinkPacket close_it{};
  close_it.op = wire::k_link_close;
  close_it.id = 17;
  peer->say(close_it);
  CHECK(peer->listen(16, "198.18.1.3", 443).packet.error == EEXIST);
  peer.reset();
  // A connection that comes while nobody is there waits for the successor.
  Running client = begin(sandbox, connect_script("198.18.1.1", 443));
  auto [ours, theirs] = make_socket_pair().value();
  REQUIRE(sandbox.connection.give_link(theirs));
  theirs.reset();
  Peer successor(std::move(ours));
  auto all = successor.replay();
  CHECK(all.size() == 5);
  REQUIRE(all.count(16) == 1);
  CHECK(std::string(all.at(16).packet.note) == "a.example.com");
  CHECK(all.at(16).packet.listen.port == 443);
  serve(all.at(16).fd, "patience");
  CHECK(end(sandbox, client) == "patience");
}

TEST_CASE("connections from outside reach the sandbox's own loopback") {
  Fixture fixture;
  SandboxSpec spec = open_spec(fixture, {});
  spec.options.publish = {"8000:80"};
  spec.options.publish_allowed = true;
  Sandbox sandbox = fixture.create(spec);
  Peer peer(std::move(sandbox.egress_link));
  Running server =
      begin(sandbox,
            "python3 -c 'import socket\ns = socket.create_server((\"127.0.0.1\", 80))\n"
            "print(\"listening\", flush=True)\nc = s.accept()[0]\n"
            "c.sendall(b\"from inside\")'");
  const MonoTime deadline = system_clock().monotonic() + Duration::seconds(20);
  for (struct stat status{}; status.st_size == 0 && system_clock().monotonic() < deadline;) {
    ::usleep(2000);
    ::fstat(server.out.get(), &status);
  }
  // The address is not the peer's choice: it would be a way to other listeners inside only, but
  // there is no reason for it.
  Answer connected = peer.ask(wire::k_link_connect, 99, "192.0.2.1", 80);
  CHECK(connected.packet.op == wire::k_link_connected);
  CHECK(connected.packet.id == 99);
  REQUIRE(connected.packet.error == 0);
  pollfd ask{connected.fd.get(), POLLIN, 0};
  REQUIRE(::poll(&ask, 1, 10000) == 1);
  char text[64] = {};
  CHECK(::recv(connected.fd.get(), text, sizeof text - 1, 0) == 11);
  CHECK(std::string(text) == "from inside");
  (void)end(sandbox, server);
}

TEST_CASE("a hostile peer of the link loses it and harms nothing") {
  Fixture fixture;
  Sandbox sandbox = fixture.create(open_spec(fixture, {"a.example.com"}));
  Peer peer(std::move(sandbox.egress_link));
  CHECK(peer.ask(wire::k_link_listen, 20, "192.0.2.1", 80).packet.error == EADDRNOTAVAIL);
  LinkPacket odd{};
  odd.op = wire::k_link_listen;
  odd.id = 21;
  odd.listen.family = AF_UNIX;
  odd.listen.type = SOCK_STREAM;
  peer.say(odd);
  CHECK(peer.hear().packet.error == EINVAL);
  odd.listen.family = AF_INET;
  odd.listen.type = SOCK_RAW;
  peer.say(odd);
  CHECK(peer.hear().packet.error == EINVAL);
  // One that asks and never listens: the init goes on with its tasks.
  LinkPacket replay{};
  replay.op = wire::k_link_replay;
  peer.flood(replay);
  CHECK(run_shell(sandbox, "echo alive").out == "alive\n");
  auto [ours, theirs] = make_socket_pair().value();
  REQUIRE(sandbox.connection.give_link(theirs));
  theirs.reset();
  Peer second(std::move(ours));
  LinkPacket unknown{};
  unknown.op = 999;
  second.say(unknown);
  CHECK(second.ended());
  CHECK(run_shell(sandbox, "echo alive").out == "alive\n");
}

TEST_CASE("rules of egress are refused where they cannot hold") {
  Fixture fixture;
  SandboxSpec spec = fixture.spec(IsolationLevel::none);
  spec.options.egress = {"a.example.com"};
  auto refused = fixture.try_create(spec);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::unavailable);
}
