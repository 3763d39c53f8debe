# The way out of a sandbox: what its rules name, and nothing else.
load helper

# A server on the host's loopback, known by the name web.test to the egress process only.
serve() {
  serve_site '
class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path != "/slow":
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"begin\n"[:3])
        self.wfile.flush()
        while not os.path.exists("go"):
            time.sleep(0.02)
        self.wfile.write(b"in\n")'
  known_as web.test www.sub.test sub.test other.test
}

teardown_server() {
  [ -z "${SERVER:-}" ] || kill "$SERVER" 2>/dev/null || true
  rm -f "${HOSTS:-}"
}

eval "helper_$(declare -f teardown)"
teardown() {
  teardown_server
  helper_teardown
}

egress_pid() { jq -r 'select(.msg == "egress process started") | .pid' .fabric/logs/supervisor.log | tail -1; }

no_egress_process() { ! kill -0 "$1" 2>/dev/null; }

refusals() { fabric events --kind sandbox.refused --since 0 --json=agent,detail; }

@test "a listed server is reached by name, by programs that know no proxy" {
  requires root namespaces curl python3
  serve
  fabric spawn a --egress "web.test:$PORT+private" -- sh -c "curl -sS -m 10 http://web.test:$PORT/page; python3 -c 'import urllib.request as u; print(u.urlopen(\"http://web.test:$PORT/page\", timeout=10).read().decode(), end=\"\")'; getent ahostsv4 web.test | head -1 | cut -c1-7"
  expect_equal "$(fabric run a)" $'from outside\nfrom outside\n198.18.'
}

@test "a proxy and SOCKS are there for those that want one" {
  requires root namespaces curl python3
  serve
  fabric spawn a --egress "web.test:$PORT+private" -- sh -c "curl -sS -m 10 -x http://127.0.0.1:3128 http://web.test:$PORT/page; curl -sS -m 10 -p -x http://127.0.0.1:3128 http://web.test:$PORT/page; curl -sS -m 10 --socks5-hostname 127.0.0.1:1080 http://web.test:$PORT/page"
  expect_equal "$(fabric run a)" $'from outside\nfrom outside\nfrom outside'
}

@test "what no rule names is refused, and said with the rule that would allow it" {
  requires root namespaces curl python3
  serve
  fabric spawn a --egress "web.test:$PORT+private" -- sh -c "curl -sS -m 10 http://other.test:$PORT/page || echo \$?; curl -sS -m 10 http://127.0.0.1:$PORT/page || echo \$?; curl -sS -m 10 http://192.0.2.1/ || echo \$?; curl -s -m 10 -o /dev/null -w '%{http_code}\n' -x http://127.0.0.1:3128 http://other.test:$PORT/page"
  # 6: name not resolved; 7: not connected
  expect_equal "$(fabric run a 2>/dev/null)" $'6\n7\n7\n403'
  wait_until 10 sh -c "'$FABRIC' events --kind sandbox.refused --since 0 --json | grep -q other.test"
  refusals | jq -e 'select(.detail | contains("other.test")) | select(.agent == "a") | select(.detail | contains("isolation.egress = [\"other.test"))' >/dev/null
}

@test "a name that means a private address needs +private" {
  requires root namespaces curl python3
  serve
  fabric spawn a --egress "web.test:$PORT" -- sh -c "curl -sS -m 10 http://web.test:$PORT/page && echo REACHED; echo end"
  expect_equal "$(fabric run a 2>/dev/null)" end
  wait_until 10 sh -c "'$FABRIC' events --kind sandbox.refused --since 0 --json | grep -q web.test"
  refusals | grep -q '+private'
}

@test "subdomains are not the domain, and a port is not another" {
  requires root namespaces curl python3
  serve
  fabric spawn a --egress "*.sub.test:$PORT+private" -- sh -c "curl -sS -m 10 -H 'Host: www.sub.test' http://www.sub.test:$PORT/page; curl -sS -m 10 http://sub.test:$PORT/page || echo \$?; curl -sS -m 10 http://www.sub.test:$((PORT + 1))/ || echo \$?"
  expect_equal "$(fabric run a 2>/dev/null)" $'from outside\n6\n7'
}

@test "without rules there is no egress process" {
  requires root namespaces
  fabric spawn a -- true
  fabric run a
  [ ! -e .fabric/run/egress.sock ]
}

@test "it is nobody's account, without capabilities, and ends with down" {
  requires root namespaces curl python3
  serve
  fabric spawn a --egress "web.test:$PORT+private" -- true
  pid=$(egress_pid)
  expect_equal "$(stat -c %u "/proc/$pid/mem")" 0 # non-dumpable: its files in /proc are root's
  grep -Eq '^Uid:\s99999\s99999\s99999\s99999$' "/proc/$pid/status"
  grep -Eq '^CapEff:\s0000000000000000$' "/proc/$pid/status"
  grep -Eq '^CapBnd:\s0000000000000000$' "/proc/$pid/status"
  fabric down
  wait_until 10 no_egress_process "$pid"
  [ ! -e .fabric/run/egress.sock ]
}

