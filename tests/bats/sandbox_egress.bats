# fabric sandbox run: the way out of the sandbox of one command, and the way in.
load helper

outside() {
  mkdir -p "$BATS_TEST_TMPDIR/o"
  cd "$BATS_TEST_TMPDIR/o" || return 1
}

box() { "$FABRIC" sandbox run "$@"; }

# A server on the host's loopback, known as web.test to who reads $DIR/hosts.
serve() {
  serve_site
  DIR=$(mktemp -d /tmp/fabric-run-egress-XXXXXX) # readable by the account of the egress process
  chmod 755 "$DIR"
  echo '127.0.0.1 web.test other.test api.test' >"$DIR/hosts"
  chmod 644 "$DIR/hosts"
}

eval "helper_$(declare -f teardown)"
teardown() {
  [ -z "${SERVER:-}" ] || kill "$SERVER" 2>/dev/null || true
  [ -z "${RUN:-}" ] || kill -KILL "$RUN" 2>/dev/null || true
  rm -rf "${DIR:-}"
  helper_teardown
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
answers() { [ "$(curl -sS -m 5 "http://127.0.0.1:$1/name" 2>/dev/null)" = "from inside" ]; }
site_inside='mkdir -p site; echo "from inside" >site/name; cd site; exec python3 -m http.server --bind 127.0.0.1 80'

# In the background, until the command inside has begun; RUN is fabric.
begin() {
  rm -f begun
  "$FABRIC" sandbox run "$@" 3>&- 2>"$BATS_TEST_TMPDIR/stderr" >"$BATS_TEST_TMPDIR/stdout" &
  RUN=$!
  wait_until 20 test -e begun
}
children_of() { cat "/proc/$1/task/$1/children" 2>/dev/null; }
egress_of() {
  local child
  for child in $(children_of "$1"); do
    [ "$(cat "/proc/$child/comm" 2>/dev/null)" = fabric-egress ] && echo "$child"
  done
  return 0
}
gone() { ! kill -0 "$1" 2>/dev/null; }
another_egress() { # PID: there is one, and it is not PID
  local now
  now=$(egress_of "$RUN")
  [ -n "$now" ] && [ "$now" != "$1" ]
}

@test "a listed server is reached by name, directly and by proxies; no workspace is made or needed" {
  requires root namespaces curl python3
  serve
  outside
  run --separate-stderr box --hosts "$DIR/hosts" --egress "web.test:$PORT+private" -- \
    sh -c "curl -sS -m 10 http://web.test:$PORT/page; curl -sS -m 10 -x http://127.0.0.1:3128 http://web.test:$PORT/page; curl -sS -m 10 --socks5-hostname 127.0.0.1:1080 http://web.test:$PORT/page; exit 3"
  expect_status 3
  expect_equal "$output" $'from outside\nfrom outside\nfrom outside'
  expect_equal "$stderr" ""
  expect_equal "$(ls -A)" ""
}

@test "what is refused is said once at the end, with the option that would allow it" {
  requires root namespaces curl python3
  serve
  outside
  run --separate-stderr box --hosts "$DIR/hosts" --egress "web.test:$PORT" -- \
    sh -c "for i in 1 2 3; do curl -s -m 10 http://other.test:$PORT/page || echo \$?; done; curl -s -m 10 http://web.test:$PORT/page || echo refused; curl -s -m 10 http://127.0.0.1:$PORT/page || echo \$?"
  expect_equal "$output" $'6\n6\n6\nrefused\n7'
  expect_equal "$(grep -c '^fabric: refused: name other.test' <<<"$stderr")" 1
  expect_match "$stderr" "--egress 'other.test'"
  expect_match "$stderr" "refused: .*web.test.*--egress 'web.test:$PORT\\+private'"
  expect_equal "$(wc -l <<<"$stderr")" 2
  # What it says works.
  run --separate-stderr box --hosts "$DIR/hosts" --egress "web.test:$PORT+private" -- curl -sS -m 10 "http://web.test:$PORT/page"
  expect_equal "$output$stderr" "from outside"
}

@test "what a command sends last arrives, though it ends at once" {
  requires root namespaces python3
  DIR=$(mktemp -d /tmp/fabric-run-egress-XXXXXX)
  chmod 755 "$DIR"
  echo '127.0.0.1 web.test' >"$DIR/hosts"
  chmod 644 "$DIR/hosts"
  outside
  python3 - >"$BATS_TEST_TMPDIR/got" 3>&- <<'PYTHON' &
import socket
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
while True:
    connection, total = server.accept()[0], 0
    try:
        while piece := connection.recv(65536):
            total += len(piece)
        print("all" if total == 300000 else total, flush=True)
    except OSError as error:
        print(total, error, flush=True)
PYTHON
  SERVER=$!
  wait_until 10 test -s "$BATS_TEST_TMPDIR/got"
  port=$(head -1 "$BATS_TEST_TMPDIR/got")
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
    box --work none --hosts "$DIR/hosts" --egress "web.test:$port+private" -- python3 -c "
import socket
s = socket.create_connection(('web.test', $port))
s.sendall(bytes(300000))"
  done
  wait_until 10 sh -c "[ \$(wc -l <'$BATS_TEST_TMPDIR/got') = 13 ]"
  expect_equal "$(tail -n +2 "$BATS_TEST_TMPDIR/got" | sort -u)" all
}

@test "nobody's account, without rights; without rules there is no such process" {
  requires root namespaces
  outside
  begin -- sh -c 'touch begun; exec sleep 60'
  expect_equal "$(egress_of "$RUN")" ""
  kill -KILL "$RUN"
  wait "$RUN" || true
  begin --egress x.test -- sh -c 'touch begun; exec sleep 60'
  pid=$(egress_of "$RUN")
  grep -Eq '^Uid:\s99999\s99999\s99999\s99999$' "/proc/$pid/status"
  grep -Eq '^CapEff:\s0000000000000000$' "/proc/$pid/status"
  grep -Eq '^NoNewPrivs:\s1$' "/proc/$pid/status"
  kill -TERM "$RUN"
  wait_until 10 gone "$pid"
}

@test "killed by SIGKILL fabric takes the process and the published port along" {
  requires root namespaces curl python3
  outside
  port=$(free_port)
  begin --publish "$port:80" -- sh -c "touch begun; $site_inside"
  wait_until 20 answers "$port"
  pid=$(egress_of "$RUN")
  kill -KILL "$RUN"
  wait_until 10 gone "$pid"
  run ! answers "$port"
  box --publish "$port:80" -- true # is free again
}

@test "when the process is killed another one takes its place" {
  requires root namespaces curl python3
  serve
  outside
  begin --hosts "$DIR/hosts" --egress "web.test:$PORT+private" -- \
    sh -c "curl -sS -m 10 http://web.test:$PORT/page; touch begun; while [ ! -e go ]; do sleep 0.05; done; curl -sS -m 20 http://web.test:$PORT/page"
  first=$(egress_of "$RUN")
  kill -KILL "$first"
  wait_until 10 another_egress "$first"
  touch go
  wait "$RUN"
  expect_equal "$(cat "$BATS_TEST_TMPDIR/stdout")" $'from outside\nfrom outside'
  expect_match "$(cat "$BATS_TEST_TMPDIR/stderr")" 'fabric-egress died'
}

@test "a published port is reached from the host, without a policy; one that is taken is refused" {
  requires root namespaces curl python3
  outside
  port=$(free_port)
  begin --publish "$port:80" -- sh -c "touch begun; $site_inside"
  wait_until 20 answers "$port"
  run --separate-stderr box --publish "$port:80" -- touch ran
  expect_status 125
  expect_match "$stderr" "publish $port:80.*in use"
  [ ! -e ran ]
  kill -TERM "$RUN"
  wait_until 10 gone "$RUN"
  run ! answers "$port"
}

@test "a secret is put in outside and is nowhere inside" {
  requires root namespaces curl python3 openssl
  serve
  outside
  mkdir "$BATS_TEST_TMPDIR/tls"
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=api.test \
    -addext subjectAltName=DNS:api.test -keyout "$BATS_TEST_TMPDIR/tls/key" -out "$DIR/authority.pem" 2>/dev/null
  chmod 644 "$DIR/authority.pem"
  python3 - "$DIR/authority.pem" "$BATS_TEST_TMPDIR/tls/key" "$BATS_TEST_TMPDIR/tls-port" 3>&- <<'PYTHON' 2>/dev/null &
import http.server, os, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = str(len(self.headers.get("Authorization", ""))).encode()
        open(sys.argv[3] + ".seen", "w").write(str(self.headers.get("Authorization")) + "\n")
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
open(sys.argv[3] + ".new", "w").write(str(server.server_port))
os.rename(sys.argv[3] + ".new", sys.argv[3])
server.serve_forever()
PYTHON
  kill "$SERVER"
  SERVER=$!
  wait_until 10 test -s "$BATS_TEST_TMPDIR/tls-port"
  port=$(cat "$BATS_TEST_TMPDIR/tls-port")
  echo SESAME-4711 >"$BATS_TEST_TMPDIR/key"
  run --separate-stderr box --hosts "$DIR/hosts" --authorities "$DIR/authority.pem" --egress "api.test:$port+private" \
    --secret "key=file:$BATS_TEST_TMPDIR/key" --inject "api=api.test:$port,secret=key" -- \
    sh -c 'curl -sS -m 10 http://api.inject/; echo; env; ls /run/secrets 2>/dev/null; grep -rs SESAME /work /etc /run /tmp /proc/1/environ /proc/self/environ && echo FOUND; echo end'
  expect_match "$output" '^18'
  expect_match "$output" 'end$'
  [[ $output != *SESAME* && $output != *FOUND* ]]
  expect_equal "$(cat "$BATS_TEST_TMPDIR/tls-port.seen")" 'Bearer SESAME-4711'
  # Whom nobody trusts gets no secret.
  rm "$BATS_TEST_TMPDIR/tls-port.seen"
  run --separate-stderr box --hosts "$DIR/hosts" --egress "api.test:$port+private" \
    --secret "key=file:$BATS_TEST_TMPDIR/key" --inject "api=api.test:$port,secret=key" -- \
    curl -sS -m 10 -o /dev/null -w '%{http_code}' http://api.inject/
  expect_equal "$output" 502
  [ ! -e "$BATS_TEST_TMPDIR/tls-port.seen" ]
}

@test "what cannot be is refused before the command begins" {
  requires root namespaces
  outside
  run --separate-stderr box --isolation none --egress web.test -- touch ran
  expect_status 9
  expect_match "$stderr" 'isolation level none'
  run --separate-stderr box --inject 'api=api.test,secret=key' -- touch ran
  expect_status 125
  expect_match "$stderr" 'no secret key'
  run --separate-stderr box --hosts absent --egress web.test -- touch ran
  expect_status 125
  expect_match "$stderr" 'absent'
  [ ! -e ran ]
}

@test "an ordinary user has the same way out and in" {
  requires root namespaces curl python3 setpriv
  serve
  DIR2=$(mktemp -d /tmp/fabric-run-egress-XXXXXX)
  cp -r "$(dirname "$(dirname "$FABRIC")")" "$DIR2/cmd"
  find "$DIR2/cmd" -name '*.[oa]' -delete
  mkdir "$DIR2/w"
  chmod -R a+rX "$DIR2"
  chown 1001:1001 "$DIR2/w"
  cd "$DIR2/w"
  as_user=(setpriv --reuid 1001 --regid 1001 --clear-groups --inh-caps=-all
    "$DIR2/cmd/fabric/fabric" sandbox run --memory none --cpu none --pids none)
  run --separate-stderr "${as_user[@]}" --hosts "$DIR/hosts" --egress "web.test:$PORT+private" -- \
    sh -c "curl -sS -m 10 http://web.test:$PORT/page; curl -s -m 10 http://other.test/ || echo \$?; curl -s -m 10 http://192.0.2.1/ || echo \$?"
  seen=$output said=$stderr
  port=$(free_port)
  "${as_user[@]}" --publish "$port:80" -- sh -c "$site_inside" 3>&- >/dev/null 2>&1 &
  RUN=$!
  wait_until 20 answers "$port"
  kill -KILL "$RUN"
  wait "$RUN" || true
  cd "$WORKSPACE"
  rm -rf "$DIR2"
  expect_equal "$seen" $'from outside\n6\n7'
  expect_match "$said" "refused: name other.test.*--egress 'other.test'"
  wait_until 10 sh -c "! curl -s -m 5 http://127.0.0.1:$port/ >/dev/null"
}
