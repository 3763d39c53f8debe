load helper

@test "down without a supervisor is refused: not running" {
  refused 3 'no supervisor is running' fabric down
}

@test "down stops the supervisor and every process of its agents; pending tasks stay" {
  printf '[supervisor]\nstop_timeout = "1s"\n' >fabric.toml
  fabric spawn a -- sleep 60
  fabric schedule a --id t1 >/dev/null
  fabric schedule a --id t2 >/dev/null
  wait_for_state t1 running
  fabric down
  wait_until 5 nothing_left
  expect_equal "$(field_of t2 state)" pending
  expect_equal "$(fabric agents --json | jq -r '.[].id')" a
}

@test "the next up goes on with what is queued" {
  fabric spawn a -- echo done
  fabric down
  fabric schedule a --id t1 2>/dev/null
  fabric up --detach
  fabric wait t1 --timeout 10s
  expect_equal "$(fabric result t1)" "done"
}
