# SPDX-License-Identifier: Apache-2.0
# isolation.seccomp: which system calls an agent may make. Every attack is also made at level none,
# where it succeeds.
load helper

# A call by python3: prints "ok" or the name of the error.
call_py='import ctypes, errno, sys
libc = ctypes.CDLL(None, use_errno=True)
r = libc.syscall(*[ctypes.c_ulong(int(a, 0)) for a in sys.argv[1:]])
print("ok" if r >= 0 else errno.errorcode[ctypes.get_errno()])'

# call AGENT NUMBER ARGUMENTS...
call() {
  local agent=$1
  shift
  fabric run "$agent" --payload "$(jq -nc '$ARGS.positional' --args "$@")" 2>/dev/null
}

caller() {
  local id=$1
  shift
  fabric spawn "$id" "$@" -- python3 -c 'import json, sys; sys.argv[1:] = json.load(sys.stdin)
'"$call_py" >/dev/null
}

@test "the default policy denies, level none shows that the calls would work" {
  caller walls
  caller none --isolation none --pids none
  expect_equal "$(call none 41 16 3 15)" ok # NETLINK_KOBJECT_UEVENT
  expect_equal "$(call walls 41 16 3 15)" EPROTONOSUPPORT
  expect_equal "$(call none 323 1)" ok # userfaultfd
  expect_equal "$(call walls 323 1)" EPERM
  expect_equal "$(call none 135 0x40000)" ok # personality(ADDR_NO_RANDOMIZE)
  expect_equal "$(call walls 135 0x40000)" EPERM
  expect_equal "$(call walls 135 0xffffffff)" ok # only asks
}

@test "permissive opens what is no wall, and one group can be opened by name" {
  caller open --seccomp permissive
  caller one --seccomp default+userfaultfd
  expect_equal "$(call open 135 0x40000)" ok
  expect_equal "$(call open 323 1)" ok
  expect_equal "$(call one 323 1)" ok
  expect_equal "$(call one 135 0x40000)" EPERM
  for agent in open one; do
    expect_equal "$(call $agent 41 16 3 15)" EPROTONOSUPPORT
    expect_equal "$(call $agent 272 0x10000000)" EPERM # unshare(CLONE_NEWUSER)
    expect_equal "$(call $agent 435 0 0)" ENOSYS       # clone3
    expect_equal "$(call $agent 457 0 0 0 0)" EPERM    # statmount, newer than libseccomp
    expect_equal "$(call $agent 469 0 0 0 0 0)" EPERM  # file_setattr
  done
}

@test "strict is an allow list: what it does not have is not there" {
  caller strict --seccomp strict
  expect_equal "$(call strict 39)" ok          # getpid
  expect_equal "$(call strict 240 0 0 0 0)" ENOSYS # mq_open
  caller more --seccomp strict+mq_open
  expect_equal "$(call more 240 0 0 0 0)" EFAULT
}

@test "a policy of one's own, in a file" {
  cat >policy.toml <<'END'
base = "default"
[[group]]
name = "no names"
why = "a test"
action = "EACCES"
syscalls = ["uname"]
END
  caller own --seccomp ./policy.toml
  expect_equal "$(call own 63 0)" EACCES
  fabric status own --json | jq -e '.state == "ready"'
}

@test "walls are refused with exit code 4, nonsense with 2, and nothing is left" {
  run -4 --separate-stderr fabric spawn a --seccomp default+namespaces -- true
  expect_match "$stderr" 'is a wall'
  printf '[[group]]\nname = "n"\naction = "EPERM"\nsyscalls = ["acct"]\n' >hole.toml
  run -4 --separate-stderr fabric spawn a --seccomp ./hole.toml -- true
  expect_match "$stderr" 'opens a wall'
  run -2 fabric spawn a --seccomp lax -- true
  run -2 fabric spawn a --seccomp default+nonsense -- true
  run -2 fabric spawn a --seccomp /nowhere.toml -- true
  printf 'base = "default"\n[[group]]\nname = "n"\naction = "EPERM"\nsyscalls = ["unshrae"]\n' >typo.toml
  run -2 --separate-stderr fabric spawn a --seccomp ./typo.toml -- true
  expect_match "$stderr" "no system call 'unshrae'"
  expect_equal "$(fabric agents --json | jq length)" 0
}

@test "a policy that is no regular file keeps nobody waiting" {
  mkfifo "$BATS_TEST_TMPDIR/fifo"
  run timeout -s KILL 10 "$FABRIC" sandbox run --seccomp "$BATS_TEST_TMPDIR/fifo" -- true
  expect_status 125
  expect_match "$output" 'not a regular file'
}
