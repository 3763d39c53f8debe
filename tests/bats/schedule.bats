load helper

uuid7='^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'

@test "schedule prints the id it made: a UUIDv7; or the one it was given" {
  fabric spawn a -- true
  run --separate-stderr fabric schedule a
  expect_status 0
  expect_match "$output" "$uuid7"
  expect_equal "$(fabric schedule a --id mine)" mine
}

# behaviour: schedule to an unknown agent
@test "an unknown agent is refused and nothing is queued" {
  refused 3 'agent ghost not found' fabric schedule ghost
  expect_equal "$(fabric tasks --json)" "[]"
}

@test "without a supervisor it queues durably and says that nothing runs yet" {
  fabric spawn a -- echo hi
  fabric down
  run --separate-stderr fabric schedule a --id t
  expect_status 0
  expect_equal "$output" t
  expect_match "$stderr" 'nothing runs yet; next: fabric up'
  expect_equal "$(field_of t state)" pending
}

# behaviour: one id twice, with the same and with other content
@test "an id again is the same task with the same content, and refused with other content" {
  fabric spawn a -- true
  fabric down
  fabric schedule a --id t --payload '{"n":1}' 2>/dev/null
  run --separate-stderr fabric schedule a --id t --payload '{"n":1}'
  expect_status 0
  expect_equal "$output" t
  expect_match "$stderr" 'scheduled before'
  expect_equal "$(fabric schedule a --id t --payload '{"n":1}' --json 2>/dev/null | jq .existed)" true
  refused 1 'already exists' fabric schedule a --id t --payload '{"n":2}'
  expect_equal "$(fabric tasks --json | jq length)" 1
}

@test "the payload comes as JSON, from a file or from standard input; {} by default" {
  fabric spawn a -- cat
  expect_equal "$(fabric run a --payload '{"a": [1, 2.50]}')" '{"a": [1, 2.50]}'
  printf '{\n  "b": 1\n}\n' >p.json
  expect_equal "$(fabric run a --payload @p.json | jq -c .)" '{"b":1}'
  expect_equal "$(echo '"text"' | fabric run a --payload - | jq -r .)" text
  expect_equal "$(fabric run a)" '{}'
}

@test "a payload that is no JSON is refused, with where" {
  fabric spawn a -- true
  refused 2 'invalid JSON at 1:1' fabric schedule a --payload 'hello'
  expect_match "$stderr" 'quoted as JSON'
  refused 2 'No such file|no-such' fabric schedule a --payload @no-such || true
  head -c 1100000 /dev/zero | tr '\0' 1 >big
  refused 2 '' fabric schedule a --payload @big
  expect_equal "$(fabric tasks --json)" "[]"
}

@test "type, priority, timeout and metadata are kept" {
  fabric spawn a -- sleep 60
  fabric schedule a --id t --type review --priority high --timeout 1m30s --metadata a=1 \
    --metadata b=x=y >/dev/null
  fabric status t --json | jq -e '.type == "review" and .priority == "high" and
    .timeout_seconds == 90 and .metadata == {"a": "1", "b": "x=y"}'
}

@test "task JSON has what it must have" {
  fabric spawn a -- true
  fabric schedule a --id t --wait >/dev/null
  for field in id agent type state priority created_at started_at finished_at attempt \
    timeout_seconds exit_code signal reason result_bytes metadata depends_on; do
    fabric status t --json | jq -e "has(\"$field\")" >/dev/null || { echo "no $field"; return 1; }
  done
  fabric status t --json | jq -e '.exit_code == 0 and .signal == null and .attempt == 1 and
    (.created_at | test("^[0-9]{4}-.*Z$")) and .created_at <= .started_at and .started_at <= .finished_at'
}

@test "bad priorities, times and ids are refused" {
  fabric spawn a -- true
  refused 2 "none of critical, high, normal, low" fabric schedule a --priority urgent
  refused 2 '--timeout' fabric schedule a --timeout soon
  refused 2 '--timeout' fabric schedule a --timeout 0s
  refused 2 'invalid task id' fabric schedule a --id ../x
  refused 2 'AGENT is missing' fabric schedule
}

@test "--wait returns with the exit code of the task" {
  fabric spawn good -- true
  fabric spawn bad -- sh -c 'exit 3'
  fabric schedule good --wait
  run fabric schedule bad --wait
  expect_status 3
}

# behaviour: low, critical, normal are run as critical, normal, low
@test "urgent tasks run first, whatever the order in which they came" {
  fabric spawn a -- sh -c 'echo "$FABRIC_TASK_ID" >>/work/order'
  fabric down
  fabric schedule a --id low --priority low 2>/dev/null
  fabric schedule a --id critical --priority critical 2>/dev/null
  fabric schedule a --id normal 2>/dev/null
  fabric up --detach
  fabric wait low critical normal --timeout 10s
  expect_equal "$(tr '\n' ' ' <.fabric/agents/a/work/order)" 'critical normal low '
}

