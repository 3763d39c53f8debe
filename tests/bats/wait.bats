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
