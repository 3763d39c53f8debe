# SPDX-License-Identifier: Apache-2.0
# fabric events: one ordered stream, resumable, fed as it happens.
load helper

kinds() { fabric events --json "$@" | jq -r .kind; }

@test "the life of a task and its agent is told in order" {
  fabric spawn a -- true
  fabric schedule a --id good --wait
  fabric terminate a
  diff - <(kinds --task good) <<'END'
task.scheduled
task.started
task.completed
END
  diff - <(fabric events --agent a --json | jq -r 'select(.task == null) | .kind') <<'END'
agent.spawned
agent.state
agent.state
agent.removed
END
  fabric events --task good --json | jq -e 'select(.kind == "task.completed") | .agent == "a" and .attempt == 1 and .state == "completed" and (.at | startswith("20"))'
}

@test "failed, cancelled and timed out tasks, retries and dependents are events too" {
  fabric spawn a -- false
  fabric schedule a --id f --retries 1 --wait || true
  fabric schedule a --id d --after f || true
  expect_equal "$(kinds --task f | tr '\n' ' ')" "task.scheduled task.started task.retrying task.started task.failed "
  expect_equal "$(kinds --task d | tr '\n' ' ')" "task.scheduled task.failed "
  fabric events --task d --json | jq -e 'select(.kind == "task.failed") | .detail == "dependency f failed"'
}

@test "--since a cursor neither loses nor repeats anything" {
  fabric spawn anna --kind external
  fabric schedule anna --id t1
  fabric schedule anna --id t2
  cursor=$(fabric events --json --limit 1 | jq .cursor)
  fabric schedule anna --id t3
  fabric schedule anna --id t4
  expect_equal "$(fabric events --since "$cursor" --json | jq -r .task | tr '\n' ' ')" "t3 t4 "
  expect_equal "$(fabric events --since 0 --json | jq -s 'map(.cursor) | . == [range(1; length + 1)]')" true
  expect_equal "$(fabric events --since 1h --json | jq -s length)" "$(fabric events --since 0 --json | jq -s length)"
}

@test "--follow tells each event at once, across a restart of the supervisor" {
  fabric spawn a -- true
  "$FABRIC" events --follow --json --kind task.completed >out &
  reader=$!
  fabric schedule a --id t1 --wait
  wait_until 10 grep -q '"task":"t1"' out
  fabric down
  fabric up --detach
  fabric schedule a --id t2 --wait
  wait_until 10 grep -q '"task":"t2"' out
  kill -TERM "$reader"
  code=0
  wait "$reader" || code=$?
  expect_equal "$code" 130
  expect_equal "$(jq -r .task out | tr '\n' ' ')" "t1 t2 "
}

@test "without events nothing is printed; bad kinds, cursors and numbers are refused" {
  fabric spawn anna --kind external
  run --separate-stderr fabric events --task nothing
  expect_status 0
  expect_equal "$output" ""
  for wrong in "--kind tusk.started" "--since yesterday" "--limit 0"; do
    # shellcheck disable=SC2086 # two words
    run --separate-stderr fabric events $wrong
    expect_status 2
  done
}

@test "people read times, kinds and ids, and no escape sequences off a terminal" {
  fabric spawn anna --kind external
  fabric schedule anna --id t1
  run --separate-stderr fabric events
  expect_match "$output" 'task.scheduled +t1 on anna'
  [[ $output != *$'\e'* ]]
}

@test "--since takes a time too, and --limit ends it" {
  fabric spawn anna --kind external
  fabric schedule anna --id t1
  at=$(fabric events --task t1 --json | jq -r .at)
  fabric schedule anna --id t2
  expect_equal "$(fabric events --since "$at" --json | jq -r .task | tr '\n' ' ')" "t1 t2 "
  expect_equal "$(fabric events --since 0 --kind task --limit 1 --json | jq -r .task)" t1
  expect_equal "$(timeout 10 "$FABRIC" events --since 0 --kind task --limit 2 --follow --json | jq -r .task | tr '\n' ' ')" "t1 t2 "
  expect_equal "$(fabric events --limit all --json | jq -s length)" "$(fabric events --since 0 --json | jq -s length)"
}

@test "a sort of kinds is all of its kinds" {
  fabric spawn anna --kind external
  fabric schedule anna --id t1
  fabric pause --all
  expect_equal "$(kinds --kind task --kind paused | tr '\n' ' ')" "task.scheduled paused "
}

@test "what retention has removed behind a cursor is said" {
  fabric spawn anna --kind external
  for i in 1 2 3 4 5 6; do fabric schedule anna --id "t$i"; done
  printf '\n[scheduler]\nkeep_events = 2\n' >fabric.toml
  fabric gc
  run --separate-stderr fabric events --since 1 --json
  expect_status 0
  expect_match "$stderr" 'events 2 to [0-9]+ are missing: retention has removed them'
  # From the oldest there is: then nothing is missing.
  run --separate-stderr fabric events --since 0 --json
  expect_equal "$stderr" ""
}

@test "a cursor that was never reached is refused" {
  run --separate-stderr fabric events --since 999
  expect_status 2
  expect_match "$stderr" 'there is no event 999 yet'
}

@test "--follow ends when nobody reads any more, without another event" {
  fabric spawn anna --kind external
  timeout 10 "$FABRIC" events --follow --since 0 | head -1 >first
  grep -q agent.spawned first
}

@test "Ctrl-C ends --follow with 130" {
  env --default-signal=INT "$FABRIC" events --follow --since 0 >out &
  reader=$!
  fabric spawn anna --kind external
  wait_until 10 grep -q agent.spawned out
  kill -INT "$reader"
  code=0
  wait "$reader" || code=$?
  expect_equal "$code" 130
}
