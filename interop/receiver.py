"""What receivers outside need: certificates of their own, and patience."""

import http.server
import socket
import ssl
import threading
import time

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from lib import Failure, run
from tegata import free_port

WAIT_S = 90


def until(what, true, seconds=WAIT_S):
    end = time.monotonic() + seconds
    while True:
        found = true()
        if found:
            return found
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {seconds} s")
        time.sleep(0.1)


def certificates(folder):
    folder.mkdir(parents=True, exist_ok=True)
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "ca.key",
        "-out", folder / "ca.pem", "-days", "30", "-subj", "/CN=Hooks CA",
        "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
    run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "hook.key",
        "-out", folder / "hook.csr", "-subj", "/CN=localhost")
    extensions = folder / "extensions"
    extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
    run("openssl", "x509", "-req", "-in", folder / "hook.csr", "-CA", folder / "ca.pem",
        "-CAkey", folder / "ca.key", "-CAcreateserial", "-out", folder / "hook.pem",
        "-days", "30", "-extfile", extensions)
    return folder


class Hook:
    """A receiver of web hooks over TLS that answers as it is told."""

    def __init__(self, keys):
        self.port, self.keys = free_port(), keys
        self.answers, self.secret = {}, None
        self.requests, self.taken, self.server, self.connections = [], [], None, []

    def start(self):
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, headers = hook.judge(self.path, self.headers, body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def setup(self):
                super().setup()
                hook.connections.append(self.connection)

            def log_message(self, *_):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.keys / "hook.pem", self.keys / "hook.key")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            for connection in self.connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self.server, self.connections = None, []

    def judge(self, path, headers, body):
        told = {name.lower(): value for name, value in headers.items()}
        try:
            message = Webhook(self.secret).verify(body, told)
        except WebhookVerificationError:
            self.requests.append((path, told, body, "bad signature"))
            return 401, {}
        status, extra = self.answers.get(message.get("topic"), lambda: (204, {}))()
        self.requests.append((path, told, body, status))
        if 200 <= status < 300:
            self.taken.append((told["webhook-id"], message))
        return status, extra

    def payloads(self, device, topic=None):
        """What was taken of a device, in order; what came again counts once."""
        seen, found = set(), []
        for delivery, message in list(self.taken):
            if message["device"] == device.id and delivery not in seen and topic in (None, message["topic"]):
                seen.add(delivery)
                found.append(message["payload"])
        return found
