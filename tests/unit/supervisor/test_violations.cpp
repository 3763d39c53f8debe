// SPDX-License-Identifier: Apache-2.0
// Words for what was denied.
#include <sys/syscall.h>

#include <catch2/catch.hpp>

#include "supervisor/output_hint.hpp"
#include "supervisor/violations.hpp"

using namespace fabric;

namespace {

std::string words(int call, std::array<uint64_t, 6> arguments, const std::string& rule = "") {
  DeniedCall denied;
  denied.call = call;
  denied.arguments = arguments;
  denied.rule = rule;
  return describe_call(denied);
}

std::string hint(std::string_view text) {
  const auto found = hint_in(text);
  return found ? found->what + " -> " + found->allow : "";
}

}  // namespace

TEST_CASE("violations: calls are named with what matters of them") {
  CHECK(words(SYS_socket, {40}) == "socket(AF_VSOCK)");
  CHECK(words(SYS_socket, {77}) == "socket(0x4d)");
  CHECK(words(SYS_socket, {2, 0, 262}) == "socket(AF_INET, protocol 262)");
  CHECK(words(SYS_socket, {2, 3}, "raw IPv4") == "socket(AF_INET, SOCK_RAW)");
  CHECK(words(SYS_ioctl, {0, 0x100005412}) == "ioctl(TIOCSTI)");
  CHECK(words(SYS_clone, {0x10020000}) == "clone(CLONE_NEWNS|CLONE_NEWUSER)");
  CHECK(words(SYS_mount, {}) == "mount");
  CHECK(words(457, {}) == "statmount");
  CHECK(words(99999, {}) == "call 99999");
  CHECK(words(SYS_ioctl, {0, 0x40086602}) == "ioctl(FS_IOC_SETFLAGS)");
  CHECK(words(SYS_chmod, {0, 04755}) == "chmod(mode 04755)");
  CHECK(words(452, {0, 0, 0102755}) == "fchmodat2(mode 02755)");
  CHECK(words(SYS_openat, {0, 0, 0101, 06755}) == "openat(mode 06755)");
}

TEST_CASE("violations: the last words of programs are hints") {
  const std::string ro = " -> isolation.ro = [\"/opt/x\"]", rw = " -> isolation.rw = [\"/opt/x\"]";
  CHECK(hint("cat: /opt/x: No such file or directory\n") == "/opt/x (read)" + ro);
  CHECK(hint("ls: cannot access '/opt/x': No such file or directory") == "/opt/x (read)" + ro);
  CHECK(hint("FileNotFoundError: [Errno 2] No such file or directory: '/opt/x'\n") ==
        "/opt/x (read)" + ro);
  CHECK(hint("Error: ENOENT: no such file or directory, open '/opt/x'\n  at foo (/usr/a.js:1)") ==
        "/opt/x (read)" + ro);
  CHECK(hint("sh: 1: cannot create /opt/x: Read-only file system\n") == "/opt/x (write)" + rw);
  CHECK(hint("touch: cannot touch '/opt/x': Permission denied\nbye\n") == "/opt/x (write)" + rw);
  const std::string host = "a.example.com -> isolation.egress = [\"a.example.com\"]";
  CHECK(hint("curl: (6) Could not resolve host: a.example.com\n") == host);
  CHECK(hint("fatal: unable to access 'https://a.example.com/r.git/': Could not resolve host: "
             "a.example.com") == host);
  CHECK(hint("Error: getaddrinfo ENOTFOUND a.example.com\n") == host);
  CHECK(hint("HTTPSConnectionPool(host='a.example.com', port=443): Max retries") == host);
  CHECK(hint("Temporary failure resolving 'a.example.com'") == host);
}

TEST_CASE("violations: what is no hint, and what is hostile") {
  CHECK(hint("").empty());
  CHECK(hint("\n\n").empty());
  CHECK(hint("all is well\n").empty());
  CHECK(hint("cat: /work/x: No such file or directory").empty());
  CHECK(hint("cat: /tmp/x: No such file or directory").empty());
  CHECK(hint("cat: x: No such file or directory").empty());
  CHECK(hint("Could not resolve host: " + std::string(5000, 'a') + ".b").empty());
  CHECK(hint("Could not resolve host: ").empty());
  CHECK(hint("Could not resolve host: localhost").empty());
  CHECK(hint("/" + std::string(5000, 'a') + ": No such file or directory").empty());
  CHECK(hint(std::string("\0\xff/: No such file or directory", 30)).empty());
  Violation v;
  v.what = std::string(1000, '\x1b');
  tidy(v);
  CHECK(v.what == std::string(300, '?'));
}

TEST_CASE("violations: what the egress process refuses") {
  const auto said = [](const EgressRefused& refused) {
    const Violation v = egress_violation(refused);
    CHECK(v.source == ViolationSource::egress);
    CHECK_FALSE(v.hint);
    return std::string(to_string(v.kind)) + " " + v.what + " | " + v.rule + " | " + v.allow;
  };
  EgressRefused refused;
  refused.kind = "name";
  refused.host = "a.example.com";
  refused.allow = "a.example.com";
  refused.why = "no rule names a.example.com";
  CHECK(said(refused) ==
        "name a.example.com | not listed | isolation.egress = [\"a.example.com\"]");
  refused.kind = "connect";
  refused.port = 22;
  refused.allow = "a.example.com:22";
  CHECK(said(refused) ==
        "connect a.example.com:22 | not listed | isolation.egress = [\"a.example.com:22\"]");
  refused.kind = "address";
  refused.address = "10.0.0.1";
  refused.why = "the name resolves to an address that is private";
  refused.rule = "a.example.com";
  refused.allow = "a.example.com:22+private";
  CHECK(said(refused) ==
        "connect a.example.com:22 (the name resolves to an address that is private) | "
        "a.example.com | isolation.egress = [\"a.example.com:22+private\"]");
  refused.allow = "x\"]\nagent.command = [\"evil";
  CHECK(egress_violation(refused).allow.empty());
  refused = {};
  refused.kind = "connect";
  refused.address = "2001:db8::1";
  refused.port = 80;
  CHECK(said(refused) == "connect [2001:db8::1]:80 | not listed | ");
  refused = {};
  refused.kind = "rate";
  refused.why = "more than 256 connections at once";
  refused.count = 7;
  CHECK(said(refused) == "connect connection | more than 256 connections at once | ");
  CHECK(egress_violation(refused).count == 7);
}

TEST_CASE("violations: in one sentence") {
  Violation v;
  v.what = "ptrace";
  v.rule = "other processes";
  v.allow = "isolation.seccomp = \"permissive\"";
  CHECK(explain_violation(v) ==
        "ptrace was denied (other processes); isolation.seccomp = \"permissive\" would allow it");
  v.allow = "";
  CHECK(explain_violation(v) == "ptrace was denied (other processes)");
}
