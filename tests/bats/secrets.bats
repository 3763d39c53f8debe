# Secrets: in memory inside, and nowhere else.
load helper

refute_match() { [[ ! $1 =~ $2 ]] || { printf "got: %s\nmatches: %s\n" "$1" "$2" >&2; return 1; }; }

TOKEN=s3cret-7b1c4e0f

box() { fabric sandbox run "$@"; }
# Whoever looks for the value outside: state, logs, arguments and environments of processes.
seen_outside() {
  grep -rlsF "$TOKEN" .fabric "$XDG_STATE_HOME" && return 0
  grep -lsF "$TOKEN" /proc/[0-9]*/cmdline
}

@test "a secret is a file of the agent's own, read-only and in memory" {
  requires root namespaces
  printf %s "$TOKEN" >key
  run box --work none --secret "api=file:key" -- sh -c 'cat /run/secrets/api; echo; stat -c "%a %u" /run/secrets/api; id -u; stat -f -c %T /run/secrets/api; echo x >>/run/secrets/api || echo REFUSED; env | grep -c s3cret'
  [ "${lines[0]}" = "$TOKEN" ]
  [ "${lines[1]}" = "400 ${lines[2]}" ]
  [ "${lines[3]}" = tmpfs ]
  expect_match "$output" REFUSED
  [ "${lines[-1]}" = 0 ]
}

@test "or a variable, of a source that is a variable too" {
  requires root namespaces
  run env API_KEY="$TOKEN" "$FABRIC" sandbox run --work none --secret 'api=env:API_KEY,env=KEY' -- sh -c 'echo $KEY; echo $API_KEY; ls /run 2>/dev/null'
  expect_equal "$output" "$TOKEN"
}

@test "in a place of its own; not where it would lie on a disk" {
  requires root namespaces
  echo "$TOKEN" >key
  run box --work none --secret 'rc=file:key,file=/home/agent/.netrc' -- cat /home/agent/.netrc
  expect_equal "$output" "$TOKEN"
  run -125 --separate-stderr box --secret 'rc=file:key,file=/work/.netrc' -- true
  expect_match "$stderr" 'memory'
  [ ! -e .netrc ]
}

@test "a source that is missing or too large is refused, and its content is never shown" {
  requires root namespaces
  run -125 --separate-stderr box --secret 'a=file:nosuch' -- true
  expect_match "$stderr" 'secret a'
  run -125 --separate-stderr box --secret 'a=env:NO_SUCH_VARIABLE' -- true
  expect_match "$stderr" 'NO_SUCH_VARIABLE is not set'
  yes "$TOKEN" | head -c 20000 >key
  run -125 --separate-stderr box --secret 'a=file:key' -- true
  refute_match "$stderr" s3cret
}

@test "an agent's secrets are in no store, log, argument or event; they are read when it is made" {
  requires root namespaces
  printf '%s\n' "$TOKEN" >"$BATS_TEST_TMPDIR/key"
  fabric spawn a --secret "api=file:$BATS_TEST_TMPDIR/key" --secret "v=file:$BATS_TEST_TMPDIR/key,env=KEY" -- sh -c 'test "$KEY" = "$(cat /run/secrets/api)" && test ${#KEY} = 15 && echo same; cat /proc/1/environ 2>/dev/null | grep -c s3cret'
  output=$(fabric run a) || true
  expect_match "$output" '^same'
  run ! seen_outside
  run --separate-stderr fabric status a --json
  refute_match "$output" "$TOKEN"
  fabric terminate a
  run ! seen_outside
}

@test "they are there after the supervisor was killed and another took over" {
  requires root namespaces
  printf %s "$TOKEN" >"$BATS_TEST_TMPDIR/key"
  fabric spawn a --secret "api=file:$BATS_TEST_TMPDIR/key,env=KEY" -- sh -c 'echo $KEY'
  expect_equal "$(fabric run a)" "$TOKEN"
  kill -9 "$(fabric status --json | jq .supervisor.pid)"
  expect_equal "$(fabric run a)" "$TOKEN"
}

@test "another agent has none of it" {
  requires root namespaces
  printf %s "$TOKEN" >"$BATS_TEST_TMPDIR/key"
  fabric spawn a --secret "api=file:$BATS_TEST_TMPDIR/key" -- sleep 60
  fabric spawn b -- sh -c 'cat /run/secrets/api 2>&1; cat /proc/*/root/run/secrets/api 2>/dev/null; echo end'
  fabric schedule a >/dev/null
  output=$(fabric run b)
  refute_match "$output" s3cret
  expect_match "$output" end
}
