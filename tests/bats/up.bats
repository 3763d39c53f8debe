load helper

@test "up --detach starts a supervisor, says so, and is idempotent" {
  run --separate-stderr fabric up --detach
  expect_status 0
  expect_match "$output" 'started the supervisor \(pid [0-9]+\)'
  expect_equal "$(fabric status --json | jq -r .supervisor.state)" running
  run fabric up --detach
  expect_status 0
  expect_match "$output" 'is running already'
}

@test "up --detach --json gives pid, since and version" {
  run --separate-stderr fabric up --detach --json
  expect_equal "$(jq -r '[.started, (.pid > 1), (.since | test("Z$")), .version] | @csv' <<<"$output")" \
    "true,true,true,\"$(fabric version --json | jq -r .version)\""
}

@test "up in the foreground serves until it is told to stop" {
  "$FABRIC" up 2>up.log 3>&- &
  up=$!
  wait_until 10 grep -q 'supervising' up.log
  fabric spawn a -- true 2>err
  ! grep -q 'started a supervisor' err
  kill -TERM $up
  wait $up
  expect_equal "$(fabric status --json | jq -r .supervisor.state)" stopped
}

@test "a second supervisor of the same workspace is refused" {
  fabric up --detach
  refused 1 '' fabric up
}

@test "two that start one at the same moment share one" {
  for _ in 1 2 3 4; do fabric up --detach --json >>pids 3>&- & done
  wait
  expect_equal "$(jq -r .pid pids | sort -u | wc -l)" 1
}

@test "under any umask of the caller an agent can use its work directory" {
  requires root namespaces
  (umask 777 && fabric up --detach)
  fabric spawn a -- sh -c 'echo made >f && cat f'
  expect_equal "$(fabric run a)" made
  expect_equal "$(find .fabric -perm /022 ! -type l)" ""
}
