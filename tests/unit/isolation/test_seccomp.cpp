// SPDX-License-Identifier: Apache-2.0
// System call policies: the files, what they let through, and what is said of what they do not.
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>
#include <set>

#include "base/fd.hpp"
#include "fixture.hpp"
#include "isolation/bpf_run.hpp"
#include "isolation/seccomp_policies.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

std::shared_ptr<const SeccompFilter> filter(const std::string& selection) {
  SeccompPolicies policies;
  auto found = policies.get(selection);
  INFO((found ? "" : found.error().message));
  REQUIRE(found);
  return *found;
}

// "" when the call is allowed, else the name of its rule, or "killed".
std::string verdict(const SeccompFilter& f, long number, std::array<uint64_t, 6> arguments = {},
                    uint32_t architecture = AUDIT_ARCH_X86_64) {
  SystemCall call{};
  call.number = static_cast<int32_t>(number);
  call.architecture = architecture;
  std::copy(arguments.begin(), arguments.end(), call.arguments);
  const uint32_t result = run_bpf(f.program.data(), f.program.size(), call);
  if (result == SECCOMP_RET_ALLOW) return "";
  if (result == SECCOMP_RET_KILL_PROCESS) return "killed";
  REQUIRE((result & 0xffff0000) == SECCOMP_RET_TRACE);
  REQUIRE((result & 0xffff) < f.rules.size());
  return f.rules[result & 0xffff].name;
}

std::string write(const Fixture& fixture, const std::string& text) {
  std::ofstream(fixture.path("policy.toml")) << text;
  return fixture.path("policy.toml");
}

Error refused(const std::string& selection) {
  SeccompPolicies policies;
  auto found = policies.get(selection);
  REQUIRE_FALSE(found);
  return found.error();
}

// A system call made by python3: "ok" or the name of the error.
std::string call(long number, const std::string& arguments) {
  return "python3 -c 'import ctypes, errno\nlibc = ctypes.CDLL(None, use_errno=True)\n"
         "r = libc.syscall(" +
         std::to_string(number) + ", " + arguments +
         ")\nprint(\"ok\" if r >= 0 else errno.errorcode[ctypes.get_errno()], end=\"\")'";
}

struct Ended {
  Outcome outcome;
  std::vector<DeniedCall> denied;
};

Ended run_and_listen(Fixture& fixture, Sandbox& sandbox, const std::string& script) {
  static AttemptId attempt = 5000;
  StartRequest start = shell(script);
  start.attempt = ++attempt;
  const std::string out = fixture.path("out" + std::to_string(attempt));
  Fd input = *open_file("/dev/null", 0);
  Fd output = *open_file(out, 02 | 0100, 0600);
  REQUIRE(sandbox.connection.start(start, input, output, output));
  Ended ended;
  for (;;) {
    auto event = next_event(sandbox, 20000);
    REQUIRE(event);
    if (auto* denied = std::get_if<DeniedCall>(&*event)) ended.denied.push_back(*denied);
    auto* exit = std::get_if<AttemptExit>(&*event);
    if (exit == nullptr) continue;
    ended.outcome.exit = *exit;
    break;
  }
  REQUIRE(sandbox.connection.acknowledge_exit(attempt));
  ended.outcome.out = read_file(out).value_or("");
  return ended;
}

}  // namespace

TEST_CASE("seccomp: docs/seccomp.md says what the policies say") {
  const auto text = read_file(FABRIC_TEST_DATA "/../docs/seccomp.md");
  const std::string made = seccomp_markdown();
  if (text.value_or("") != made) std::ofstream("seccomp.md") << made;
  INFO("the text as it should be is in seccomp.md of the current directory");
  CHECK((text && *text == made));
}

