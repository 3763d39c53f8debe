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
