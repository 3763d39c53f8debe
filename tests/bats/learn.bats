# SPDX-License-Identifier: Apache-2.0
# What an agent needs, learned from what it does; then it gets that and no more.
load helper

setup_data() {
  # Where a sandbox sees nothing of the host, and readable by every user.
  DATA=$(mktemp -d /var/tmp/fabric-learn-XXXXXX)
  chmod 755 "$DATA"
  mkdir "$DATA/many" "$DATA/bin" "$DATA/out"
  chmod 777 "$DATA/out"
  echo one >"$DATA/in.txt"
  echo two >"$DATA/other.txt"
  for i in 1 2 3 4 5 6 7 8 9; do echo "$i" >"$DATA/many/$i"; done
  printf '#!/bin/sh\necho tool "$@"\n' >"$DATA/bin/tool"
  chmod 755 "$DATA/bin/tool"
}

serve() {
  serve_site
  known_as web.test other.test
}

eval "helper_$(declare -f teardown)"
teardown() {
  [ -z "${SERVER:-}" ] || kill "$SERVER" 2>/dev/null || true
  rm -rf "${HOSTS:-}" "${DATA:-}"
  helper_teardown
}

learned_list() { fabric learned a --json="$1" | jq -c ".$1"; }

@test "sh, git, python and curl run under what was learned of them, and not beyond it" {
  requires root namespaces curl git python3
  setup_data
  serve
  cat >job.sh <<'JOB'
set -e
cat "$DATA/in.txt"
cat "$DATA"/many/[1-9] | wc -l
"$DATA/bin/tool" runs
git init -q repo 2>/dev/null
cd repo
git -c user.name=a -c user.email=a@b commit -q --allow-empty -m first
git log --format=%s
python3 -c "import threading, json; t = threading.Thread(target=lambda: print(json.dumps([1]))); t.start(); t.join()"
curl -sS -m 10 "http://web.test:$PORT/page"
cd ..
rm -rf repo
[ -z "${MORE:-}" ] || eval "$MORE"
JOB
  local expected=$'one\n9\ntool runs\nfirst\n[1]\nfrom outside'
  # Without what it needs it fails.
  fabric spawn a --env "DATA=$DATA" --env "PORT=$PORT" -- sh -c "$(cat job.sh)"
  run ! fabric run a
  fabric terminate a
  fabric spawn a --learn --egress "web.test:$PORT+private" --env "DATA=$DATA" --env "PORT=$PORT" -- sh -c "$(cat job.sh)"
  [[ $(fabric status) == *learning* ]]
  [ "$(fabric agents --json=learning | jq '.[].learning')" = true ]
  expect_equal "$(fabric run a)" "$expected"
  fabric terminate a
  mkdir -p agents/a
  fabric learned a >agents/a/agent.toml
  cat agents/a/agent.toml
  grep -q '^# learned from 1 run;' agents/a/agent.toml
  expect_equal "$(learned_list ro)" "[\"$DATA/bin/tool\",\"$DATA/in.txt\",\"$DATA/many\"]"
  expect_equal "$(learned_list rw)" "[]"
  expect_equal "$(learned_list egress)" "[\"web.test:$PORT+private\"]"
  grep -q '^seccomp = "strict' agents/a/agent.toml
  fabric config check
  # The same, with that and no more.
  fabric spawn a --env "DATA=$DATA" --env "PORT=$PORT"
  expect_equal "$(fabric run a)" "$expected"
  fabric terminate a
  # One thing more is refused: a file, a host, a system call.
  local more personality="python3 -c 'import ctypes; exit(ctypes.CDLL(None).personality(0xffffffff) == -1)'"
  for more in "cat $DATA/other.txt" "curl -sSf -m 10 http://other.test:$PORT/page" "echo x >$DATA/out/x" "$personality"; do
    fabric spawn a --env "DATA=$DATA" --env "PORT=$PORT" --env "MORE=$more"
    run ! fabric run a
    fabric terminate a
  done
  # Where nothing confines them they work.
  for more in "cat $DATA/other.txt" "curl -sSf -m 10 http://127.0.0.1:$PORT/page" "echo x >$DATA/out/x" "$personality"; do
    sh -c "$more"
  done
  # And so does doing nothing more.
  fabric spawn a --env "DATA=$DATA" --env "PORT=$PORT" --env "MORE=true"
  fabric run a
}

