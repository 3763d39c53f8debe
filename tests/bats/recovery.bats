# A supervisor that is killed loses nothing.
load helper

kill_supervisor() {
  local pid
  pid=$(supervisor_pid)
  kill -KILL "$pid"
  wait_until 10 sh -c "[ \"\$('$FABRIC' status --json | jq -r .supervisor.state)\" = stopped ]"
}

# behaviour: SIGKILL while a task runs: it runs on or starts again, never lost, never twice at once
@test "a running task outlives the supervisor and ends with its true exit code" {
  fabric spawn a -- sh -c 'echo "start $$" >>log; while [ ! -e go ]; do read -t 0.05 x </dev/zero; done; echo result; exit 5'
  fabric schedule a --id t >/dev/null
  wait_for_state t running
  wait_until 10 test -s .fabric/agents/a/work/log
  kill_supervisor
  expect_equal "$(field_of t state)" running
  fabric up --detach
  touch .fabric/agents/a/work/go
  run fabric wait t --timeout 10s
  expect_status 5
  expect_equal "$(fabric result t 2>/dev/null)" result
  expect_equal "$(wc -l <.fabric/agents/a/work/log)" 1
  expect_equal "$(field_of t attempt)" 1
}

@test "a task that ended while no supervisor lived is not run again" {
  fabric spawn a -- sh -c 'echo run >>log; while [ ! -e go ]; do read -t 0.05 x </dev/zero; done; echo end >>log'
  fabric schedule a --id t >/dev/null
  wait_until 10 test -s .fabric/agents/a/work/log
  kill_supervisor
  touch .fabric/agents/a/work/go
  wait_until 10 grep -q end .fabric/agents/a/work/log
  fabric up --detach
  fabric wait t --timeout 10s
  expect_equal "$(grep -c run .fabric/agents/a/work/log)" 1
}

@test "what was queued is there after a kill" {
  fabric spawn a -- sh -c 'echo "$FABRIC_TASK_ID" >>log'
  for i in $(seq 50); do printf '{"agent":"a","id":"t%s","payload":1}\n' "$i"; done |
    fabric schedule --batch - >ids 2>/dev/null
  kill_supervisor
  fabric up --detach
  xargs "$FABRIC" wait --timeout 30s <ids >/dev/null
  expect_equal "$(sort .fabric/agents/a/work/log | uniq | wc -l)" 50
}

@test "commands work on the store while no supervisor lives" {
  fabric spawn a -- true
  kill_supervisor
  fabric schedule a --id t 2>/dev/null
  fabric cancel t
  fabric status --json | jq -e '.supervisor.state == "stopped" and .queue.cancelled == 1'
}
