# SPDX-License-Identifier: MIT
"""A reverse proxy that serves a daemon below a prefix, as operators do."""

import http.client
import http.server
import threading

PREFIX = "/some/prefix/"
HOP_BY_HOP = ("connection", "keep-alive", "transfer-encoding")


class Proxy(http.server.ThreadingHTTPServer):
    """Listens at once; serves when it knows the daemon's port. `asked`: the paths of the requests."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Forward)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.asked = []

    def serve(self, daemon):
        self.to = daemon
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()


class Forward(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def forward(self):
        self.server.asked.append(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self.path.startswith(PREFIX):
            self.send_error(404)
            return
        daemon = http.client.HTTPConnection("127.0.0.1", self.server.to.port, timeout=30)
        daemon.request(self.command, self.path[len(PREFIX) - 1:], body or None,
                       {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP})
        answer = daemon.getresponse()
        payload = answer.read()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in (*HOP_BY_HOP, "content-length"):
                self.send_header(name, value)
        if answer.status != 304:
            self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)
        daemon.close()

    do_GET = do_POST = do_PUT = do_DELETE = forward

    def log_message(self, *args):
        pass
