load helper

# An agent that fabric does not start; no supervisor runs unless a test starts one.
anna() { fabric spawn anna --kind external "$@" >/dev/null 2>&1; }
task() { fabric schedule anna --id "$@" >/dev/null 2>&1; }
claimed() { fabric claim anna --json=id | jq -r .id; }
lease() { fabric claim anna --json=lease "$@" | jq -r .lease; }

# For both ways: directly on the store, and through a supervisor.
with_a_supervisor() { fabric up --detach 2>/dev/null; }

@test "an external agent needs no command and starts no supervisor" {
  run --separate-stderr fabric spawn anna --kind external
  expect_status 0
  expect_equal "$output" 'spawned anna (external)'
  expect_match "$stderr" 'next: fabric claim anna --wait'
  fabric status --json | jq -e '.supervisor.state == "stopped"'
  fabric status anna --json | jq -e '.kind == "external" and .state == "ready" and .pid == null'
  refused 1 'already exists' fabric spawn anna --kind external
  refused 2 'starts no command' fabric spawn bob --kind external -- true
  fabric terminate anna
  expect_equal "$(fabric agents --json)" '[]'
}

@test "agents/ID/agent.toml may say that an agent is external" {
  mkdir -p agents/anna
  printf 'kind = "external"\nmax_concurrent_tasks = 2\n' >agents/anna/agent.toml
  fabric config check
  anna
  task t1
  task t2
  expect_equal "$(claimed)" t1
  expect_equal "$(claimed)" t2
}

@test "claim prints the task with its payload as it was written, and what to type next" {
  anna
  task t1 --type review --payload '{"n": 12345678901234567890, "b":1.50}'
  run --separate-stderr fabric claim anna --lease 5m
  expect_status 0
  expect_match "$output" 'task +t1'
  expect_match "$output" 'type +review'
  expect_equal "${lines[-1]}" '{"n": 12345678901234567890, "b":1.50}'
  number=$(sed -n 's/^lease *//p' <<<"$output")
  expect_match "$stderr" "fabric complete t1 --lease $number --result TEXT"
  expect_equal "$(field_of t1 state)" running
}

@test "claim --json gives everything that a program needs" {
  anna
  task t1 --payload '[1,2.50]' --metadata pr=7 --priority high
  fabric claim anna --json >claim
  jq -e '.id == "t1" and .agent == "anna" and .attempt == 1 and .lease > 0' claim
  jq -e '.priority == "high" and .metadata == {"pr": "7"} and .type == null' claim
  jq -e '.lease_until > "2020" and (.correlation_id | length) > 0' claim
  grep -qF '"payload":[1,2.50]' claim
}

@test "nothing to claim is exit code 10" {
  anna
  refused 10 'no task is ready for agent anna' fabric claim anna
  with_a_supervisor
  refused 10 'no task is ready for agent anna' fabric claim anna
}

@test "only external agents claim, and only those that are there" {
  refused 3 'agent ghost not found' fabric claim ghost
  fabric spawn coder -- true
  refused 1 'takes its tasks from fabric' fabric claim coder
  anna
  refused 2 'longer than 0' fabric claim anna --lease 0s
  refused 2 'invalid agent id' fabric claim ../x
}

# behaviour 4: priority
@test "critical tasks are claimed before normal ones before low ones" {
  anna --label x=y
  mkdir -p agents/bob && printf 'kind = "external"\nmax_concurrent_tasks = 3\n' >agents/bob/agent.toml
  fabric spawn bob 2>/dev/null
  for priority in low critical normal; do
    fabric schedule bob --id "$priority" --priority "$priority" >/dev/null 2>&1
  done
  order=
  for _ in 1 2 3; do order+="$(fabric claim bob --json=id | jq -r .id) "; done
  expect_equal "$order" 'critical normal low '
}

# behaviour 23: first in, first out
@test "tasks of one priority are claimed in the order of their submission" {
  anna
  for i in 0 1 2 3 4 5 6 7; do printf '{"agent":"anna","id":"t%s","payload":{}}\n' $i; done |
    fabric schedule --batch - >/dev/null 2>&1
  order=
  for _ in 0 1 2 3 4 5 6 7; do
    fabric claim anna --json >claim
    order+="$(jq -r .id claim) "
    fabric complete "$(jq -r .id claim)" --lease "$(jq -r .lease claim)" --result '' >/dev/null
  done
  expect_equal "$order" 't0 t1 t2 t3 t4 t5 t6 t7 '
}