@test "system calls beyond the strict policy are let through one by one" {
  requires root namespaces python3
  fabric spawn a --learn -- python3 -c 'import ctypes, os; print(ctypes.CDLL(None).personality(0xffffffff), os.getxattr is not None)'
  expect_equal "$(fabric run a)" "0 True"
  [[ $(learned_list calls) == *personality* ]]
  fabric learned a | grep -q '^seccomp = "strict.*personality'
}

@test "runs add up, also those of a later agent of that name" {
  requires root namespaces
  setup_data
  fabric spawn a --learn -- cat "{payload.file}"
  fabric run a --payload "{\"file\":\"$DATA/in.txt\"}"
  fabric run a --payload "{\"file\":\"$DATA/in.txt\"}"
  expect_equal "$(learned_list ro)" "[\"$DATA/in.txt\"]"
  fabric terminate a
  fabric spawn a --learn -- cat "{payload.file}"
  fabric run a --payload "{\"file\":\"$DATA/other.txt\"}"
  expect_equal "$(learned_list ro)" "[\"$DATA/in.txt\",\"$DATA/other.txt\"]"
  fabric learned a | head -1 | grep -q '^# learned from 3 runs;'
}

@test "what stays closed while it learns" {
  requires root namespaces curl python3
  setup_data
  serve
  mkdir -p "$DATA/home/.ssh"
  echo key >"$DATA/home/.ssh/id"
  chmod -R a+rX "$DATA/home"
  HOME="$DATA/home" fabric spawn a --learn -- sh -c "cat $DATA/home/.ssh/id || echo 1; echo x >$DATA/out/x || echo 2; curl -sS -m 10 http://web.test:$PORT/page || echo 3; curl -sS -m 5 http://169.254.169.254/ || echo 4; unshare -U true || echo 5; ls /run/* || echo 6"
  expect_equal "$(fabric run a 2>/dev/null)" $'1\n2\n3\n4\n5\n6'
  [ ! -e "$DATA/out/x" ]
  expect_equal "$(learned_list rw)" "[\"$DATA/out\"]"
  [[ $(learned_list not_given) == *"$DATA/home/.ssh/id"* ]]
  # Walls are shut, and say so.
  wait_until 10 sh -c "'$FABRIC' violations a --json=what | grep -q unshare"
}

@test "sockets of the host that it sees are not for it while it learns" {
  requires root namespaces python3
  setup_data
  chmod 777 "$DATA"
  cat >"$BATS_TEST_TMPDIR/listen.py" <<'PYTHON'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
while True:
    s.accept()[0].sendall(b"served")
PYTHON
  python3 "$BATS_TEST_TMPDIR/listen.py" "$DATA/socket" 3>&- &
  SERVER=$!
  wait_until 10 test -S "$DATA/socket"
  chmod 777 "$DATA/socket"
  local ask="import socket; s = socket.socket(socket.AF_UNIX); s.connect('$DATA/socket'); print(s.recv(9))"
  expect_equal "$(python3 -c "$ask")" "b'served'"
  fabric spawn a --learn -- python3 -c "$ask"
  run ! fabric run a
  [[ $output == *PermissionError* ]]
  [[ $(learned_list not_given) == *"$DATA/socket"* ]]
  # A rule that names the socket gives it.
  fabric spawn b --rw "$DATA/socket" -- python3 -c "$ask"
  expect_equal "$(fabric run b)" "b'served'"
}

@test "levels without walls of their own cannot learn" {
  run -9 fabric spawn a --learn --isolation none -- true
  run -3 fabric learned nobody
}

@test "one command, and what it needed in a file that further runs add to" {
  requires root namespaces
  setup_data
  cd "$BATS_TEST_TMPDIR"
  fabric sandbox run --work none --learn=l.toml -- cat "$DATA/in.txt"
  fabric sandbox run --work none --learn=l.toml -- sh -c "exec cat $DATA/other.txt"
  grep -q '^# learned from 2 runs;' l.toml
  expect_equal "$(grep -c "$DATA" l.toml)" 2
  grep -q "\"$DATA/other.txt\"" l.toml
  run -3 fabric learned nobody -C "$WORKSPACE"
}

@test "one command, and where it went" {
  requires root namespaces curl
  serve
  cd "$BATS_TEST_TMPDIR"
  fabric sandbox run --work none --hosts "$HOSTS" --egress "web.test:$PORT+private" --learn=l.toml -- \
    curl -sS -m 10 "http://web.test:$PORT/page"
  grep -qxF "  \"web.test:$PORT+private\"," l.toml
}
