load helper

@test "resuming what is not paused says so, and is no error" {
  fabric spawn anna --kind external >/dev/null 2>&1
  run --separate-stderr fabric resume anna
  expect_status 0
  expect_equal "$output" 'agent anna was not paused'
  fabric resume --all --json | jq -e '. == {"kind":"workspace","name":null,"paused":false,"changed":false}'
  refused 3 'agent ghost not found' fabric resume ghost
}

@test "resume --all lifts that of the workspace only, and says what is still paused" {
  fabric spawn anna --kind external >/dev/null 2>&1
  fabric pause --all
  fabric pause anna
  run --separate-stderr fabric resume --all
  expect_equal "$output" 'the workspace is resumed'
  expect_match "$stderr" 'still paused: agent anna since .*, by '
  fabric schedule anna --id t1 >/dev/null 2>&1
  refused 10 'no task is ready' fabric claim anna
}

@test "the pause of an agent that is gone can be lifted" {
  fabric spawn anna --kind external >/dev/null 2>&1
  fabric pause anna
  fabric terminate anna
  fabric resume anna --json | jq -e '.changed'
}