# Claims and completes N tasks, and says which.
work_off() {
  for ((i = 0; i < $1; i++)); do
    fabric claim anna --json=id,lease >claim || return
    jq -r .id claim
    fabric complete "$(jq -r .id claim)" --lease "$(jq -r .lease claim)" --result ok >/dev/null
  done
}

# behaviour 24: a flood of urgent tasks does not starve a low one
@test "a low task is claimed within the bound of its level's weight" {
  anna
  {
    printf '{"agent":"anna","id":"low","payload":{},"priority":"low"}\n'
    for i in {1..120}; do printf '{"agent":"anna","id":"c%s","payload":{},"priority":"critical"}\n' "$i"; done
  } | fabric schedule --batch - >/dev/null 2>&1
  with_a_supervisor
  # Weights 64 and 1: one low task after at most 64 critical ones, and two for what the estimates err.
  work_off 67 >order
  grep -qx low order
  [ "$(head -1 order)" = c1 ]
}

# behaviour 25: two shares
@test "a share with few tasks is not crowded out by one with many" {
  anna
  {
    for i in {1..100}; do printf '{"agent":"anna","id":"many%s","payload":{},"share":"many"}\n' "$i"; done
    for i in {1..10}; do printf '{"agent":"anna","id":"few%s","payload":{},"share":"few"}\n' "$i"; done
  } | fabric schedule --batch - >/dev/null 2>&1
  with_a_supervisor
  work_off 20 >order
  [ "$(grep -c few order)" -ge 8 ]
  expect_equal "$(grep few order | tr '\n' ' ')" "$(seq -f 'few%.0f' 1 "$(grep -c few order)" | tr '\n' ' ')"
}

# behaviour 39: the limit of tasks at a time
@test "an agent at capacity is refused the next task until it is done with one" {
  anna
  task t1
  task t2
  number=$(lease)
  refused 1 'at capacity.*1 of 1' fabric claim anna
  fabric complete t1 --lease "$number" --result done >/dev/null
  expect_equal "$(claimed)" t2
  with_a_supervisor
  refused 1 'at capacity.*1 of 1' fabric claim anna
}

# behaviour 14: tasks that wait for others are not handed out
@test "a task that waits for another is handed out when that has completed" {
  anna
  printf '{"agent":"anna","id":"t1","payload":1}\n{"agent":"anna","id":"t2","payload":1,"depends_on":["t1"]}\n' |
    fabric schedule --batch - >/dev/null 2>&1
  number=$(lease)
  expect_equal "$(field_of t2 state)" pending
  fabric complete t1 --lease "$number" --result 1 >/dev/null
  expect_equal "$(claimed)" t2
}

# behaviour 11: cancelled before it was claimed
@test "a task that was cancelled is never handed out" {
  anna
  task t1
  fabric cancel t1
  refused 10 'no task is ready' fabric claim anna
  fabric tasks --state pending --json | jq -e '. == []'
}

@test "claim --wait returns when a task comes, with and without a supervisor" {
  anna
  for way in directly supervised; do
    if [ $way = supervised ]; then with_a_supervisor; fi
    "$FABRIC" claim anna --wait --json=id,lease >got 3>&- &
    waiter=$!
    wait_until 10 sh -c "grep -q inotify /proc/$waiter/fdinfo/*"
    task $way
    wait $waiter
    expect_equal "$(jq -r .id got)" $way
    fabric complete $way --lease "$(jq -r .lease got)" --result '' >/dev/null
  done
}

@test "claim --wait wakes up for what a dependency, a resume and the end of a lease set free" {
  mkdir -p agents/anna && printf 'kind = "external"\nmax_concurrent_tasks = 2\n' >agents/anna/agent.toml
  anna
  task t1
  number=$(lease)
  fabric schedule --batch - >/dev/null 2>&1 <<<'{"agent":"anna","id":"t2","payload":1,"depends_on":["t1"]}'
  "$FABRIC" claim anna --wait --json=id,lease >got 3>&- &
  waiter=$!
  wait_until 10 sh -c "grep -q inotify /proc/$waiter/fdinfo/*"
  fabric complete t1 --lease "$number" --result '' >/dev/null
  wait $waiter
  expect_equal "$(jq -r .id got)" t2
  # Without a supervisor, the one who waits notices by itself that the lease is over.
  fabric extend t2 --lease "$(jq -r .lease got)" --for 300ms >/dev/null
  expect_equal "$(fabric claim anna --wait=10s --json | jq -c '[.id, .attempt]')" '["t2",2]'
}