# behaviour: tasks of one priority run in the order of submission
@test "equally urgent tasks run in the order in which they came" {
  fabric spawn a -- sh -c 'echo "$FABRIC_TASK_ID" >>/work/order'
  fabric down
  for i in 0 1 2 3 4 5 6 7; do printf '{"agent":"a","id":"t%s","payload":null}\n' $i; done |
    fabric schedule --batch - 2>/dev/null >ids
  fabric up --detach
  xargs "$FABRIC" wait --timeout 10s <ids
  expect_equal "$(tr '\n' ' ' <.fabric/agents/a/work/order)" 't0 t1 t2 t3 t4 t5 t6 t7 '
}

@test "schedule --dry-run checks and queues nothing" {
  fabric spawn a -- true
  run --separate-stderr fabric schedule a --dry-run
  expect_status 0
  expect_match "$output" 'would schedule 1 task'
  refused 3 'agent ghost not found' fabric schedule ghost --dry-run
  expect_equal "$(fabric tasks --json)" "[]"
}

@test "FABRIC_CORRELATION_ID and TRACEPARENT are carried to the task" {
  fabric spawn a -- sh -c 'echo $FABRIC_CORRELATION_ID $TRACEPARENT'
  export FABRIC_CORRELATION_ID=order-4711
  export TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
  output=$(fabric run a)
  expect_match "$output" '^order-4711 00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$'
}

@test "every option of a task is kept" {
  fabric spawn a -- true
  fabric down
  fabric schedule a --id first 2>/dev/null
  fabric schedule a --id t --after first --after-policy finish --no-progress-timeout 5s \
    --queue-ttl 1h --deadline 2999-01-01T00:00:00Z --at 2998-01-01T00:00:00Z --retries 3 \
    --backoff exp:1s:5m --retry-on failed,exit:75 --share web --exclusive db --group g 2>/dev/null
  fabric status t --json | jq -e '.depends_on == ["first"] and .after == "finish" and
    .no_progress_timeout_seconds == 5 and .queue_ttl_seconds == 3600 and
    (.deadline | startswith("2999-01-01")) and (.start_at | startswith("2998-01-01")) and
    .retries == {"limit": 3, "used": 0, "backoff": "exp:1s:5m", "on": ["failed", "exit:75"]} and
    .share == "web" and .exclusive == "db" and .group == "g"'
}

@test "--delay and --deadline +D count from now" {
  fabric spawn a -- true
  fabric down
  fabric schedule a --id t --delay 1h --deadline +2h 2>/dev/null
  fabric status t --json | jq -e '(.start_at | sub("\\.[0-9]+Z"; "Z") | fromdate) - now | . > 3500 and . <= 3600'
  fabric status t --json | jq -e '(.deadline | sub("\\.[0-9]+Z"; "Z") | fromdate) - now | . > 7100 and . <= 7200'
  expect_match "$(fabric status t)" 'not before .* \(in (59m|1h)'
}

@test "--slots needs slots in the configuration" {
  fabric spawn a -- true
  refused 2 'slots of gpu' fabric schedule a --slots gpu=1
  refused 2 '--slots' fabric schedule a --slots gpu=none
}

@test "--require finds an agent, and excludes AGENT" {
  fabric spawn a --tool browser -- echo from a
  fabric spawn b -- echo from b
  expect_equal "$(fabric run --require tool=browser)" 'from a'
  refused 3 'no agent has tool=shell' fabric schedule --require tool=shell
  refused 2 'exclude each other' fabric schedule a --require tool=browser
  refused 2 'no KEY=VALUE' fabric schedule --require browser
}

@test "one idempotency key is one task" {
  fabric spawn a -- true
  fabric down
  id=$(fabric schedule a --idempotency-key 'order 17' 2>/dev/null)
  expect_equal "$(fabric schedule a --idempotency-key 'order 17' 2>/dev/null)" "$id"
  refused 2 'exclude each other' fabric schedule a --idempotency-key x --id y
}

@test "options that mean nothing are refused" {
  fabric spawn a -- true
  refused 2 'without --retries' fabric schedule a --backoff 1s
  refused 2 'without --after' fabric schedule a --after-policy any
  refused 2 'exclude each other' fabric schedule a --at 10:00 --delay 5m
  refused 2 'has passed' fabric schedule a --deadline 2020-01-01T00:00:00Z
  refused 2 'invalid time' fabric schedule a --at noon
  refused 2 'an entry is empty' fabric schedule a --after x,,y
  refused 2 "retry" fabric schedule a --retries 1 --retry-on sometimes
  refused 2 'is empty' fabric schedule a --exclusive ''
}

