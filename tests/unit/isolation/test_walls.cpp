// SPDX-License-Identifier: Apache-2.0
// Attacks from inside. Each is also made outside, by this test as root or at level `none`, where it
// must succeed: an attack that fails everywhere proves nothing.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>

#include "fixture.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

// Exit codes of a shell script, inside and outside.
struct Both {
  Fixture fixture;
  Sandbox inside = fixture.create(IsolationLevel::process);
  Sandbox outside = fixture.create(IsolationLevel::none);

  void check(const std::string& script) {
    INFO(script);
    CHECK(run_shell(outside, script).exit.exit_code == 0);
    CHECK(run_shell(inside, script).exit.exit_code != 0);
  }
};

// A system call made by python3: prints "ok" or the name of the error.
std::string call(int number, const std::string& arguments) {
  return "python3 -c 'import ctypes, errno, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
         "r = libc.syscall(" +
         std::to_string(number) + ", " + arguments +
         ")\n"
         "print(\"ok\" if r >= 0 else errno.errorcode[ctypes.get_errno()])'";
}

}  // namespace

TEST_CASE("secrets of the host are not there") {
  Both both;
  both.check("cat /etc/shadow");
  both.check("ls /root");
  both.check("ls /var/lib");
  both.check("ls /sys/kernel");
  both.check("test -e /dev/kmsg");
  both.check("test ! -c /proc/keys");
  both.check("cat " + both.fixture.path("journal1"));
  both.check("ls " + both.fixture.directory());
  CHECK(run_shell(both.inside, "cat /proc/1/environ || ls /proc/1/root/ || ls /proc/1/cwd/")
            .exit.exit_code != 0);
}

TEST_CASE("nothing outside of the work directory can be written") {
  Both both;
  both.check("touch /usr/fabric-attack && rm /usr/fabric-attack");
  both.check("touch /etc/fabric-attack && rm /etc/fabric-attack");
  both.check("touch /fabric-attack && rm /fabric-attack");
  both.check("touch ../fabric-attack && rm ../fabric-attack");
  both.check(": >> /etc/passwd");
  both.check("mkdir /dev/fabric-attack && rmdir /dev/fabric-attack");
  const std::string open_for_writing =
      "python3 -c 'import os, sys; os.open(sys.argv[1], os.O_WRONLY)' ";
  both.check(open_for_writing + "/proc/sys/kernel/core_pattern");
  // What it may write.
  CHECK(run_shell(both.inside,
                  "echo x > /work/a && echo x > /tmp/a && echo x > /dev/shm/a && "
                  "mkdir d && mv a d/b && ln d/b c && echo > /dev/null")
            .exit.exit_code == 0);
}

TEST_CASE("links in the work directory lead nowhere") {
  Both both;
  both.check("ln -sf /etc/shadow link && cat link");
  both.check("ln -sf " + both.fixture.directory() + " dir && touch dir/x && rm dir/x");
}

TEST_CASE("set-user-id programs and device nodes give nothing") {
  Fixture fixture;
  REQUIRE(std::system(("cp /usr/bin/id " + fixture.work("id") + " && chmod 6755 " +
                       fixture.work("id") + " && mknod -m 666 " + fixture.work("disk") + " b 254 0")
                          .c_str()) == 0);
  Sandbox sandbox = fixture.create();
  CHECK(run_shell(sandbox, "./id -u").out == "100001\n");
  CHECK(run_shell(sandbox, "head -c 1 disk").exit.exit_code != 0);
  CHECK(run_shell(sandbox, "mknod x b 254 0").exit.exit_code != 0);
}

TEST_CASE("a sandbox has no privileges, and says so") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  Outcome status = run_shell(sandbox, "grep -E 'Cap|NoNew|Seccomp:' /proc/self/status");
  CHECK(status.out ==
        "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
        "CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n");
  CHECK(run_shell(sandbox, "ulimit -c; ulimit -n").out == "0\n1024\n");
  CHECK(run_shell(sandbox, "ls -x /proc/self/fd").out == "0  1  2  3\n");
  CHECK(run_shell(sandbox, "cat /proc/self/cgroup | grep -v -e ':/$' -e slot0$ -e process_api")
            .out.find("test-") == std::string::npos);
  CHECK(run_shell(sandbox, "hostname; whoami; echo $HOME").out == "agent1\nagent\n/work\n");
}

TEST_CASE("other processes can be neither seen nor touched") {
  Both both;
  const std::string self = std::to_string(::getpid());
  both.check("test -d /proc/" + self);
  both.check("kill -0 " + self);
  both.check("test $(ls -d /proc/[0-9]* | wc -l) -gt 8");
  // Its own init neither.
  Outcome outcome =
      run_shell(both.inside, "kill -9 1; kill -TERM 1; kill -KILL -1; sleep 0.1; echo x");
  CHECK(run_shell(both.inside, "cat /proc/1/mem; ls /proc/1/fd").exit.exit_code != 0);
  CHECK(run_shell(both.inside, "prlimit --pid 1 --nofile=0").exit.exit_code != 0);
  CHECK(run(both.inside, request({"true"})).exit.exit_code == 0);
}

TEST_CASE("the host's loopback interface is another one") {
  Both both;
  Fd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  REQUIRE(::bind(server.get(), generic, size) == 0);
  REQUIRE(::listen(server.get(), 8) == 0);
  REQUIRE(::getsockname(server.get(), generic, &size) == 0);
  both.check("python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", " +
             std::to_string(ntohs(address.sin_port)) + "), 2)'");
  // Its own works.
  CHECK(run_shell(both.inside,
                  "python3 -c 'import socket; s = socket.create_server((\"127.0.0.1\", 0)); "
                  "socket.create_connection(s.getsockname(), 2)'")
            .exit.exit_code == 0);
}

