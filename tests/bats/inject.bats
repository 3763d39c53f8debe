# Secrets that never are inside: put into requests on their way out.
load helper

# An HTTPS server that answers with the Authorization header it got, and its own authority.
serve() {
  local d="$BATS_TEST_TMPDIR/tls"
  DIR=$(mktemp -d /tmp/fabric-inject-XXXXXX) # readable by the account of the egress process
  chmod 755 "$DIR"
  mkdir "$d"
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=api.test \
    -addext subjectAltName=DNS:api.test -keyout "$d/key" -out "$DIR/authority.pem" 2>/dev/null
  python3 - "$DIR/authority.pem" "$d/key" "$BATS_TEST_TMPDIR/port" 3>&- <<'PYTHON' 2>/dev/null &
import http.server, os, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = (self.path + " " + str(len(self.headers.get("Authorization", "")))).encode()
        open(sys.argv[3] + ".seen", "a").write(str(self.headers.get("Authorization")) + "\n")
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
  SERVER=$!
  wait_until 10 test -s "$BATS_TEST_TMPDIR/port"
  PORT=$(cat "$BATS_TEST_TMPDIR/port")
  echo '127.0.0.1 api.test' >"$DIR/hosts"
  chmod 644 "$DIR"/*
  printf '[egress]\nhosts_file = "%s/hosts"\nauthorities = "%s/authority.pem"\n' "$DIR" "$DIR" >fabric.toml
}

eval "helper_$(declare -f teardown)"
teardown() {
  [ -z "${SERVER:-}" ] || kill "$SERVER" 2>/dev/null || true
  rm -rf "${DIR:-}"
  helper_teardown
}

@test "the header is put in outside; the secret is nowhere inside, in no log and no state" {
  requires root namespaces curl python3 openssl
  serve
  echo SESAME-4711 >"$BATS_TEST_TMPDIR/key"
  fabric spawn a --egress "api.test:$PORT+private" --secret "key=file:$BATS_TEST_TMPDIR/key" \
    --inject "api=api.test:$PORT,secret=key" -- \
    sh -c 'curl -sS -m 10 http://api.inject/v1/x; echo; env; ls /run/secrets 2>/dev/null; grep -rs SESAME /work /etc /run /tmp /proc/1/environ /proc/self/environ && echo FOUND; echo end'
  output=$(fabric run a)
  expect_match "$output" '^/v1/x 18'
  grep -qx 'Bearer SESAME-4711' "$BATS_TEST_TMPDIR/port.seen"
  [[ $output != *SESAME* && $output != *FOUND* ]]
  ! grep -rq SESAME-4711 .fabric
}

@test "an injection whose secret cannot be had fails the spawn" {
  requires root namespaces openssl python3
  serve
  refused 1 'secret key' fabric spawn a --secret "key=file:$BATS_TEST_TMPDIR/absent" --inject "api=api.test,secret=key" -- true
  refused 2 'no secret other' fabric spawn a --inject "api=api.test,secret=other" -- true
}
