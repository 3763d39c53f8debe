# Programs as people use them, each in a sandbox with nothing special about it: rules for the hosts
# that it talks to, and the source tree that it builds.
load helper

box() { timeout 240 "$FABRIC" sandbox run "$@"; }

# What ./dev does not install is tested where it is installed, and else said to be left out.
left_out() { echo "# left out: $*" >&3; }

eval "helper_$(declare -f teardown)"
teardown() {
  [ -z "${SERVER:-}" ] || kill "$SERVER" 2>/dev/null || true
  [ -z "${POSTGRES:-}" ] || as_postgres "$POSTGRES/pg_ctl" -D "$DIR/data" -m immediate stop >/dev/null || true
  rm -rf "${DIR:-}"
  helper_teardown
}

# Readable by the account of the egress process, which the test's directory is not.
names() { # NAME...
  DIR=$(mktemp -d /tmp/fabric-programs-XXXXXX)
  chmod 755 "$DIR"
  echo "127.0.0.1 $*" >"$DIR/hosts"
  chmod 644 "$DIR/hosts"
}

# The rule for a server: NAME, or what sandbox run says that it lacks.
rule_for() { # URL
  local rule said
  rule=$(sed -E 's#^https?://([^/]+).*#\1#' <<<"$1")
  said=$(box --work none --egress "$rule" -- curl -s -m 30 -o /dev/null "$1" 2>&1)
  sed -n "s/.*to allow it: --egress '\(.*\)'.*/\1/p" <<<"$said" | grep . || echo "$rule"
}

@test "curl: https with the machine's certificates" {
  requires root namespaces curl
  url=$(npm config get registry 2>/dev/null || echo https://registry.npmjs.org/)
  [[ $url == https:* ]] || { left_out "$url is not https"; return 0; }
  curl -sf -m 30 -o /dev/null "$url" || { left_out "$url does not answer"; return 0; }
  run --separate-stderr box --work none --egress "$(rule_for "$url")" -- curl -sS -m 60 -o /dev/null -w '%{http_code} %{ssl_verify_result}' "$url"
  expect_equal "$output$stderr" '200 0'
}

# git over HTTP, with its own server side.
serve_git() {
  names git.test
  git init -q --bare "$DIR/r.git"
  git -C "$DIR/r.git" config http.receivepack true
  git init -q "$DIR/first"
  echo content >"$DIR/first/file"
  git -C "$DIR/first" add file
  git -C "$DIR/first" -c user.name=t -c user.email=t@test commit -qm first
  git -C "$DIR/first" push -q "$DIR/r.git" HEAD:master
  python3 - "$DIR" "$BATS_TEST_TMPDIR/port" 3>&- <<'PYTHON' 2>/dev/null &
import http.server, os, subprocess, sys
root, port = sys.argv[1:3]
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self):
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        env = {"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": root, "GIT_HTTP_EXPORT_ALL": "1",
               "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command,
               "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
               "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
               "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "REMOTE_USER": "t",
               "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
        out = subprocess.run(["git", "http-backend"], input=body, env=env, stdout=subprocess.PIPE).stdout
        head, _, rest = out.partition(b"\r\n\r\n")
        fields = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        self.send_response(int(dict(fields).get("Status", "200").split()[0]))
        for name, value in fields:
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest)
    do_GET = do_POST = answer
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
open(port + ".new", "w").write(str(server.server_port))
os.rename(port + ".new", port)
server.serve_forever()
PYTHON
  SERVER=$!
  wait_until 10 test -s "$BATS_TEST_TMPDIR/port"
  PORT=$(cat "$BATS_TEST_TMPDIR/port")
}

@test "git: an agent clones, commits and pushes, directly and over the proxy" {
  requires root namespaces git python3
  serve_git
  printf '[egress]\nhosts_file = "%s/hosts"\n' "$DIR" >fabric.toml
  fabric spawn a --egress "git.test:$PORT+private" -- sh -ec "
    git clone -q http://git.test:$PORT/r.git direct
    git -c http.proxy=http://127.0.0.1:3128 clone -q http://git.test:$PORT/r.git proxied
    cat direct/file proxied/file
    cd direct
    echo more >>file
    git -c user.name=a -c user.email=a@test commit -qam second
    git push -q origin HEAD:master
    git log --format=%s"
  expect_equal "$(fabric run a)" $'content\ncontent\nsecond\nfirst'
  expect_equal "$(git -C "$DIR/r.git" log --format=%s master)" $'second\nfirst'
}

