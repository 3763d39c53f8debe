# Ports inside a sandbox that the host can connect to.
load helper

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

allow() { printf '[agent.isolation]\npublish_allowed = true\n' >fabric.toml; }

answers() { [ "$(curl -sS -m 5 "http://127.0.0.1:$1/name" 2>/dev/null)" = "from inside" ]; }

server='mkdir -p site; echo "from inside" >site/name; cd site; exec python3 -m http.server --bind 127.0.0.1 80'

@test "it is refused where publish_allowed does not say so" {
  requires root namespaces
  refused 4 'publish.*not allowed' fabric spawn a --publish 18080:80 -- true
}

@test "the host connects to a published port, and to no other" {
  requires root namespaces curl python3
  allow
  port=$(free_port)
  fabric spawn a --publish "$port:80" -- sh -c "$server"
  fabric schedule a --id t >/dev/null
  wait_until 20 answers "$port"
  # Not without it: the same server, on a port that nothing publishes.
  run curl -sS -m 5 "http://127.0.0.1:80/name"
  [ "$output" != "from inside" ]
  fabric cancel t
  fabric terminate a
  wait_until 10 sh -c "! curl -s -m 5 http://127.0.0.1:$port/"
}

@test "a taken port fails the spawn and leaves nothing" {
  requires root namespaces python3
  allow
  python3 -c 'import socket, sys, time
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
time.sleep(60)' >"$BATS_TEST_TMPDIR/port" 3>&- &
  taken=$!
  wait_until 10 test -s "$BATS_TEST_TMPDIR/port"
  refused 1 'publish .*in use' fabric spawn a --publish "$(cat "$BATS_TEST_TMPDIR/port"):80" -- true
  kill "$taken"
  fabric agents --json | jq -se 'length == 0 or (.[0] == [])'
  port=$(free_port)
  fabric spawn a --publish "$port:80" -- true
}

@test "a published port is there again after the supervisor and the egress process were killed" {
  requires root namespaces curl python3
  allow
  port=$(free_port)
  fabric spawn a --publish "$port:80" -- sh -c "$server"
  fabric schedule a --id t >/dev/null
  wait_until 20 answers "$port"
  kill -KILL "$(supervisor_pid)"
  wait_until 10 sh -c "[ \"\$('$FABRIC' status --json | jq -r .supervisor.state)\" = stopped ]"
  answers "$port"
  fabric up --detach
  answers "$port"
  kill -KILL "$(jq -r 'select(.msg == "egress process started") | .pid' .fabric/logs/supervisor.log | tail -1)"
  wait_until 20 answers "$port"
}
