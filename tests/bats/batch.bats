# fabric schedule --batch
load helper

task() { printf '{"agent":"a","id":"%s","payload":%s}\n' "$1" "${2:-null}"; }

@test "a batch prints an id for each line, in order" {
  fabric spawn a -- true
  { task one; task two; printf '{"agent":"a","payload":3}\n'; } >b.ndjson
  run --separate-stderr fabric schedule --batch b.ndjson
  expect_status 0
  expect_equal "$(head -2 <<<"$output" | tr '\n' ' ')" 'one two '
  expect_equal "$(wc -l <<<"$output")" 3
  expect_match "$stderr" '3 tasks scheduled'
}

@test "a batch comes from standard input too, and as JSON out" {
  fabric spawn a -- true
  expect_equal "$( (task x; task y) | fabric schedule --batch - --json 2>/dev/null | jq -r .id | tr '\n' ' ')" 'x y '
}

@test "every field of a line is kept" {
  fabric spawn a -- true
  fabric down
  printf '{"agent":"a","id":"first","payload":{}}\n{"agent":"a","id":"t","type":"x","payload":[1],"priority":"low","depends_on":["first"],"timeout_seconds":2.5,"metadata":{"k":"v"}}\n' |
    fabric schedule --batch - >/dev/null 2>&1
  fabric status t --json | jq -e '.type == "x" and .payload == [1] and .priority == "low" and
    .depends_on == ["first"] and .timeout_seconds == 2.5 and .metadata == {"k": "v"} and .waiting_on == 1'
}

@test "a bad line is named by its number, and nothing of its transaction is there" {
  fabric spawn a -- true
  { task one; task two; echo '{"agent":"a","payload":'; task four; } >b.ndjson
  refused 2 'line 3' fabric schedule --batch b.ndjson
  expect_equal "$(fabric tasks --json)" "[]"
}

@test "unknown fields, wrong types and unknown agents are refused" {
  fabric spawn a -- true
  refused 2 'line 1.*prioritee' fabric schedule --batch - <<<'{"agent":"a","payload":1,"prioritee":"low"}'
  refused 2 'line 1.*priority' fabric schedule --batch - <<<'{"agent":"a","payload":1,"priority":7}'
  refused 2 'line 1' fabric schedule --batch - <<<'{"payload":1}'
  refused 2 'line 1' fabric schedule --batch - <<<'[]'
  refused 3 'agent ghost not found' fabric schedule --batch - <<<'{"agent":"ghost","payload":1}'
  expect_equal "$(fabric tasks --json)" "[]"
}

# behaviour: a cycle in a batch
@test "a cycle is refused by name and nothing is queued" {
  fabric spawn a -- true
  printf '{"agent":"a","id":"x","payload":1,"depends_on":["y"]}\n{"agent":"a","id":"y","payload":1,"depends_on":["x"]}\n' >b
  refused 2 'cycle: [xy] -> [xy] -> [xy]' fabric schedule --batch b
  expect_equal "$(fabric tasks --json)" "[]"
}

# behaviour: a dependency that does not exist
@test "an unknown dependency is refused" {
  fabric spawn a -- true
  refused 3 'dependency nonexistent' fabric schedule --batch - \
    <<<'{"agent":"a","id":"t2","payload":1,"depends_on":["nonexistent"]}'
  expect_equal "$(fabric tasks --json)" "[]"
}

# behaviour: t2 waits for t1
@test "a task waits for what it depends on" {
  fabric spawn a -- sh -c 'echo "$FABRIC_TASK_ID" >>/work/order'
  fabric down
  printf '{"agent":"a","id":"t2","payload":1,"priority":"critical","depends_on":["t1"]}\n{"agent":"a","id":"t1","payload":1,"priority":"low"}\n' |
    fabric schedule --batch - >/dev/null 2>&1
  expect_match "$(fabric status t2)" 'waits for t1'
  fabric up --detach
  fabric wait t2 --timeout 10s
  expect_equal "$(tr '\n' ' ' <.fabric/agents/a/work/order)" 't1 t2 '
}

# behaviour: one dependency is complete already
@test "a dependency that completed before counts" {
  fabric spawn a -- true
  fabric schedule a --id done --wait >/dev/null
  fabric schedule --batch - >/dev/null 2>&1 <<<'{"agent":"a","id":"b","payload":1}'
  fabric schedule --batch - >/dev/null 2>&1 <<<'{"agent":"a","id":"c","payload":1,"depends_on":["done","b"]}'
  fabric wait c --timeout 10s
}

# behaviour: the dependency failed before
@test "a task whose dependency failed before fails at once" {
  fabric spawn a -- false
  run fabric schedule a --id bad --wait
  expect_status 1
  fabric schedule --batch - >/dev/null 2>&1 <<<'{"agent":"a","id":"b","payload":1,"depends_on":["bad"]}' || true
  fabric wait b --timeout 5s && return 1
  fabric status b --json | jq -e '.state == "failed" and .reason == "dependency"'
}

# behaviour: one of two dependencies fails, then the other completes
@test "a task one of whose dependencies fails never runs" {
  fabric spawn good -- true
  fabric spawn bad -- false
  fabric down
  printf '%s\n' '{"agent":"bad","id":"a","payload":1}' '{"agent":"good","id":"b","payload":1}' \
    '{"agent":"good","id":"c","payload":1,"depends_on":["a","b"]}' |
    fabric schedule --batch - >/dev/null 2>&1
  fabric up --detach
  run fabric wait b c --timeout 10s
  expect_equal "$(field_of b state)" completed
  fabric status c --json | jq -e '.state == "failed" and .reason == "dependency" and .attempt == 0'
}

@test "AGENT and its options exclude --batch" {
  refused 2 'exclude each other' fabric schedule a --batch b
  refused 2 'exclude each other' fabric schedule --batch b --priority low
}

@test "more lines than one transaction takes: those before a bad line are there" {
  # a queue takes 1000
  for i in $(seq 0 10); do fabric spawn "a$i" -- true; done 2>/dev/null
  fabric down
  { for i in $(seq 10001); do printf '{"agent":"a%s","id":"t%s","payload":1}\n' $((i % 11)) "$i"; done; echo nonsense; } >b
  run --separate-stderr fabric schedule --batch b
  expect_status 2
  expect_match "$stderr" 'line 10002'
  expect_equal "$(wc -l <<<"$output")" 10000
  expect_equal "$(fabric status --json | jq .queue.pending)" 10000
}

@test "--wait waits for all and gives the code of the first that did not complete" {
  fabric spawn a -- sh -c 'exit {payload.code}'
  run --separate-stderr fabric schedule --batch - --wait <<'END'
{"agent":"a","id":"x","payload":{"code":0}}
{"agent":"a","id":"y","payload":{"code":4}}
END
  expect_status 4
}