@test "a transfer survives the supervisor, and its successor takes up the process" {
  requires root namespaces curl python3
  serve
  fabric spawn a --egress "web.test:$PORT+private" -- sh -c "curl -sS -N -m 60 http://web.test:$PORT/slow"
  fabric schedule a --id t --priority critical >/dev/null
  wait_until 20 grep -q beg .fabric/logs/a/*
  first=$(egress_pid)
  kill -KILL "$(supervisor_pid)"
  wait_until 10 sh -c "[ \"\$('$FABRIC' status --json | jq -r .supervisor.state)\" = stopped ]"
  kill -0 "$first"
  touch "$BATS_TEST_TMPDIR/site/go"
  fabric up --detach
  run fabric wait t --timeout 20s
  expect_status 0
  expect_equal "$(fabric result t)" begin
  expect_equal "$(egress_pid)" "$first"
  expect_equal "$(fabric run a)" begin # and goes on for the next task
  kill -0 "$first"
}

@test "when the egress process is killed another one takes its place" {
  requires root namespaces curl python3
  serve
  fabric spawn a --egress "web.test:$PORT+private" -- sh -c "curl -sS -m 20 --retry 5 --retry-all-errors http://web.test:$PORT/page"
  expect_equal "$(fabric run a)" "from outside"
  first=$(egress_pid)
  kill -KILL "$first"
  expect_equal "$(fabric run a)" "from outside"
  wait_until 10 no_egress_process "$first"
  [ "$(egress_pid)" != "$first" ]
}

@test "rules cannot hold at isolation level none" {
  requires root
  refused 9 'isolation level none' fabric spawn a --isolation none --egress web.test -- true
}

@test "an ordinary user has the same way out" {
  requires root namespaces curl python3 setpriv
  serve
  mkdir "$BATS_TEST_TMPDIR/u"
  cp -r "$(dirname "$(dirname "$FABRIC")")" "$BATS_TEST_TMPDIR/u/cmd"
  find "$BATS_TEST_TMPDIR/u/cmd" -name '*.o' -delete
  chmod -R a+rX "$BATS_TEST_TMPDIR/u"
  chown -R 1001:1001 "$BATS_TEST_TMPDIR/u"
  chmod a+rx "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* 2>/dev/null || true
  as_user() { setpriv --reuid 1001 --regid 1001 --clear-groups --inh-caps=-all env XDG_STATE_HOME="$BATS_TEST_TMPDIR/u/state" "$BATS_TEST_TMPDIR/u/cmd/fabric/fabric" "$@"; }
  mkdir "$BATS_TEST_TMPDIR/u/w"
  chown 1001:1001 "$BATS_TEST_TMPDIR/u/w"
  cd "$BATS_TEST_TMPDIR/u/w"
  as_user init 2>/dev/null
  printf '[egress]\nhosts_file = "%s"\n' "$HOSTS" >fabric.toml
  as_user spawn a --memory none --cpu none --pids none --egress "web.test:$PORT+private" -- sh -c "curl -sS -m 10 http://web.test:$PORT/page; curl -sS -m 10 http://other.test/ || echo \$?; curl -sS -m 10 http://192.0.2.1/ || echo \$?"
  run --separate-stderr as_user run a
  seen=$output
  as_user down
  cd "$WORKSPACE"
  expect_equal "$seen" $'from outside\n6\n7'
}

@test "a rate holds for what is exchanged, and all of it arrives" {
  requires root namespaces curl
  serve
  head -c 3M /dev/zero >"$BATS_TEST_TMPDIR/site/big"
  fabric spawn fast --egress "web.test:$PORT+private" -- \
    curl -sS -o /dev/null -w '%{size_download} %{time_total}' "http://web.test:$PORT/big"
  fabric spawn slow --egress "web.test:$PORT+private" --egress-rate 1M -- \
    curl -sS -o /dev/null -w '%{size_download} %{time_total}' "http://web.test:$PORT/big"
  local fast slow
  fast=$(fabric run fast)
  slow=$(fabric run slow)
  # A second's worth may pass at once, the rest takes two.
  takes_two() { awk '{ exit !($1 == 3145728 && $2 > 1.8) }' <<<"$1"; }
  expect_match "$fast" '^3145728 '
  run takes_two "$fast"
  [ "$status" -ne 0 ]
  takes_two "$slow"
  expect_match "$(fabric status slow)" 'egress rate 1M/s'
  expect_equal "$(fabric agents --json=id,limits | jq -c 'map(.limits.egress_rate)')" '[null,1048576]'
  run --separate-stderr fabric sandbox run --work none --hosts "$HOSTS" --egress "web.test:$PORT+private" --egress-rate 1M -- \
    curl -sS -o /dev/null -w '%{size_download} %{time_total}' "http://web.test:$PORT/big"
  takes_two "$output"
}
