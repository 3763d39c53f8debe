# SPDX-License-Identifier: Apache-2.0
# The host that a secret is injected for (secrets_inject.c): inject_server.py LAB. Over TLS on port
# 8443, which the egress process connects to, and in the clear on 8088, where the probes ask it
# outside. It hands back what it is told to, and writes into LAB/hits when a request is not as the
# egress process must make it.
import http.server, socketserver, ssl, sys, threading

lab = sys.argv[1]
token = open(lab + "/token").read().strip()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def note(self, what):
        with open(lab + "/hits", "a") as hits:
            hits.write("%s reached the host of the secret: %s\n" % (self.path.rsplit("/", 1)[-1], what))

    def do_GET(self):
        keys = [v for k, v in self.headers.items() if k.strip().lower() == "authorization"]
        if keys != ["Bearer " + token]:
            self.note("%d keys, or another one" % len(keys))
        if self.headers.get_all("Host") != [self.server.expected]:
            self.note("another Host")
        key = (keys or [""])[0]
        self.send_response(302 if "/redirect/" in self.path else 200)
        if "/redirect/" in self.path:
            self.send_header("Location", "http://other.attacked.test/" + self.path.rsplit("/", 1)[-1])
        if "/header/" in self.path:
            self.send_header("X-Key", key)
        if "/split/" in self.path:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for i in range(0, len(key), 5):
                part = key[i : i + 5].encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
            return
        body = str(self.headers).encode() if "/echo/" in self.path else b"nothing"
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def serve(port, expected, context=None):
    # Not HTTPServer: that asks DNS for its own name.
    server = socketserver.ThreadingTCPServer(("0.0.0.0", port), Handler)
    server.expected = expected
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever).start()


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(lab + "/authority.pem", lab + "/authority.key")
serve(8443, "api.attacked.test:8443", context)
serve(8088, "api.attacked.test:8443")
open(lab + "/injecting", "w").close()