# behaviour: a dependency that does not exist
@test "--after an unknown task is refused" {
  fabric spawn a -- true
  refused 3 'dependency nonexistent .*not found' fabric schedule a --after nonexistent
  expect_equal "$(fabric tasks --json)" "[]"
}

# behaviour: t2 waits for t1
@test "--after: a task waits for the other, and says so" {
  fabric spawn a -- sh -c 'echo "$FABRIC_TASK_ID" >>/work/order'
  fabric down
  fabric schedule a --id t1 --priority low 2>/dev/null
  fabric schedule a --id t2 --after t1 --priority critical 2>/dev/null
  expect_equal "$(field_of t2 state)" pending
  expect_match "$(fabric status t2)" 'waits for t1'
  fabric up --detach
  fabric wait t2 --timeout 10s
  expect_equal "$(tr '\n' ' ' <.fabric/agents/a/work/order)" 't1 t2 '
}

# behaviours: a dependency completed before; one failed before; one fails, then the other completes
@test "--after tasks that have ended, or end badly" {
  fabric spawn a -- true
  fabric spawn bad -- false
  fabric schedule a --id done --wait >/dev/null
  fabric schedule bad --id broken --wait >/dev/null || true
  fabric down
  fabric schedule a --id b 2>/dev/null
  fabric schedule a --id c --after done,b 2>/dev/null
  fabric schedule a --id d --after broken 2>/dev/null
  fabric schedule a --id e --after broken,b 2>/dev/null
  fabric schedule a --id f --after broken --after b --after-policy finish 2>/dev/null
  expect_equal "$(field_of c waiting_on)" 1
  fabric status d --json | jq -e '.state == "failed" and .reason == "dependency" and (.detail | test("broken"))'
  expect_equal "$(field_of e state)" failed
  fabric up --detach
  fabric wait c f --timeout 10s
}

# behaviour: a full queue refuses; tasks that wait for others count
@test "a full queue refuses with 6, and names its depth and the oldest task" {
  fabric spawn a --max-queue-depth 2 -- true
  fabric down
  fabric schedule a --id t1 2>/dev/null
  fabric schedule a --id t2 --after t1 2>/dev/null
  refused 6 'full: 2 tasks are pending, the limit is 2; the oldest is t1' fabric schedule a --id t3
  refused 6 'full' fabric schedule a --id t3 --wait-for-space 200ms
  expect_equal "$(fabric tasks --json | jq length)" 2
}

# The depth of an agent without one in its settings: 1000.
fill_queue() {
  for i in $(seq 1000); do printf '{"agent":"a","id":"t%s","payload":1}\n' "$i"; done |
    fabric schedule --batch - >/dev/null 2>&1
}

@test "a full queue refuses with 6" {
  fabric spawn a -- true
  fabric down
  fill_queue
  refused 6 'queue of agent a is full: 1000 tasks are pending, the limit is 1000; the oldest is t1, since' \
    fabric schedule a --id more
  expect_match "$stderr" '--wait-for-space'
  run --separate-stderr fabric schedule a --id more --wait-for-space 200ms
  expect_status 6
  expect_match "$stderr" 'is full.*; waiting for space'
  run fabric status more
  expect_status 3
}

@test "--wait-for-space goes on when a place becomes free, without a supervisor too" {
  fabric spawn a -- true
  fabric down
  fill_queue
  fabric schedule a --id more --wait-for-space 60s >out 2>err 3>&- &
  waiter=$!
  wait_until 10 grep -q 'waiting for space' err
  fabric cancel t7 >/dev/null
  wait $waiter
  expect_equal "$(cat out)" more
  expect_equal "$(field_of more state)" pending
}

@test "--wait-for-space lets a batch follow a queue that drains" {
  fabric spawn a -- true
  fabric down
  fill_queue
  for i in $(seq 150); do printf '{"agent":"a","id":"u%s","payload":1}\n' "$i"; done >more
  fabric schedule --batch more --wait-for-space 60s >out 2>err 3>&- &
  waiter=$!
  wait_until 10 grep -q 'waiting for space' err
  for i in $(seq 200); do echo "t$i"; done | xargs "$FABRIC" cancel >/dev/null
  wait $waiter
  expect_equal "$(wc -l <out)" 150
}

@test "a deadline centuries away is no deadline that has passed" {
  fabric spawn a -- sh -c 'echo done'
  for year in 2200 2400 2700 9999; do
    run --separate-stderr fabric run a --deadline $year-12-31T23:59:59Z
    expect_status 0
    expect_equal "$output" 'done'
  done
  fabric schedule a --at 9999-12-31T23:59:59Z --id late
  expect_match "$(fabric explain late)" 'not before 9999-.*, in more than 146 years'
}
