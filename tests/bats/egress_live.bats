# SPDX-License-Identifier: Apache-2.0
# Rules of egress that change while an agent runs.
load helper

# A server on the host's loopback, known as web.test and other.test to the egress process only. It
# keeps a connection to /hold open for ever, and says so with a file.
serve() {
  serve_site '
class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path != "/hold":
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"begun\n")
        self.wfile.flush()
        open("held", "w").close()
        threading.Event().wait()'
  known_as web.test other.test
}

eval "helper_$(declare -f teardown)"
teardown() {
  [ -z "${SERVER:-}" ] || kill "$SERVER" 2>/dev/null || true
  rm -f "${HOSTS:-}"
  helper_teardown
}

fetch() { fabric run a --payload '{"page":"page"}' 2>/dev/null || true; }
init_pid() { fabric agents --json=pid | jq '.[].pid'; }

@test "blocked, allowed while it runs, cut while it runs" {
  requires root namespaces curl python3
  serve
  fabric spawn a --egress "other.test:$PORT+private" -- sh -c "curl -sS -m 20 http://web.test:$PORT/\$0 || echo \$?" '{payload.page}'
  expect_equal "$(fetch)" 6
  local pid
  pid=$(init_pid)
  fabric reload a --egress "web.test:$PORT+private" >"$BATS_TEST_TMPDIR/said"
  expect_equal "$(cat "$BATS_TEST_TMPDIR/said")" "a: egress +web.test:$PORT+private"
  expect_equal "$(fetch)" "from outside"
  expect_equal "$(fabric agents --json=egress | jq -c '.[].egress')" "[\"other.test:$PORT+private\",\"web.test:$PORT+private\"]"
  fabric schedule a --id held --payload '{"page":"hold"}'
  wait_until 10 test -e "$BATS_TEST_TMPDIR/site/held"
  expect_equal "$(fabric tasks --json=id,state | jq -r ".[] | select(.id == \"held\") | .state")" running
  fabric reload a --drop-egress "web.test:$PORT+private"
  # 56: connection reset in the middle of the answer. Without the cut it would wait 20 seconds.
  fabric wait held --timeout 10s
  expect_equal "$(fabric result held | tail -1)" 56
  expect_equal "$(fetch)" 6
  # All of that in one and the same sandbox, and on record.
  expect_equal "$(init_pid)" "$pid"
  expect_equal "$(fabric events --kind agent.changed --since 0 --json=detail | jq -r .detail)" "egress: +web.test:$PORT+private
egress: -web.test:$PORT+private"
}

@test "what a file says is in force after reload, with what the command line gave" {
  requires root namespaces curl python3
  serve
  fabric spawn a --egress "other.test:$PORT+private" -- sh -c "for h in web other; do curl -s -m 10 http://\$h.test:$PORT/page || echo \$?; done"
  expect_equal "$(fetch)" $'6\nfrom outside'
  printf '[agent.isolation]\negress = ["web.test:%s+private"]\n' "$PORT" >>fabric.toml
  expect_equal "$(fabric reload --dry-run)" "a: would be egress +web.test:$PORT+private"
  expect_equal "$(fetch)" $'6\nfrom outside'
  fabric reload
  expect_equal "$(fetch)" $'from outside\nfrom outside'
  expect_equal "$(fabric reload)" "a: nothing changed"
  sed -i '/^egress/d' fabric.toml
  expect_equal "$(fabric reload --json=removed,effect | jq -c '.[]')" "{\"removed\":[\"web.test:$PORT+private\"],\"effect\":\"now\"}"
  expect_equal "$(fetch)" $'6\nfrom outside'
}

@test "a mistake in a file changes nothing" {
  requires root namespaces
  fabric spawn a --egress one.test -- true
  printf '[agent.isolation]\negress = ["two.test", "not a name"]\n' >>fabric.toml
  run -2 fabric reload
  [[ $output == *fabric.toml:* ]]
  expect_equal "$(fabric agents --json=egress | jq -c '.[].egress')" '["one.test"]'
}

@test "an agent without a way out gets a sandbox with one, when its task has ended" {
  requires root namespaces curl python3
  serve
  fabric spawn a -- sh -c "test -e go || { touch there; while ! test -e go; do sleep 0.05; done; }; curl -sS -m 10 http://web.test:$PORT/page || echo \$?"
  local pid
  pid=$(init_pid)
  fabric schedule a --id first
  wait_until 10 test -e .fabric/agents/a/work/there
  fabric reload a --egress "web.test:$PORT+private" | grep -q 'holds in a new sandbox'
  expect_equal "$(fabric tasks --json=id,state | jq -r ".[] | select(.id == \"first\") | .state")" running
  touch .fabric/agents/a/work/go
  fabric wait first --timeout 10s
  expect_equal "$(fabric result first)" 6
  expect_equal "$(fetch)" "from outside"
  [ "$(init_pid)" != "$pid" ]
  # That was no failure of the agent.
  expect_equal "$(fabric agents --json=restarts | jq '.[].restarts')" 0
}

@test "rules that changed hold after the supervisor and the egress process have died" {
  requires root namespaces curl python3
  serve
  fabric spawn a --egress "web.test:$PORT+private" -- sh -c "curl -s -m 10 http://web.test:$PORT/page || echo \$?"
  fabric reload a --egress "other.test:$PORT+private" --drop-egress "web.test:$PORT+private"
  local supervisor
  supervisor=$(fabric status --json=supervisor | jq .supervisor.pid)
  kill -9 "$supervisor"
  run -3 fabric reload a --egress "web.test:$PORT+private"
  [[ $output == *"fabric up"* ]]
  fabric up --detach
  expect_equal "$(fetch)" 6
  kill "$(jq -r 'select(.msg == "egress process started") | .pid' .fabric/logs/supervisor.log | tail -1)"
  expect_equal "$(fetch)" 6
}

@test "rules that no command gave cannot be taken back by one" {
  requires root namespaces
  fabric spawn a --egress one.test -- true
  run -2 fabric reload a --drop-egress two.test
  [[ $output == *"was not given the rule 'two.test'"* ]]
  run -2 fabric reload --egress two.test
  run -3 fabric reload nobody
  fabric spawn none --isolation none -- true
  run -9 fabric reload none --egress two.test
}
