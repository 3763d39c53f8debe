# fabric schedule --array
load helper

@test "an array is a task for each number, and prints its group" {
  fabric spawn a -- sh -c 'echo {payload.n}; echo "$FABRIC_TASK_ID" >>/work/ran'
  run --separate-stderr fabric schedule a --array 1-5:2 --group g --payload '{"n": "{item}", "text": "number {item}"}' --metadata 'no={item}'
  expect_status 0
  expect_equal "$output" g
  expect_match "$stderr" '3 tasks scheduled'
  fabric wait --group g --timeout 10s
  expect_equal "$(sort .fabric/agents/a/work/ran | tr '\n' ' ')" 'g.1 g.3 g.5 '
  fabric status g.3 --json | jq -e '.payload == {"n": 3, "text": "number 3"} and .metadata == {"no": "3"} and .group == "g"'
}

@test "an array is a task for each line of a file that is not empty" {
  fabric spawn a -- true
  fabric down
  printf 'plain text\n\n{"k": [1.50]}\n"quoted"\n' >items
  fabric schedule a --array @items --id g --payload '{"v": "{item}", "t": "<{item}>"}' --json 2>/dev/null >out
  expect_equal "$(jq -r .id out | tr '\n' ' ')" 'g.1 g.2 g.3 '
  fabric status g.1 --json | jq -e '.payload == {"v": "plain text", "t": "<plain text>"}'
  fabric status g.2 --json | jq -e '.payload == {"v": {"k": [1.5]}, "t": "<{\"k\": [1.50]}>"}'
  fabric status g.3 --json | jq -e '.payload == {"v": "quoted", "t": "<quoted>"}'
  expect_equal "$(printf 'x\ny\n' | fabric schedule a --array @- --json 2>/dev/null | jq -r .state | tr '\n' ' ')" 'pending pending '
}

@test "the same array again is the same tasks" {
  fabric spawn a -- true
  fabric down
  fabric schedule a --array 1-3 --group g 2>/dev/null
  run --separate-stderr fabric schedule a --array 1-4 --group g
  expect_match "$stderr" '4 tasks scheduled, 3 of them before'
  expect_equal "$(fabric tasks --group g --json | jq length)" 4
}

@test "an array waits for its tasks, and gives the code of the first that did not complete" {
  fabric spawn a -- sh -c 'exit {payload.code}'
  run --separate-stderr fabric schedule a --array 0,3,4 --payload '{"code": "{item}"}' --wait
  expect_status 3
}

@test "an array larger than the queue: what does not fit is said" {
  fabric spawn a -- true
  fabric down
  run --separate-stderr fabric schedule a --array 1-1500 --group g --wait-for-space 100ms
  expect_status 6
  expect_match "$stderr" '1000 tasks before it are scheduled; the same command with --group g adds the rest'
  expect_equal "$(fabric tasks --group g --limit all --json=id | jq length)" 1000
}

@test "nonsense is refused" {
  fabric spawn a -- true
  refused 2 'invalid numbers' fabric schedule a --array 5-1
  refused 2 'named twice' fabric schedule a --array 1,1
  refused 2 'more than 1000000' fabric schedule a --array 1-99999999
  refused 2 '--array: ' fabric schedule a --array @no-such-file || refused 1 'no-such-file' fabric schedule a --array @no-such-file
  refused 2 'exclude each other' fabric schedule a --array 1-2 --batch x
  refused 2 'exclude each other' fabric schedule a --array 1-2 --idempotency-key x
  refused 2 'exclude each other' fabric schedule a --array 1-2 --id x --group y
  expect_equal "$(fabric schedule a --array 1-7 --dry-run)" 'would schedule 7 tasks'
  expect_equal "$(fabric tasks --json)" '[]'
}
