load helper

@test "a share with control characters in its name reaches the terminal without them" {
  run fabric pause --share "$(printf 'a\033[31m')"
  expect_status 0
  [[ $output != *$'\e'* ]]
  run fabric resume --share "$(printf 'a\033[31m')"
  [[ $output != *$'\e'* ]]
}

anna() {
  mkdir -p agents/anna
  printf 'kind = "external"\nmax_concurrent_tasks = 9\n' >agents/anna/agent.toml
  fabric spawn anna >/dev/null 2>&1
}
task() { fabric schedule anna --id "$@" >/dev/null 2>&1; }
claimed() { fabric claim anna --json=id | jq -r .id; }

@test "a paused agent starts nothing, and what it runs goes on" {
  mkfifo go
  fabric spawn a --isolation none -- sh -c 'read -r line <"$1"; echo "$line"' sh "$PWD/go"
  fabric schedule a --id t1 >/dev/null
  wait_for_state t1 running
  run --separate-stderr fabric pause a
  expect_status 0
  expect_match "$output" '^agent a is paused: .* those that run go on$'
  fabric schedule a --id t2 >/dev/null
  echo first >go
  fabric wait t1 --timeout 10s
  expect_equal "$(fabric result t1)" first
  expect_equal "$(field_of t2 state)" pending
  fabric resume a
  wait_for_state t2 running
  echo second >go
  fabric wait t2 --timeout 10s
}

@test "pausing what is paused says so, since when and by whom, and is no error" {
  anna
  fabric pause anna
  run --separate-stderr fabric pause anna
  expect_status 0
  expect_match "$output" "^agent anna was paused already since .*, by $(id -un)\$"
  fabric pause anna --json | jq -e '. == {"kind":"agent","name":"anna","paused":true,"changed":false}'
}

@test "a priority, a share or the workspace can be paused, with and without a supervisor" {
  anna
  for way in directly supervised; do
    if [ $way = supervised ]; then fabric up --detach 2>/dev/null; fi
    task "low-$way" --priority low
    fabric pause --priority low
    refused 10 'no task is ready' fabric claim anna
    task "normal-$way"
    expect_equal "$(claimed)" "normal-$way"
    fabric resume --priority low
    expect_equal "$(claimed)" "low-$way"

    fabric schedule --batch - >/dev/null 2>&1 <<<'{"agent":"anna","id":"s-'$way'","payload":1,"share":"team"}'
    fabric pause --share team --json | jq -e '.changed'
    refused 10 'no task is ready' fabric claim anna
    fabric resume --share team
    expect_equal "$(claimed)" "s-$way"

    task "w-$way"
    fabric pause --all
    refused 10 'no task is ready' fabric claim anna
    fabric resume --all
    expect_equal "$(claimed)" "w-$way"
  done
}

@test "a pause lasts beyond the supervisor" {
  fabric spawn a -- true
  fabric pause a
  fabric down
  fabric up --detach
  fabric schedule a --id t1 >/dev/null
  fabric spawn b -- true
  fabric run b
  expect_equal "$(field_of t1 state)" pending
  fabric resume a
  wait_for_state t1 completed
}

@test "what is meant has to be said, once" {
  refused 2 'AGENT, --priority, --share or --all is missing' fabric pause
  refused 2 'exclude each other' fabric pause a --all
  refused 2 'exclude each other' fabric pause --share s --priority low
  refused 2 'none of critical' fabric pause --priority urgent
  refused 3 'agent ghost not found' fabric pause ghost
}

@test "pause --dry-run changes nothing" {
  anna
  run --separate-stderr fabric pause anna --dry-run
  expect_match "$output" 'would be paused'
  task t1
  expect_equal "$(claimed)" t1
}