TEST_CASE("seccomp: every wall of the default policy stands in all three") {
  const auto walls = built_in_seccomp_policy("default");
  REQUIRE(walls);
  for (const char* name : {"default", "strict", "permissive"}) {
    INFO(name);
    const auto f = filter(name);
    CHECK(open_wall(*f, *walls).empty());
    CHECK(denied_at_start(*f).empty());
    CHECK(verdict(*f, SYS_read).empty());
    CHECK(verdict(*f, SYS_getpid, {}, AUDIT_ARCH_I386) == "killed");
    CHECK(verdict(*f, SYS_getpid | 0x40000000) == "killed");  // x32
    CHECK_FALSE(verdict(*f, SYS_ioctl, {0, 0x541d}).empty());
    CHECK_FALSE(verdict(*f, SYS_ioctl, {0, 0x100005412}).empty());
    CHECK_FALSE(verdict(*f, SYS_ioctl, {0, 0x401c5820}).empty());
    CHECK_FALSE(verdict(*f, SYS_ioctl, {0, 0x40086602}).empty());
    CHECK_FALSE(verdict(*f, SYS_ioctl, {0, 0x40046602}).empty());
    CHECK(verdict(*f, SYS_ioctl, {0, 0x80086601}).empty());  // FS_IOC_GETFLAGS
    // statmount, listmount, open_tree_attr, file_setattr
    for (long newer : {457, 458, 467, 469}) CHECK_FALSE(verdict(*f, newer).empty());
    CHECK_FALSE(verdict(*f, SYS_openat2).empty());
    CHECK_FALSE(verdict(*f, SYS_socket, {40, 1, 0}).empty());
    CHECK(verdict(*f, SYS_socket, {2, 1, 0}).empty());
  }
}

TEST_CASE("seccomp: no policy lets set-user-id programs be made, and all let others be") {
  constexpr uint64_t k_create = 0100, k_nameless = 020200000;
  for (const char* name : {"default", "strict", "permissive"}) {
    const auto f = filter(name);
    for (uint64_t mode = 0; mode < 010000; ++mode) {
      const bool fine = (mode & 06000) == 0;
      INFO(name << " " << std::oct << mode);
      const auto check = [&](bool allowed, long number, std::array<uint64_t, 6> arguments) {
        const std::string rule = verdict(*f, number, arguments);
        if (allowed ? !rule.empty() : !rule.starts_with("set-user-id by")) FAIL_CHECK(rule);
      };
      for (long number : {SYS_chmod, SYS_fchmod, SYS_creat, SYS_mknod})
        check(fine, number, {1, mode | 0100000});
      for (long number : {SYS_fchmodat, SYS_mknodat, 452}) check(fine, number, {1, 1, mode});
      for (const uint64_t more : {0U, 1U, 2U, 02001U, 02000000U, 0x7fbf0000U}) {
        check(fine, SYS_open, {1, k_create | more, mode});
        check(fine, SYS_openat, {1, 1, k_create | more, mode});
        check(fine, SYS_open, {1, k_nameless | more, mode});
        check(fine, SYS_openat, {1, 1, k_nameless | more, mode});
        check(fine, SYS_open, {1, k_create | k_nameless | more, mode});
        check(fine, SYS_openat, {1, 1, k_create | k_nameless | more, mode});
        // The mode means nothing where nothing is made.
        check(true, SYS_open, {1, more, mode});
        check(true, SYS_openat, {1, 1, more, mode});
      }
    }
  }
}

TEST_CASE("seccomp: the filter that was compiled at build time is the default policy") {
  const auto policy = built_in_seccomp_policy("default");
  REQUIRE(policy);
  const auto now = compile_seccomp_policy(*policy);
  REQUIRE(now);
  const SeccompFilter& then = *filter("default");
  CHECK(&then == &builtin_seccomp_filter());
  REQUIRE(then.program.size() == now->program.size());
  CHECK(std::memcmp(then.program.data(), now->program.data(),
                    then.program.size() * sizeof(wire::Instruction)) == 0);
  REQUIRE(then.rules.size() == now->rules.size());
  for (size_t i = 0; i < then.rules.size(); ++i) {
    CHECK(then.rules[i].name == now->rules[i].name);
    CHECK(then.rules[i].error == now->rules[i].error);
    CHECK(then.rules[i].arguments == now->rules[i].arguments);
    CHECK(then.rules[i].report == now->rules[i].report);
  }
}