TEST_CASE("kinds of sockets") {
  Fixture fixture;
  Sandbox inside = fixture.create(), outside = fixture.create(IsolationLevel::none);
  struct {
    const char* arguments;
    const char* error;
  } kinds[] = {
      {"2, 3, 6", "EPERM"},              // raw
      {"17, 3, 0", "EAFNOSUPPORT"},      // packet
      {"40, 1, 0", "EAFNOSUPPORT"},      // vsock
      {"38, 5, 0", "EAFNOSUPPORT"},      // alg
      {"2, 1, 262", "EPROTONOSUPPORT"},  // MPTCP
      {"16, 3, 16", "EPROTONOSUPPORT"},  // generic netlink
      {"16, 3, 0", "ok"},                // route
      {"1, 1, 0", "ok"},
      {"2, 2, 17", "ok"},
      {"10, 1, 6", "ok"},
  };
  for (auto [arguments, error] : kinds) {
    INFO(arguments);
    CHECK(run_shell(inside, call(41, arguments)).out == std::string(error) + "\n");
    const std::string out = run_shell(outside, call(41, arguments)).out;
    CHECK((out == "ok\n" || out == "EPROTONOSUPPORT\n" || out == "EAFNOSUPPORT\n"));
  }
}

TEST_CASE("system calls that are refused") {
  Fixture fixture;
  Sandbox inside = fixture.create(), outside = fixture.create(IsolationLevel::none);
  struct {
    int number;
    const char* arguments;
    const char* error;
  } calls[] = {
      {425, "4, ctypes.create_string_buffer(120)", "ENOSYS"},   // io_uring_setup
      {435, "0, 0", "ENOSYS"},                                  // clone3
      {272, "0x20000", "EPERM"},                                // unshare mounts
      {272, "0x10000000", "EPERM"},                             // unshare users
      {56, "0x10000011, 0, 0, 0, 0", "EPERM"},                  // clone into a user namespace
      {101, "0, 0, 0, 0", "EPERM"},                             // ptrace TRACEME
      {321, "0, 0, 0", "EPERM"},                                // bpf
      {298, "0, 0, -1, -1, 0", "EPERM"},                        // perf_event_open
      {323, "1", "EPERM"},                                      // userfaultfd
      {250, "0, -3, 0, 0, 0", "EPERM"},                         // keyctl
      {165, "0, b\"/work\", 0, 0x1000, 0", "EPERM"},            // mount
      {430, "b\"tmpfs\", 0", "EPERM"},                          // fsopen
      {161, "b\"/work\"", "EPERM"},                             // chroot
      {135, "0xffffffff", "EPERM"},                             // personality
      {16, "0, 0x5412, b\"x\"", "EPERM"},                       // TIOCSTI
      {16, "0, ctypes.c_ulong(0x100005412), b\"x\"", "EPERM"},  // the kernel takes 32 bits of it
      {103, "3, 0, 0", "EPERM"},                                // syslog
      {304, "-100, 0, 0", "EPERM"},                             // open_by_handle_at
  };
  for (auto [number, arguments, error] : calls) {
    INFO(number << " " << arguments);
    const std::string out = run_shell(inside, call(number, arguments)).out;
    CHECK(out == std::string(error) + "\n");
    CHECK(run_shell(outside, call(number, arguments)).out != out);
  }
  // Another architecture's calls kill: int 0x80 is 32-bit getpid.
  const std::string i386 =
      "python3 -c 'import ctypes, mmap\nm = mmap.mmap(-1, 4096, prot=7)\n"
      "m.write(b\"\\xb8\\x14\\0\\0\\0\\xcd\\x80\\xc3\")\n"
      "ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))()'";
  CHECK(run_shell(inside, "exec " + i386).exit.signal == 31);
}

TEST_CASE("memory file systems are bounded and charged") {
  Fixture fixture;
  SandboxSpec spec = fixture.spec();
  spec.limits.memory_bytes = 64 << 20;
  Sandbox sandbox = fixture.create(spec);
  for (const char* place : {"/tmp", "/dev/shm"}) {
    Outcome outcome = run_shell(sandbox, std::string("head -c 100000000 /dev/zero > ") + place +
                                             "/x; rm -f " + place + "/x");
    INFO(outcome.err);
    CHECK(outcome.err.find("No space left") != std::string::npos);
  }
  CHECK(run_shell(sandbox, "for i in $(seq 70000); do echo > /tmp/$i || exit 1; done")
            .exit.exit_code != 0);
}

TEST_CASE("programs that agents use do run") {
  Fixture fixture;
  SandboxSpec spec = fixture.spec();
  spec.limits.memory_bytes = uint64_t{2} << 30;
  Sandbox sandbox = fixture.create(spec);
  CHECK(run_shell(sandbox,
                  "python3 -c 'import threading; t = threading.Thread(target=print, "
                  "args=(\"thread\",)); t.start(); t.join()'")
            .out == "thread\n");
  CHECK(run_shell(sandbox,
                  "git init -q r && cd r && git -c user.name=a -c user.email=b commit -q "
                  "--allow-empty -m x && git log --oneline | wc -l")
            .out == "1\n");
  CHECK(run_shell(sandbox, "ps -e -o comm= | sort | head -1").exit.exit_code == 0);
  CHECK(run_shell(sandbox, "printf 'b\\na\\n' | sort | tr '\\n' ' '").out == "a b ");
  if (::access("/usr/bin/node", X_OK) == 0)
    CHECK(run_shell(sandbox, "node -e 'console.log(require(\"os\").cpus().length > 0)'").out ==
          "true\n");
}
