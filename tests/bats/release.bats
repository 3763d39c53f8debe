load helper

released() {
  fabric spawn anna --kind external >/dev/null 2>&1
  for id in t1 t2; do fabric schedule anna --id $id >/dev/null 2>&1; done
  number=$(fabric claim anna --json=lease | jq .lease)
  run --separate-stderr fabric release t1 --lease "$number"
  expect_status 0
  expect_equal "$output" 'released t1: it waits again in its place of the queue'
  expect_equal "$(field_of t1 state)" pending
  refused 1 'its lease is over' fabric complete t1 --lease "$number" --result x
  # It keeps its place, and the next claim is another attempt.
  expect_equal "$(fabric claim anna --json | jq -c '[.id, .attempt]')" '["t1",2]'
}

@test "a task that is given back is claimed again, in its place" {
  released
}

@test "the same under a supervisor" {
  fabric up --detach 2>/dev/null
  released
}

@test "release --json says what it is now" {
  fabric spawn anna --kind external >/dev/null 2>&1
  fabric schedule anna --id t1 >/dev/null 2>&1
  FABRIC_LEASE=$(fabric claim anna --json=lease | jq .lease)
  FABRIC_LEASE=$FABRIC_LEASE fabric release t1 --json | jq -e '. == {"id": "t1", "state": "pending"}'
  refused 3 'task ghost not found' fabric release ghost --lease 1
}