TEST_CASE("seccomp: what differs between the policies") {
  const auto usual = filter("default"), strict = filter("strict"), open = filter("permissive");
  CHECK(verdict(*usual, SYS_ptrace) == "other processes");
  CHECK(verdict(*open, SYS_ptrace).empty());
  CHECK(verdict(*usual, SYS_personality, {0xffffffff}).empty());
  CHECK(verdict(*usual, SYS_personality, {0x0040000}) == "personality");
  CHECK(verdict(*open, SYS_personality, {0x0040000}).empty());
  CHECK(verdict(*usual, SYS_mq_open).empty());
  CHECK(verdict(*strict, SYS_mq_open) == "not listed");
  CHECK(verdict(*filter("default+other-processes"), SYS_ptrace).empty());
  CHECK(verdict(*filter("default+other-processes"), SYS_userfaultfd) == "userfaultfd");
  CHECK(verdict(*filter("strict+other-processes"), SYS_ptrace).empty());
  CHECK(verdict(*filter("strict+mq_open"), SYS_mq_open).empty());
  CHECK(verdict(*filter("strict+mq_open"), SYS_mq_unlink) == "not listed");
}

TEST_CASE("seccomp: walls stay shut, whatever is asked for") {
  Fixture fixture;
  CHECK(refused("default+namespaces").code == ErrorCode::denied);
  CHECK(refused("strict+unshare").code == ErrorCode::denied);
  CHECK(refused("default+nonsense").code == ErrorCode::usage);
  CHECK(refused("lax").code == ErrorCode::usage);
  CHECK(refused("/nowhere/policy.toml").code == ErrorCode::usage);
  CHECK(refused(write(fixture, "")).code == ErrorCode::usage);
  const Error open = refused(write(fixture,
                                   "[[group]]\nname = \"a\"\naction = \"EPERM\"\n"
                                   "syscalls = [\"unshare\"]\n"));
  CHECK(open.code == ErrorCode::denied);
  CHECK(open.message.find("opens a wall") != std::string::npos);
  CHECK(refused(write(fixture, "base = \"default\"\nallow = [\"mounts\"]\n")).code ==
        ErrorCode::denied);
  // A wall that is let through for some arguments only.
  CHECK(refused(write(fixture,
                      "base = \"strict\"\n[[group]]\nname = \"a\"\naction = \"ALLOW\"\n"
                      "syscalls = [\"ioctl\"]\none_of = { arg = 1, values = [0x5412] }"))
            .code == ErrorCode::denied);
}

TEST_CASE("seccomp: files of people are read with care") {
  Fixture fixture;
  const std::string group = "base = \"default\"\n[[group]]\nname = \"a\"\n";
  for (const std::string& text :
       {std::string("["), group, group + "action = \"EPERM\"\n",
        group + "action = \"EPERM\"\nsyscalls = [\"no_such_call\"]\n",
        group + "action = \"ENOENT\"\nsyscalls = [\"acct\"]\n",
        group + "action = \"EPERM\"\nsyscalls = [\"ioctl\"]\nwhen = [{ arg = 6, op = \"==\", "
                "value = 1 }]\n",
        group + "action = \"EPERM\"\nsyscalls = [\"ioctl\"]\nwehn = []\n",
        group + "action = \"EPERM\"\nsyscalls = [\"execve\"]\n",
        group + "action = \"KILL\"\nsyscalls = [\"sendmsg\"]\n", std::string("base = \"other\"\n"),
        std::string("surprise = 1\n")}) {
    INFO(text);
    CHECK(refused(write(fixture, text)).code == ErrorCode::usage);
  }
  const std::string good =
      write(fixture, group + "why = \"x\"\naction = \"EACCES\"\nsyscalls = [\"mq_open\"]\n");
  CHECK(verdict(*filter(good), SYS_mq_open) == "a");
  CHECK(verdict(*filter(good + "+a"), SYS_mq_open).empty());
}

TEST_CASE("seccomp: a denied call is answered with its errno, and told") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  const Ended ended = run_and_listen(fixture, sandbox, call(SYS_socket, "40, 1, 0"));
  CHECK(ended.outcome.out == "EAFNOSUPPORT");
  REQUIRE(ended.denied.size() == 1);
  const DeniedCall& denied = ended.denied[0];
  CHECK(denied.call == SYS_socket);
  CHECK(denied.error == EAFNOSUPPORT);
  CHECK(denied.rule == "socket families above netlink");
  CHECK(denied.arguments[0] == 40);
  CHECK(denied.process == "python3");
  CHECK(denied.attempt == ended.outcome.exit.attempt);
  CHECK(denied.count == 1);
  CHECK(denied.at.us > 0);
}

