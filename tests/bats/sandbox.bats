# Walls of isolation level process.
load helper

@test "an agent cannot read shadow or write outside its work directory" {
  requires root namespaces
  fabric spawn a -- sh -c 'cat /etc/shadow && echo READ; echo x >/etc/evil && echo WROTE; echo x >/usr/evil && echo WROTE; echo ok >file; cat file'
  output=$(fabric run a 2>/dev/null)
  expect_equal "$output" ok
  [ ! -e /etc/evil ] && [ ! -e /usr/evil ]
  expect_equal "$(cat .fabric/agents/a/work/file)" ok
}

@test "the workspace, its state and the homes of the host are not there" {
  requires root namespaces
  echo secret >secret.txt
  fabric spawn a -- sh -c "ls '$WORKSPACE' '$WORKSPACE/.fabric' /root/.profile /home/* 2>/dev/null; cat '$WORKSPACE/secret.txt' 2>/dev/null; echo end"
  expect_equal "$(fabric run a)" end
}

@test "the work directory of another agent is not there" {
  requires root namespaces
  fabric spawn a -- sh -c 'echo secret >mine'
  fabric run a
  fabric spawn b -- sh -c "find / -name mine 2>/dev/null; echo end"
  expect_equal "$(fabric run b)" end
}

@test "no network but loopback" {
  requires root namespaces
  fabric spawn a -- sh -c 'cut -d: -f1 -s /proc/net/dev | tr -d " "'
  expect_equal "$(fabric run a)" lo
}

@test "no processes of the host, no capabilities, no new privileges, not root on the host" {
  requires root namespaces
  fabric spawn a -- sh -c 'ls /proc | grep -c "^[0-9]"; grep -E "^(CapEff|CapBnd|NoNewPrivs|Seccomp):" /proc/self/status | tr -s "\t" " "; stat -c %u /proc/self >/dev/null; cat /proc/self/uid_map'
  output=$(fabric run a)
  [ "$(head -1 <<<"$output")" -lt 10 ]
  expect_match "$output" 'CapEff: 0000000000000000'
  expect_match "$output" 'CapBnd: 0000000000000000'
  expect_match "$output" 'NoNewPrivs: 1'
  expect_match "$output" 'Seccomp: 2'
}

@test "memory beyond the limit ends the task, and is said" {
  requires root cgroups
  fabric spawn a --memory 32M -- sh -c 'head -c 200000000 /dev/zero | tail -c 199999999 >/dev/null'
  run --separate-stderr fabric run a --id t
  [ "$status" -ne 0 ]
  fabric status t --json | jq -e '.state == "failed" and .reason == "memory"'
  fabric spawn b -- true
  fabric run b
}

@test "more processes than the limit cannot be made" {
  requires root cgroups
  mkdir -p agents/a
  printf 'command = ["sh", "-c", "for i in $(seq 60); do sleep 5 & done; wait"]\n[isolation]\npids = 20\n' >agents/a/agent.toml
  fabric spawn a
  run --separate-stderr fabric run a --timeout 3s
  [ "$status" -ne 0 ]
}

@test "every task has its own /tmp, or at least not the host's" {
  requires root namespaces
  touch "/tmp/of-the-host.$$"
  fabric spawn a -- sh -c "ls /tmp; echo end"
  output=$(fabric run a)
  rm -f "/tmp/of-the-host.$$"
  ! grep -q of-the-host <<<"$output"
}

@test "isolation none runs in the work directory, as the caller" {
  fabric spawn a --isolation none -- sh -c 'pwd; id -u'
  expect_equal "$(fabric run a)" "$WORKSPACE/.fabric/agents/a/work"$'\n'"$(id -u)"
}

@test "isolation container without a root is refused" {
  run --separate-stderr fabric spawn a --isolation container -- true
  [ "$status" -ne 0 ]
  expect_equal "$(fabric agents --json)" "[]"
}
