load helper

@test "tasks lists the newest first, and filters" {
  fabric spawn a -- true
  fabric spawn b -- false
  fabric schedule a --id t1 --type x --wait >/dev/null
  fabric schedule b --id t2 --wait >/dev/null || true
  fabric schedule a --id t3 --type y --wait >/dev/null
  expect_equal "$(fabric tasks --json | jq -r '[.[].id] | join(" ")')" 't3 t2 t1'
  expect_equal "$(fabric tasks --state failed --json | jq -r '.[].id')" t2
  expect_equal "$(fabric tasks --agent a --json | jq -r '[.[].id] | join(" ")')" 't3 t1'
  expect_equal "$(fabric tasks --type x --json | jq -r '.[].id')" t1
  expect_equal "$(fabric tasks --limit 1 --json | jq -r '.[].id')" t3
}

@test "tasks shows 50 unless told otherwise, and says so" {
  fabric spawn a -- true
  fabric down
  for i in $(seq 60); do printf '{"agent":"a","payload":%s}\n' "$i"; done | fabric schedule --batch - >/dev/null 2>&1
  run --separate-stderr fabric tasks
  expect_equal "$(wc -l <<<"$output")" 51
  expect_match "$stderr" 'limit all'
  expect_equal "$(fabric tasks --limit all | wc -l)" 61
}

@test "a bad filter is refused" {
  refused 2 'pending, running' fabric tasks --state done
  refused 2 '--limit' fabric tasks --limit 0
}