@test "npm: installs from the registry that this machine is configured for" {
  requires root namespaces curl
  command -v npm >/dev/null || { left_out "npm is not installed"; return 0; }
  registry=$(npm config get registry)
  curl -sf -m 30 -o /dev/null "${registry%/}/is-number" || { left_out "$registry does not answer"; return 0; }
  mkdir p
  cd p
  echo "registry=$registry" >.npmrc # as a project has it; the user's own is not inside
  run --separate-stderr box --egress "$(rule_for "$registry")" -- sh -c 'npm install --no-fund --no-audit is-number >&2 && node -p "require(\"is-number\")(42)"'
  expect_equal "$output" true
  expect_status 0
}

@test "apt-get: downloads a package from the sources of this machine" {
  requires root namespaces apt-get curl
  compgen -G '/var/lib/apt/lists/*Packages*' >/dev/null || apt-get update -q >/dev/null 2>&1 ||
    { left_out "apt-get update does not work here"; return 0; }
  url=$(apt-get download --print-uris hello | cut -d"'" -f2)
  [ -n "$url" ] || { left_out "the sources of this machine have no package hello"; return 0; }
  curl -sf -m 30 -o /dev/null "$url" || { left_out "$url does not answer"; return 0; }
  mkdir p
  cd p
  run --separate-stderr box --egress "$(rule_for "$url")" -- sh -c 'apt-get -q download hello >&2 && dpkg-deb -f hello_*.deb Package'
  expect_equal "$output" hello
}

@test "apt-get: what could hold a password is not inside" {
  requires root namespaces
  [ -d /etc/apt ] || { left_out "no apt here"; return 0; }
  run box --work none --egress x.test -- ls -A /etc/apt /etc/apt/auth.conf.d
  [[ $output != *auth.conf* ]] || [[ $output == *"cannot access"* ]]
  run box --work none -- ls /etc/apt
  expect_match "$output" 'cannot access'
}

