"""A platform of a test's own: data directory, root, issuing CAs, a running server on the loopback."""

import fcntl
import json
import os
import socket
import subprocess
import time
import urllib.request

from lib import TEGATA, Failure, require, run

START_SECONDS_MAX = 180


# Below the ports that the system hands out for outgoing connections: nobody takes one in between.
# Above 10080, which browsers take for dangerous.
PORTS = range(10_100, 32_000)


def free_port():
    """The next port that nobody listens on, and that no script which runs at the same time was given."""
    with open(os.environ["PORTS"], "r+") as given:
        fcntl.flock(given, fcntl.LOCK_EX)
        last = int(given.read() or PORTS.start + os.getpid() % len(PORTS))
        for step in range(1, len(PORTS)):
            port = PORTS[(last - PORTS.start + step) % len(PORTS)]
            if free(port):
                given.seek(0)
                given.write(str(port))
                return port
    raise Failure("no port is free")


def free(port):
    """For TCP and for UDP: CoAP has both."""
    for kind in [socket.SOCK_STREAM, socket.SOCK_DGRAM]:
        with socket.socket(type=kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def answers(port):
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Platform:
    """`maker` makes devices of the line `gate`, `owner` operates them."""

    MAKER, PRODUCT, OWNER = "maker", "gate", "owner"
    # Whether there is a door for people, and how many minutes their sessions may be idle.
    CONSOLE, IDLE_MINUTES = False, 60
    # Whether there is a door for messages.
    MQTT = False
    # Whether there is one for CoAP.
    COAP = False
    # What else the server is told.
    MORE = ()

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port, self.public_port = free_port(), free_port()
        self.console_port, self.mqtt_port, self.websocket_port = free_port(), free_port(), free_port()
        self.coap_port = free_port()
        self.console_url = f"http://localhost:{self.console_port}"
        self.url = f"https://localhost:{self.port}"
        self.public_url = f"http://127.0.0.1:{self.public_port}"
        self.dir = folder / "data"
        self.root = folder / "root"
        self.roots = self.root / "root.pem"
        self.admin = folder / "admin.pem"
        self.passphrase = folder / "root.passphrase"
        self.passphrase.write_text("only this test knows these words\n")
        self.server = None
        self.credentials = {None: self.admin}

    # ---- life of the server

    def __enter__(self):
        self.tegata(
            "init", "--dir", self.dir, "--root", self.root,
            "--root-passphrase-file", self.passphrase, "--admin", self.admin,
            "--name", "interop.example",
        )
        self.start()
        try:
            self.populate()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        log = open(self.folder / "server.log", "ab")
        self.server = subprocess.Popen(
            [
                TEGATA, "serve", "--dir", str(self.dir),
                "--listen", f"127.0.0.1:{self.port}",
                "--listen-public", f"127.0.0.1:{self.public_port}",
                "--public-url", self.public_url,
                "--console", f"127.0.0.1:{self.console_port}" if self.CONSOLE else "off",
                *(["--mqtt", f"127.0.0.1:{self.mqtt_port}",
                   "--mqtt-websocket", f"127.0.0.1:{self.websocket_port}",
                   "--mqtt-websocket-origin", "https://maps.example"] if self.MQTT else []),
                *(["--coap", f"127.0.0.1:{self.coap_port}"] if self.COAP else []),
                "--session-idle", str(self.IDLE_MINUTES), *self.MORE,
            ],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment(),
        )
        until = time.monotonic() + START_SECONDS_MAX
        while not (answers(self.port) and answers(self.public_port)):
            dead = self.server.poll() is not None
            if dead or time.monotonic() > until:
                self.stop()
                log = (self.folder / "server.log").read_text(errors="replace")
                raise Failure(f"the server {'ended' if dead else 'does not answer'}:\n{log}")
            time.sleep(0.05)

    def stop(self):
        if self.server and self.server.poll() is None:
            self.server.terminate()
            try:
                self.server.wait(30)
            except subprocess.TimeoutExpired:
                self.server.kill()
                self.server.wait()
        self.server = None

    def populate(self):
        for organisation, role in [(self.MAKER, "maker"), (self.OWNER, None)]:
            roles = ["--role", role] if role else []
            self.call("org", "create", organisation, "--name", organisation.title(), *roles)
            out = self.folder / f"{organisation}.pem"
            roles = ["--role", "administrator", "--role", "operator", "--role", "station"]
            self.call("org", "add-member", organisation, "--name", "test", *roles, "--out", out)
            self.credentials[organisation] = out
            self.call(
                "org", "add-signer", organisation, "--out", self.signer(organisation),
                by=organisation,
            )
            # Certificates of the devices that it owns (LDevID).
            self.issuing_ca(organisation)
        self.call(
            "product", "create", self.MAKER, self.PRODUCT, "--name", "Barrier gate",
            "--model", "BG-1", "--root-of-trust", "software", by=self.MAKER,
        )
        # Certificates of the devices that it makes (IDevID).
        self.issuing_ca(self.MAKER, self.PRODUCT)

    def signer(self, organisation):
        return self.folder / f"{organisation}.signer.pem"

    def issuing_ca(self, organisation, product=None):
        """Request at the server, signature by the root, certificate to the server."""
        request = self.folder / f"{organisation}-{product or 'owner'}.request"
        certificate = self.folder / f"{organisation}-{product or 'owner'}.pem"
        of_product = ["--product", product] if product else []
        self.tegata(
            "ca", "request", organisation, *of_product, "--name",
            f"{organisation} {product or 'owner'} CA", "--years", "0", "--out", request,
            by=organisation,
        )
        self.tegata(
            "ca", "sign", "--root", self.root, "--passphrase-file", self.passphrase,
            "--request", request, "--out", certificate, "--yes",
        )
        self.tegata("ca", "install", "--certificate", certificate, by=organisation)
        return certificate

    # ---- calls

    def environment(self, by=None):
        return {
            **os.environ,
            "TEGATA_SERVER": self.url,
            "TEGATA_CREDENTIAL": str(self.credentials[by]),
            "TEGATA_ROOTS": str(self.roots),
        }

    def tegata(self, *arguments, expect=0, by=None):
        """A command, as the platform's administrator or as a member of the organisation `by`."""
        environment = self.environment(by)
        return run(TEGATA, *arguments, expect=expect, env=environment, cwd=self.folder)

    def call(self, *arguments, by=None):
        """A command with `--json`; gives what it prints, read."""
        text = self.tegata("--json", *arguments, by=by).stdout.decode()
        try:
            return json.loads(text)
        except ValueError:
            # Lists print one object per line.
            return [json.loads(line) for line in text.splitlines()]

    def report(self, organisation, device, kind, *details):
        named = [word for detail in details for word in ["--detail", detail]]
        self.call(
            "event", "report", device, kind, *named, "--reporter", organisation,
            "--key", self.signer(organisation), by=organisation,
        )

    def register(self, serial_number):
        """A device on record whose history has begun: its maker assembled it."""
        arguments = ["device", "register", self.MAKER, self.PRODUCT, serial_number]
        device = self.call(*arguments, by=self.MAKER)["id"]
        self.report(self.MAKER, device, "assembled", f"product={self.PRODUCT}")
        return device

    def code(self, device, by=MAKER):
        """A one-time enrolment code, released by who owns the device."""
        return self.call("device", "code", device, by=by)["code"]

    def enrol(self, device, serial_number, out, by=MAKER):
        """An enrolment by our own client."""
        self.tegata(
            "device", "enrol", "--code", self.code(device, by), "--device", device,
            "--serial-number", serial_number, "--out", out,
        )

    def public(self, path):
        with urllib.request.urlopen(f"{self.public_url}/{path}", timeout=10) as answer:
            return answer.read()


def credential(folder, name, text):
    """Splits a credential into the two files that other software wants: certificates and key."""
    certificates, key = folder / f"{name}.crt", folder / f"{name}.key"
    blocks = text.split("-----END ")
    certificate_text, key_text = "", ""
    for block, after in zip(blocks, blocks[1:]):
        label = after.split("-----")[0]
        start = block.index("-----BEGIN ")
        pem = f"{block[start:]}-----END {label}-----\n"
        if "PRIVATE KEY" in label:
            key_text += pem
        else:
            certificate_text += pem
    require(certificate_text and key_text, "the credential lacks a certificate or a key")
    certificates.write_text(certificate_text)
    key.touch(mode=0o600)
    key.write_text(key_text)
    return certificates, key
