# SPDX-License-Identifier: Apache-2.0
# fabric violations: what sandboxes denied, which rule, and the line that would allow it.
load helper

vsock='import socket; socket.socket(40, 1, 0)'
ptrace='import ctypes, sys; sys.exit(0 if ctypes.CDLL(None).syscall(101, 0, 0, 0, 0) == 0 else 7)'

denied() { [ -n "$(fabric violations "$@" --json)" ]; }

@test "a denied call is told with process, rule and the line that would allow it" {
  fabric spawn a -- python3 -c "$ptrace"
  fabric schedule a --id t --wait || true
  # Who has seen the end of a task need not wait for what it was denied.
  fabric violations a --json | jq -e '.agent == "a" and .task == "t" and .process == "python3" and .kind == "call" and .what == "ptrace" and .rule == "other processes" and .allow == "isolation.seccomp = \"default+other-processes\"" and .hint == false and .source == "filter" and .count == 1 and (.pid | . > 1)'
  expect_match "$(fabric violations)" 'a +t +python3 +ptrace +1 +other processes +isolation.seccomp = "default\+other-processes"'
}

@test "the line that is given does allow it" {
  fabric spawn a -- python3 -c "$ptrace"
  fabric schedule a --id t --wait || true
  wait_until 10 denied a
  policy=$(fabric violations a --json | jq -r '.allow | capture("\"(?<p>.*)\"").p')
  fabric spawn b --seccomp "$policy" -- python3 -c "$ptrace"
  fabric run b
  expect_equal "$(fabric violations b --json)" ""
}

@test "a wall has no line, and the reason of the task names it" {
  fabric spawn a -- python3 -c "$vsock"
  fabric schedule a --id t --wait || true
  fabric status t --json | jq -e '.detail == "exit code 1; likely: socket(AF_VSOCK) was denied (socket families above netlink)"'
  expect_match "$(fabric status t)" 'likely +socket\(AF_VSOCK\) was denied'
  wait_until 10 denied a
  fabric violations a --json | jq -e '.allow == null'
}

@test "a task that fails for another reason names nothing of an earlier one" {
  fabric spawn a -- sh -c 'read -r x; case $x in *1*) python3 -c "'"$vsock"'";; *) exit 3;; esac'
  fabric schedule a --id t1 --payload 1 --wait || true
  fabric schedule a --id t2 --payload 2 --wait || true
  expect_equal "$(fabric status t2 --json | jq -r .detail)" "exit code 3"
}

@test "a file that is not visible is a hint, marked as one" {
  fabric spawn a -- cat /opt/no-such-thing
  fabric schedule a --id t --wait || true
  wait_until 10 denied a
  fabric violations a --json | jq -e '.kind == "file" and .what == "/opt/no-such-thing (read)" and .allow == "isolation.ro = [\"/opt/no-such-thing\"]" and .hint and .source == "output"'
  expect_match "$(fabric status t --json | jq -r .detail)" 'likely: /opt/no-such-thing \(read\)'
}

@test "the memory limit is a violation too" {
  fabric spawn a --memory 32M -- python3 -c 'x = b"x" * 10**9'
  fabric schedule a --id t --wait || true
  wait_until 10 denied a
  fabric violations a --json | jq -e '.kind == "memory" and .rule == "isolation.memory_mb = 32" and .source == "limit" and .task == "t"'
}

@test "the limits of files and of the work directory are violations too" {
  fabric spawn a --file-size 1M -- sh -c 'exec head -c 2M /dev/zero >f'
  fabric schedule a --id t --wait || true
  wait_until 10 denied a
  fabric violations a --json | jq -e '.kind == "file_size" and .rule == "isolation.file_size = \"1M\"" and .allow == "isolation.file_size = \"2M\"" and .task == "t"'
}

@test "what the egress process refuses is told with the rule that would allow it" {
  requires root namespaces
  fabric spawn a --egress allowed.test -- python3 -c '
import socket, sys, time
for where in ("other.test", 443), ("192.0.2.1", 80):
  try: socket.create_connection(where, 5)
  except OSError: pass
time.sleep(0.5) # the refusal comes by another way than the end of the task
sys.exit(1)'
  fabric schedule a --id t --wait || true
  wait_until 10 denied a
  fabric violations a --json | jq -es 'map(select(.what == "other.test"))[0] | .kind == "name" and .source == "egress" and .rule == "not listed" and .task == "t" and .allow == "isolation.egress = [\"other.test\"]" and .hint == false'
  expect_match "$(fabric status t --json | jq -r .detail)" 'likely: .* was denied \(not listed\); isolation.egress = '
}

@test "--follow tells what happens from now on" {
  fabric spawn a -- python3 -c "$vsock"
  env --default-signal=INT "$FABRIC" violations --follow --json >out &
  follower=$!
  fabric schedule a --id t --wait || true
  wait_until 10 grep -q AF_VSOCK out
  kill -INT $follower
  code=0
  wait $follower || code=$? # run would wait in a subshell, whose child it is not
  expect_equal "$code" 130
}

@test "a flood is counted, and keeps neither init nor the store from their work" {
  fabric spawn a -- python3 -c '
import ctypes, time
libc = ctypes.CDLL(None)
end = time.monotonic() + 3
while time.monotonic() < end:
  for i in range(1000): libc.syscall(41, 17 + i, 1, 0)'
  fabric spawn b -- true
  fabric schedule a --id flood
  for _ in 1 2 3; do fabric run b; done # others go on
  fabric wait flood
  wait_until 10 denied a
  rows=$(fabric violations a --json | wc -l)
  [ "$rows" -le 100 ] || { echo "$rows rows" >&2; return 1; }
  expect_equal "$(fabric violations a --json | jq -s 'map(.count) | add > 100')" true
  # Stopping is not delayed by it.
  fabric schedule a --id again
  wait_until 10 sh -c '"$1" status again --json | jq -e ".state == \"running\"" >/dev/null' - "$FABRIC"
  fabric cancel again
  wait_until 10 sh -c '"$1" status again --json | jq -e ".state == \"cancelled\"" >/dev/null' - "$FABRIC"
}

@test "names from inside do not draw on the terminal" {
  fabric spawn a -- python3 -c '
import ctypes
libc = ctypes.CDLL(None)
libc.prctl(15, b"\x1b[31mred", 0, 0, 0)
libc.syscall(41, 40, 1, 0)'
  fabric schedule a --wait || true
  wait_until 10 denied a
  expect_equal "$(fabric violations a --json | jq -r .process)" '?[31mred'
}

@test "they outlive the supervisor and the agent; an unknown agent is exit code 3" {
  fabric spawn a -- python3 -c "$vsock"
  fabric schedule a --id t --wait || true
  fabric terminate a
  fabric down
  fabric violations a --json | jq -e '.what == "socket(AF_VSOCK)"'
  run -3 fabric violations nobody
  fabric store check
}