@test "claim --wait gives up with 8 after its time" {
  anna
  refused 8 'no task became ready for agent anna within 200ms' fabric claim anna --wait=200ms
  refused 2 'wait' fabric claim anna --wait=soon
}

# A lease that runs out: the task is attempted again, and the late answer refused.
lease_runs_out() {
  task t1
  late=$(lease --lease 200ms)
  "$FABRIC" claim anna --wait=10s --json >got
  jq -e '.id == "t1" and .attempt == 2' got
  refused 1 'over: it was claimed again' fabric complete t1 --lease "$late" --result late
  refused 1 'over: it was claimed again' fabric extend t1 --lease "$late"
  refused 1 'over: it was claimed again' fabric release t1 --lease "$late"
  fabric complete t1 --lease "$(jq .lease got)" --result good >/dev/null
  expect_equal "$(fabric result t1)" good
}

@test "a lease that runs out gives attempt 2, and the late complete is refused" {
  mkdir -p agents/anna && printf 'kind = "external"\nmax_concurrent_tasks = 2\n' >agents/anna/agent.toml
  anna
  lease_runs_out
}

@test "a lease that runs out under a supervisor gives attempt 2, and the late complete is refused" {
  mkdir -p agents/anna && printf 'kind = "external"\nmax_concurrent_tasks = 2\n' >agents/anna/agent.toml
  anna
  with_a_supervisor
  lease_runs_out
}

@test "a claim outlives the supervisor" {
  anna
  with_a_supervisor
  task t1
  number=$(lease)
  fabric down
  with_a_supervisor
  expect_equal "$(field_of t1 state)" running
  fabric complete t1 --lease "$number" --result ok >/dev/null
  expect_equal "$(field_of t1 state)" completed
}

@test "terminating an external agent ends what it has claimed" {
  anna
  with_a_supervisor
  task t1
  task t2
  number=$(lease)
  fabric terminate anna
  expect_equal "$(field_of t1 state) $(field_of t2 state)" 'cancelled cancelled'
  refused 1 'too late' fabric complete t1 --lease "$number" --result x
}

# A task whose running time is over while it is leased.
running_time_ends() {
  task "$1" --timeout 300ms
  number=$(lease --lease 1h)
  run fabric wait "$1" --timeout 10s
  expect_equal "$(field_of "$1" state) $(field_of "$1" reason)" 'timed_out timeout'
  refused 1 'too late' fabric complete "$1" --lease "$number" --result x
}

@test "the running time of a claimed task counts from its claim and ends the lease" {
  anna
  with_a_supervisor
  running_time_ends t1
}

@test "claim says until when the running time lets the task be held" {
  anna
  task t1 --timeout 5m
  fabric claim anna --lease 1h --json >claim
  [ "$(jq -r .lease_until claim)" = "$(fabric status t1 --json | jq -r .lease_until)" ]
  fabric status t1 --json | jq -e '(.lease_until[:19] + "Z" | fromdate) - (.started_at[:19] + "Z" | fromdate) == 300'
}

@test "a claim whose claimer went away before the answer is given back at once" {
  requires python3
  anna
  with_a_supervisor
  task t1
  supervisor=$(supervisor_pid)
  # Who was gone before it was accepted would be turned away: so first it is heard.
  python3 - "$supervisor" <<'END'
import os, signal, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(".fabric/run/control.sock")
s.sendall(b'{"id":1,"method":"ping"}\n')
s.recv(100)
os.kill(int(sys.argv[1]), signal.SIGSTOP)
s.sendall(b'{"id":2,"method":"claim","params":{"agent":"anna","lease_seconds":600}}\n')
END
  kill -CONT "$supervisor"
  wait_until 10 sh -c "'$FABRIC' events --task t1 | grep 'its claimer went away'"
  expect_equal "$(fabric claim anna --json | jq -c '[.id, .attempt]')" '["t1",2]'
}

@test "claim --wait=DURATION ends in time when the supervisor does not answer" {
  anna
  with_a_supervisor
  supervisor=$(supervisor_pid)
  kill -STOP "$supervisor"
  run --separate-stderr timeout 20 "$FABRIC" claim anna --wait=1s
  kill -CONT "$supervisor"
  expect_status 8
  expect_match "$stderr" 'the supervisor does not answer'
}
