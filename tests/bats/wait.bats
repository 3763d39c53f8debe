load helper

# behaviour: waiting for a finished task returns at once; a timeout has its own code
@test "wait returns at once for tasks that have ended, with their state" {
  fabric spawn a -- true
  fabric schedule a --id t1 --wait >/dev/null
  run --separate-stderr fabric wait t1
  expect_status 0
  expect_equal "$output" 't1 completed'
}

@test "wait --timeout gives up with 8" {
  fabric spawn a -- sleep 60
  fabric schedule a --id t1 >/dev/null
  refused 8 'gave up waiting' fabric wait t1 --timeout 200ms
}

@test "wait gives the exit code of the first that did not complete" {
  fabric spawn a -- sh -c 'exit {payload.code}'
  fabric spawn k -- sh -c 'kill -TERM $$'
  fabric spawn s -- sleep 60
  fabric schedule a --id good --payload '{"code":0}' >/dev/null
  fabric schedule a --id three --payload '{"code":3}' >/dev/null
  fabric schedule k --id killed >/dev/null
  fabric schedule s --id slow --timeout 100ms >/dev/null
  run fabric wait good three killed
  expect_status 3
  run fabric wait good killed three
  expect_status 143
  run fabric wait slow good
  expect_status 8
}

@test "wait wakes up when the task ends, without a supervisor too" {
  fabric spawn a -- true
  fabric down
  fabric schedule a --id t 2>/dev/null
  fabric wait t --json=id,state >waited 2>err 3>&- &
  waiter=$!
  wait_until 10 grep -q 'no supervisor runs' err
  fabric up --detach
  wait $waiter
  expect_equal "$(jq -c '.[0]' waited)" '{"id":"t","state":"completed"}'
}

@test "waiting for an unknown task is refused" {
  refused 3 'task ghost not found' fabric wait ghost
}

@test "wait --any returns at the first end, with its exit code" {
  fabric spawn fast -- sh -c 'exit 5'
  fabric spawn slow -- sleep 60
  fabric schedule slow --id s >/dev/null
  fabric schedule fast --id f >/dev/null
  run --separate-stderr fabric wait s f --any --timeout 10s
  expect_status 5
  expect_equal "$output" 'f failed: exit code 5'
  fabric cancel s
}

@test "wait --any for what has ended gives the one that ended first" {
  fabric spawn a -- sh -c 'exit {payload.code}'
  fabric schedule a --id first --payload '{"code":4}' --wait >/dev/null || true
  fabric schedule a --id second --payload '{"code":0}' --wait >/dev/null
  run --separate-stderr fabric wait second first --any
  expect_status 4
  expect_equal "$output" 'first failed: exit code 4'
}

@test "wait --first-failure returns when one did not complete, or when all did" {
  fabric spawn a -- sh -c 'exit {payload.code}'
  fabric spawn slow -- sleep 60
  fabric schedule slow --id s >/dev/null
  fabric schedule a --id good --payload '{"code":0}' >/dev/null
  fabric schedule a --id bad --payload '{"code":7}' >/dev/null
  run --separate-stderr fabric wait s good bad --first-failure --timeout 10s
  expect_status 7
  expect_equal "$output" 'bad failed: exit code 7'
  fabric schedule a --id good2 --payload '{"code":0}' >/dev/null
  run --separate-stderr fabric wait good good2 --first-failure --timeout 10s
  expect_status 0
  expect_equal "$output" $'good completed\ngood2 completed'
  fabric cancel s
}

@test "wait --group waits for all tasks of a group" {
  fabric spawn a -- sh -c 'exit {payload.code}'
  fabric down
  for i in 0 3 0; do fabric schedule a --group g --payload "{\"code\":$i}" 2>/dev/null; done
  fabric schedule a --id other --payload '{"code":9}' 2>/dev/null
  fabric up --detach
  run --separate-stderr fabric wait --group g --timeout 10s --json=state
  expect_status 3
  expect_equal "$(jq -r '[.[].state] | join(" ")' <<<"$output")" 'completed failed completed'
  refused 3 'no task is in group ghost' fabric wait --group ghost
}

@test "wait for very many costs no more for each that ends" {
  fabric spawn a -- true
  fabric down
  for i in $(seq 1000); do printf '{"agent":"a","id":"t%s","group":"g","start_at":"2999-01-01T00:00:00Z","payload":1}\n' "$i"; done |
    fabric schedule --batch - >/dev/null 2>&1
  fabric wait --group g >out 2>err 3>&- &
  waiter=$!
  wait_until 10 grep -q 'no supervisor runs' err
  fabric cancel t5 >/dev/null
  fabric cancel --group g >/dev/null 2>&1
  wait $waiter || code=$?
  expect_equal "${code:-0}" 1
  expect_equal "$(wc -l <out)" 1000
  expect_equal "$(cut -d ' ' -f 2 out | sort -u)" cancelled
  expect_equal "$(wc -l <err)" 1 # no progress in a pipe
}

@test "a progress bar is shown on a terminal" {
  requires script
  fabric spawn a -- true
  fabric down
  fabric schedule a --id t1 --at 2999-01-01T00:00:00Z 2>/dev/null
  fabric schedule a --id t2 --at 2999-01-01T00:00:00Z 2>/dev/null
  TERM=vt100 script -qefc "'$FABRIC' wait t1 t2" typescript >/dev/null 2>&1 </dev/null 3>&- &
  waiter=$!
  wait_until 10 grep -q '0 of 2' typescript
  fabric cancel t1 >/dev/null
  wait_until 10 grep -q '1 of 2, 1 failed, .*/s, .* left' typescript
  fabric cancel t2 >/dev/null
  wait $waiter || true
}

@test "modes of waiting exclude each other, and something has to be named" {
  refused 2 'exclude each other' fabric wait t --any --all
  refused 2 'ID is missing' fabric wait
}
