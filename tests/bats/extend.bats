load helper

@test "a lease that is extended lasts longer" {
  fabric spawn anna --kind external >/dev/null 2>&1
  fabric up --detach 2>/dev/null
  fabric schedule anna --id t1 >/dev/null
  fabric schedule anna --id t2 >/dev/null
  number=$(fabric claim anna --lease 5m --json=lease | jq .lease)
  run --separate-stderr fabric extend t1 --lease "$number" --for 2h
  expect_status 0
  expect_match "$output" '^extended: t1 is yours until '
  fabric extend t1 --lease "$number" --for 1h --json >extended
  jq -e --argjson n "$number" '.id == "t1" and .lease == $n' extended
  left=$(($(date -d "$(jq -r .lease_until extended)" +%s) - $(date +%s)))
  [ "$left" -gt 3500 ] && [ "$left" -le 3600 ]
  # Shorter than before is taken too: then the supervisor takes the task back.
  fabric extend t1 --lease "$number" --for 100ms >/dev/null
  wait_for_state t1 pending
  expect_equal "$(field_of t1 attempt)" 1
  refused 1 'its lease is over' fabric extend t1 --lease "$number"
}

@test "what was not claimed cannot be extended" {
  refused 3 'task ghost not found' fabric extend ghost --lease 1
  fabric spawn anna --kind external >/dev/null 2>&1
  fabric schedule anna --id t1 >/dev/null 2>&1
  refused 1 'not claimed' fabric extend t1 --lease 1
  refused 2 'which lease' fabric extend t1
  refused 2 'longer than 0' fabric extend t1 --lease 1 --for 0s
}