TEST_CASE("seccomp: what programs only try is not told") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  // Threads begin with clone3.
  const Ended ended = run_and_listen(fixture, sandbox,
                                     call(SYS_clone3, "0, 0") +
                                         "; python3 -c 'import threading; t = "
                                         "threading.Thread(target=print); t.start(); t.join()'");
  CHECK(ended.outcome.out.starts_with("ENOSYS"));
  CHECK(ended.outcome.exit.exit_code == 0);
  CHECK(ended.denied.empty());
}

TEST_CASE("seccomp: a flood of denials is counted, and nobody else waits") {
  Fixture fixture;
  SandboxSpec spec = fixture.spec();
  spec.slots = 2;
  if (!fixture.manager().features().cgroup_kill) spec.slots = 1;
  Sandbox sandbox = fixture.create(spec);
  const Ended ended =
      run_and_listen(fixture, sandbox,
                     "python3 -c 'import ctypes\nlibc = ctypes.CDLL(None)\n"
                     "for i in range(100000): libc.syscall(41, 17 + i % 1000, 1, 0)\n'; echo done");
  CHECK(ended.outcome.out == "done\n");
  // 64 are kept at a time, and each is told at most once a second and at the end.
  CHECK(ended.denied.size() <= 64 * 60);
  CHECK_FALSE(ended.denied.empty());
  uint64_t all = 0;
  for (const DeniedCall& denied : ended.denied) all += denied.count;
  CHECK(all > 1000);
}

TEST_CASE("seccomp: without reports an agent can have a listener of its own") {
  Fixture fixture;
  // SECCOMP_SET_MODE_FILTER with NEW_LISTENER, and a program that allows everything.
  const std::string script =
      "python3 -c 'import ctypes, errno, struct\nlibc = ctypes.CDLL(None, use_errno=True)\n"
      "f = ctypes.create_string_buffer(struct.pack(\"HBBI\", 6, 0, 0, 0x7fff0000))\n"
      "p = ctypes.create_string_buffer(struct.pack(\"HxxxxxxQ\", 1, ctypes.addressof(f)))\n"
      "r = libc.syscall(317, 1, 8, p)\n"
      "print(\"ok\" if r >= 0 else errno.errorcode[ctypes.get_errno()], end=\"\")'";
  Sandbox usual = fixture.create();
  CHECK(run_shell(usual, script).out == "EBUSY");
  SandboxSpec spec = fixture.spec();
  spec.options.seccomp = write(fixture, "base = \"default\"\nreport = false\n");
  Sandbox own = fixture.create(spec);
  CHECK(run_shell(own, script).out == "ok");
  const Ended ended = run_and_listen(fixture, own, call(SYS_socket, "40, 1, 0"));
  CHECK(ended.outcome.out == "EAFNOSUPPORT");
  CHECK(ended.denied.empty());
}

TEST_CASE("seccomp: programs run under the strict policy") {
  Fixture fixture;
  SandboxSpec spec = fixture.spec();
  spec.options.seccomp = "strict";
  Sandbox sandbox = fixture.create(spec);
  for (const std::string script :
       {"ls -l / >/dev/null && cp /bin/true t && ./t && sort </etc/passwd | uniq -c >/dev/null",
        "python3 -c 'import threading, subprocess, socket, json, tempfile\n"
        "t = threading.Thread(target=print); t.start(); t.join()\n"
        "subprocess.run([\"true\"], check=True); socket.socket(); tempfile.TemporaryFile()'",
        "git init -q r && cd r && echo x >f && git add f && "
        "git -c user.name=a -c user.email=a@b commit -qm x && git log >/dev/null",
        "echo 'int main(void){return 0;}' >a.c && gcc a.c -o a && ./a",
        "command -v node >/dev/null || exit 0; node -e 'require(\"child_process\")"
        ".execFileSync(\"true\"); setTimeout(() => {}, 1)'",
        "mkfifo p && (cat p & echo x >p; wait) && chmod 600 p && mv p q && rm q"}) {
    INFO(script);
    const Outcome ended = run_shell(sandbox, script);
    INFO(ended.err);
    CHECK(ended.exit.exit_code == 0);
  }
}