@test "python: threads, processes, a pseudo-terminal, a server on the loopback" {
  requires root namespaces python3
  run --separate-stderr box --work none -- python3 -c '
import concurrent.futures, http.server, multiprocessing, os, pty, ssl, subprocess, tempfile, threading, urllib.request
with concurrent.futures.ThreadPoolExecutor(50) as pool:
    print(sum(pool.map(lambda n: n * n, range(1000))))
with multiprocessing.Pool(4) as pool:
    print(sum(pool.map(abs, range(100))))
server = http.server.ThreadingHTTPServer(("", 8000), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(urllib.request.urlopen("http://localhost:8000/").status)
master, slave = pty.openpty()
print(os.ttyname(slave).startswith("/dev/pts/"), os.path.expanduser("~"))
with tempfile.NamedTemporaryFile("w+") as file:
    subprocess.run(["sh", "-c", "echo from a child >/dev/stdout"], stdout=file)
    print(open(file.name).read().strip())
print(len(ssl.create_default_context().get_ca_certs()) > 0, open("/dev/fd/0") is not None)
' </dev/null
  expect_equal "$output" $'332833500\n4950\n200\nTrue /work\nfrom a child\nTrue True'
}

@test "node: workers, children, files, a server on the loopback" {
  requires root namespaces
  command -v node >/dev/null || { left_out "node is not installed"; return 0; }
  run --separate-stderr box --work none -- node -e '
const { Worker } = require("worker_threads"), fs = require("fs/promises"), http = require("http");
const { execFileSync } = require("child_process");
(async () => {
  const worker = new Worker("require(\"worker_threads\").parentPort.postMessage(6 * 7)", { eval: true });
  console.log(await new Promise((done) => worker.once("message", done)));
  await fs.writeFile("file", "text");
  console.log(await fs.readFile("file", "utf8"), execFileSync("echo", ["child"]).toString().trim());
  const server = http.createServer((request, answer) => answer.end("served")).listen(0, async () => {
    console.log(await (await fetch(`http://localhost:${server.address().port}/`)).text());
    server.close();
  });
})();'
  expect_equal "$output" $'42\ntext child\nserved'
}

@test "gcc: this project's init builds from a copy of the tree" {
  requires root namespaces cmake ninja g++ musl-gcc
  source=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
  mkdir tree
  (cd "$source" && tar -c --exclude=./build --exclude=./.git .) | tar -x -C tree
  run --separate-stderr box --rw "$PWD/tree" -- sh -ec "
    cd '$PWD/tree'
    cmake --preset release >configure.log
    ninja -C build/release fabric-init
    file -b build/release/cmd/fabric-init/fabric-init"
  expect_status 0
  expect_match "${lines[-1]}" 'static'
  expect_equal "$(stat -c %u tree/build/release/cmd/fabric-init/fabric-init)" "$(id -u)"
}

@test "a JVM keeps within the memory limit: garbage is collected, not killed" {
  requires root namespaces cgroups
  command -v javac >/dev/null || { left_out "no JDK is installed"; return 0; }
  cat >Garbage.java <<'JAVA'
public class Garbage {
  public static void main(String[] arguments) throws Exception {
    Thread[] threads = new Thread[8];
    for (int i = 0; i < threads.length; ++i) (threads[i] = new Thread(() -> Thread.yield())).start();
    for (Thread thread : threads) thread.join();
    byte[][] kept = new byte[64][];
    for (int i = 0; i < 12000; ++i) kept[i % 64] = new byte[1 << 18];
    System.out.println("alive, heap below 256M: " + (Runtime.getRuntime().maxMemory() < 256L << 20));
  }
}
JAVA
  javac Garbage.java
  run --separate-stderr box --work "$PWD" -- java Garbage
  expect_equal "$output" "alive, heap below 256M: true"
  # It is that which keeps it alive.
  run ! box --work "$PWD" --env JAVA_TOOL_OPTIONS= -- java Garbage
}

as_postgres() { (cd / && setpriv --reuid postgres --regid postgres --clear-groups "$@"); }

@test "psql: to a listed host and no other" {
  requires root namespaces python3 setpriv
  server=$(find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort | tail -1)
  [ -n "$server" ] && command -v psql >/dev/null && id postgres >/dev/null 2>&1 ||
    { left_out "PostgreSQL is not installed"; return 0; }
  names db.test other.test
  chown postgres "$DIR"
  as_postgres "${server%/*}/initdb" -D "$DIR/data" -A trust -U agent --no-sync >/dev/null
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  as_postgres "${server%/*}/pg_ctl" -D "$DIR/data" -o "-h 127.0.0.1 -p $port -k $DIR -F" -l "$DIR/log" -w start >/dev/null 3>&-
  POSTGRES=${server%/*}
  ask='psql -U agent -d postgres -Atc "select 6 * 7"'
  run --separate-stderr box --work none --hosts "$DIR/hosts" --egress "db.test:$port+private" -- sh -c "$ask -p $port -h db.test; $ask -p $port -h other.test || echo refused"
  expect_equal "$output" $'42\nrefused'
  expect_match "$stderr" "refused: name other.test"
}

@test "scripts: standard input and output are opened by the names of /dev, and for no more" {
  requires root namespaces
  fabric spawn a -- sh -c 'echo out >/dev/stdout; echo err >/dev/stderr; cat /dev/stdin'
  expect_equal "$(fabric run a 2>/dev/null)" $'out\n{}'
  script='cat /dev/stdin; echo out >>/dev/stdout; echo err >>/dev/stderr'
  # Pipes, then files of the host.
  run bash -c 'echo in | "$1" sandbox run --work none -- sh -c "$2" 2>&1 | cat' sh "$FABRIC" "$script"
  expect_equal "$output" $'in\nout\nerr'
  echo in >i
  touch o e
  chmod 666 i o e
  box --work none -- sh -c "$script" <i >o 2>e
  expect_equal "$(cat o)|$(cat e)" $'in\nout|err'
  # Open for reading is not open for writing, though everybody may; outside it is enough.
  sh -c 'echo over >/proc/self/fd/0' <i
  expect_equal "$(cat i)" over
  run --separate-stderr bash -c '"$1" sandbox run --work none -- sh -c "echo again >/proc/self/fd/0" <i' sh "$FABRIC"
  [ "$status" -ne 0 ]
  expect_equal "$(cat i)" over
  # What lies beneath a directory that was given as standard input stays where it is.
  mkdir d
  echo hidden >d/f
  run box --work none -- sh -c 'cat /proc/self/fd/0/f' <d
  [[ $output != *hidden* ]]
}

@test "a terminal is opened by the names of /dev" {
  requires root namespaces script
  run script -qec "'$FABRIC' sandbox run --work none -- sh -c 'echo out >/dev/stdout; echo err >/dev/stderr; echo tty >/dev/tty'" /dev/null </dev/null
  expect_equal "${output//$'\r'/}" $'out\nerr\ntty'
}
