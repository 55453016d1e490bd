"""Security events at receivers that others wrote: rsyslog and syslog-ng over TLS (RFC 5425), an HTTPS
collector that acknowledges. Each is killed under load; what is lost is found."""

import http.client
import http.server
import json
import os
import shutil
import signal
import ssl
import subprocess
import threading
import time

from lib import OUT, Failure, case, finish, require, run
from tegata import Platform, answers, free_port

WAIT_S = 120


def until(what, true, seconds=WAIT_S):
    end = time.monotonic() + seconds
    while True:
        found = true()
        if found:
            return found
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {seconds} s")
        time.sleep(0.2)


def certificates(folder):
    """A CA of the receivers' own, with RSA as many have it, and a certificate for the loopback."""
    folder.mkdir(parents=True, exist_ok=True)
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "ca.key",
        "-out", folder / "ca.pem", "-days", "30", "-subj", "/CN=SIEM CA",
        "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
    run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "siem.key",
        "-out", folder / "siem.csr", "-subj", "/CN=localhost")
    extensions = folder / "extensions"
    extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
    run("openssl", "x509", "-req", "-in", folder / "siem.csr", "-CA", folder / "ca.pem",
        "-CAkey", folder / "ca.key", "-CAcreateserial", "-out", folder / "siem.pem",
        "-days", "30", "-extfile", extensions)
    return folder


class Receiver:
    """A program that is started, killed and started again."""

    def __init__(self, name, port, command, out, environment=None):
        self.name, self.port, self.command, self.out = name, port, command, out
        self.environment = {**os.environ, **(environment or {})}
        self.process = None

    def start(self):
        log = open(OUT / f"{self.name}.log", "ab")
        self.process = subprocess.Popen(
            [str(word) for word in self.command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env=self.environment,
        )

        def up():
            if self.process.poll() is not None:
                text = (OUT / f"{self.name}.log").read_text(errors="replace")
                raise Failure(f"{self.name} ended with {self.process.returncode}:\n{text[-2000:]}")
            return answers(self.port)

        until(f"{self.name} listens", up, 60)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()

    def events(self, stream):
        """Objects of the stream in what the receiver wrote, by number."""
        found = {}
        if self.out.exists():
            for line in self.out.read_bytes().splitlines():
                at = line.find(b'{"')
                try:
                    event = json.loads(line[at:])
                    place = event["unmapped"]["tegata_stream"]
                except (ValueError, KeyError):
                    continue
                if place["name"] == stream:
                    found[place["number"]] = event
        return found


def rsyslog(folder, platform_roots, keys):
    """Wants a certificate of the platform, as its administrator set it up."""
    port, out = free_port(), folder / "rsyslog.out"
    configuration = folder / "rsyslog.conf"
    configuration.write_text(f"""
global(workDirectory="{folder}" maxMessageSize="64k"
  DefaultNetstreamDriver="ossl"
  DefaultNetstreamDriverCAFile="{platform_roots}"
  DefaultNetstreamDriverCertFile="{keys / 'siem.pem'}"
  DefaultNetstreamDriverKeyFile="{keys / 'siem.key'}")
module(load="imtcp" StreamDriver.Name="ossl" StreamDriver.Mode="1"
  StreamDriver.AuthMode="x509/certvalid")
template(name="whole" type="string" string="%PRI% %TIMESTAMP:::date-rfc3339% %HOSTNAME% %APP-NAME% %MSGID% %STRUCTURED-DATA% %msg%\\n")
input(type="imtcp" port="{port}" address="127.0.0.1" ruleset="take")
ruleset(name="take") {{ action(type="omfile" file="{out}" template="whole" asyncWriting="off" flushOnTXEnd="on") }}
""")
    pid = folder / "rsyslog.pid"
    command = ["rsyslogd", "-n", "-f", configuration, "-i", pid]
    receiver = Receiver("rsyslog", port, command, out)
    kill = receiver.kill

    def killed():
        kill()
        # It will not start again while the file of its dead process stands there.
        pid.unlink(missing_ok=True)

    receiver.kill = killed
    return receiver


def syslog_ng(folder, platform_roots, keys):
    """Debian does not let it stand beside rsyslog, so it is only unpacked, with its libraries."""
    tree = folder / "syslog-ng"
    tree.mkdir(parents=True)
    depends = ["apt-cache", "depends", "--no-recommends", "--no-suggests", "syslog-ng-core"]
    if run(*depends, expect=None).returncode != 0:
        run("apt-get", "-q", "update")
    words = [line.split() for line in run(*depends).stdout.decode().splitlines()]
    libraries = [line[1] for line in words if len(line) == 2 and line[0] == "Depends:"
                 and line[1].startswith("lib") and line[1] != "libc6"]
    run("apt-get", "-q", "download", "syslog-ng-core", *libraries, cwd=tree)
    for package in tree.glob("*.deb"):
        run("dpkg", "-x", package, tree)
    own = tree / "usr/lib/syslog-ng"
    folders = [own, *tree.glob("usr/lib/*-linux-gnu"), *tree.glob("lib/*-linux-gnu")]
    modules = next(path for path in own.iterdir() if path.is_dir())
    port, out = free_port(), folder / "syslog-ng.out"
    configuration = folder / "syslog-ng.conf"
    version = modules.name
    configuration.write_text(f"""@version: {version}
options {{ keep-hostname(yes); log-msg-size(65536); flush-lines(1); }};
source framed {{ syslog(ip("127.0.0.1") port({port}) transport("tls")
  tls(key-file("{keys / 'siem.key'}") cert-file("{keys / 'siem.pem'}")
      ca-file("{platform_roots}") peer-verify(required-trusted))); }};
destination lines {{ file("{out}" template("$PRI $ISODATE $HOST $PROGRAM $MSGID $SDATA $MSG\\n")); }};
log {{ source(framed); destination(lines); }};
""")
    command = [
        tree / "usr/sbin/syslog-ng", "-F", "--no-caps", "-f", configuration,
        f"--module-path={modules}", "-R", folder / "syslog-ng.persist",
        "-p", folder / "syslog-ng.pid", "-c", folder / "syslog-ng.ctl",
    ]
    environment = {"LD_LIBRARY_PATH": ":".join(str(folder) for folder in folders)}
    return Receiver("syslog-ng", port, command, out, environment)


class Collector:
    """An HTTPS collector that writes what it takes to a file before it answers, and sometimes refuses,
    breaks off or finds a body too large."""

    def __init__(self, folder, keys):
        self.port, self.out, self.keys = free_port(), folder / "collector.out", keys
        self.trouble, self.seen, self.bodies = [], 0, []
        self.server = None

    def start(self):
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.seen += 1
                require(self.headers["Authorization"] == "Bearer for the collector", "authorization")
                require(self.headers["Content-Type"] == "application/x-ndjson", "media type")
                trouble = collector.trouble.pop(0) if collector.trouble else 200
                if trouble == "break":
                    self.connection.shutdown(2)
                    return
                if trouble == "lost answer":
                    collector.take(body)
                    self.connection.shutdown(2)
                    return
                if trouble == 200:
                    collector.take(body)
                self.send_response(trouble)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.keys / "siem.pem", self.keys / "siem.key")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        # Connections that this test itself breaks off.
        self.server.handle_error = lambda *_: None
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, body):
        self.bodies.append(len(body.splitlines()))
        with open(self.out, "ab") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None


class Load:
    """Changes of a setting, each of which is a security event."""

    def __init__(self, platform):
        self.platform, self.done, self.count = platform, threading.Event(), 0
        self.threads = [threading.Thread(target=self.work, daemon=True) for _ in range(2)]

    def work(self):
        context = ssl.create_default_context(cafile=self.platform.roots)
        context.load_cert_chain(self.platform.credentials[self.platform.MAKER])
        path = f"/v1/organisations/{self.platform.MAKER}/update-door"
        while not self.done.is_set():
            try:
                connection = http.client.HTTPSConnection(
                    "localhost", self.platform.port, context=context, timeout=20)
                while not self.done.is_set():
                    self.count += 1
                    door = {"tokens": False, "closed_confirms": False, "poll_s": 10 + self.count % 900}
                    connection.request("PUT", path, json.dumps(door),
                                       {"Content-Type": "application/json"})
                    answer = connection.getresponse()
                    answer.read()
                    if answer.status != 204:
                        time.sleep(0.05)
                connection.close()
            except OSError:
                time.sleep(0.1)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        for thread in self.threads:
            thread.join()


def stream(platform, name):
    return platform.call("audit", "stream", "show", name)


def drained(platform, name):
    """Everything that was recorded so far is delivered."""
    goal = stream(platform, name)
    goal = goal["number"] + goal["behind"]
    until(f"{name} has delivered {goal}", lambda: stream(platform, name)["number"] >= goal)


def reconcile(platform, name, *files, expect=0):
    answer = platform.tegata("--json", "audit", "reconcile", "--stream", name, *files, expect=expect)
    return json.loads(answer.stdout.decode())


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    keys = certificates(OUT / "keys")
    with Platform(OUT / "platform") as platform:
        receivers = []
        try:
            tests(platform, keys, receivers)
        finally:
            for receiver in receivers:
                receiver.stop()
    finish()


def tests(platform, keys, receivers):
    collector = Collector(OUT, keys)
    secret = OUT / "authorization"
    secret.write_text("Bearer for the collector\n")

    def begin(name, to, *more, expect=0):
        return platform.tegata("--json", "audit", "stream", "begin", name, "--to", to, *more,
                               expect=expect)

    for make in [rsyslog, syslog_ng]:
        receiver = make(OUT, platform.roots, keys)
        receivers.append(receiver)
        name = receiver.name

        with case(f"{name}: security events arrive as they happen, from the first one on"):
            receiver.start()
            begin(name, f"syslog-tls://localhost:{receiver.port}", "--receiver-ca", keys / "ca.pem",
                  "--from-beginning")
            until(f"{name} has events", lambda: receiver.events(name), 60)
            drained(platform, name)

            def codes():
                return sum(event["metadata"]["event_code"] == "credential-change"
                           for event in receiver.events(name).values())

            before = codes()
            platform.code(platform.register(f"SN-{name}"))
            until(f"{name} has the newest event", lambda: codes() > before, 30)
            drained(platform, name)
            numbers = sorted(until("every event", lambda: receiver.events(name)))
            require(numbers == list(range(1, len(numbers) + 1)), f"{numbers[:20]} …")
            line = receiver.out.read_text().splitlines()[0]
            require("tegata@32473" in line and "interop.example" in line, line)

        with case(f"{name}: what it has is what was sent"):
            drained(platform, name)
            until("all of it is written",
                  lambda: len(receiver.events(name)) >= stream(platform, name)["number"], 30)
            found = reconcile(platform, name, receiver.out)
            require(found["whole"] and found["expected"] > 20, found)

        with case(f"{name}: killed and started again under load, every loss is found"):
            before = stream(platform, name)["number"]
            with Load(platform):
                for _ in range(3):
                    time.sleep(1.5)
                    receiver.kill()
                    time.sleep(1)
                    receiver.start()
                time.sleep(2)
            drained(platform, name)
            number = stream(platform, name)["number"]
            time.sleep(2)
            have = receiver.events(name)
            found = reconcile(platform, name, receiver.out, expect=None)
            missing = {n for a, b in found["missing"] for n in range(a, b + 1)}
            require(missing == set(range(1, number + 1)) - set(have), (missing, number, len(have)))
            require(not found["altered"] and not found["foreign"], found)
            require(number - before > 100, f"{number - before} events under load")
            print(f"# {name}: {number} events, {len(missing)} lost, {found['repeated']} again")
            failures = [json.dumps(e) for e in have.values()
                        if e["metadata"]["event_code"] == "delivery"]
            require(failures, "the failure is a security event of its own")

        with case(f"{name}: an event that is changed or removed at the receiver is found"):
            lines = receiver.out.read_text().splitlines()
            at = next(n for n, line in enumerate(lines) if '"number":7,' in line)
            changed = OUT / f"{name}.changed"
            changed.write_text("\n".join(
                line.replace('"outcome":"', '"outcome":"un') if n == at else line
                for n, line in enumerate(lines) if '"number":9,' not in line) + "\n")
            found = reconcile(platform, name, changed, expect=1)
            require(7 in found["altered"], found["altered"])
            require(any(a <= 9 <= b for a, b in found["missing"]), found["missing"])

    with case("a receiver under another CA gets nothing, and it is said why"):
        begin("stranger", f"syslog-tls://localhost:{receivers[0].port}", "--receiver-ca", platform.roots)
        failed = until("it fails", lambda: stream(platform, "stranger").get("failure"), 30)
        require("certificate" in failed.lower(), failed)
        require(stream(platform, "stranger")["number"] == 0, "nothing was sent")
        platform.tegata("audit", "stream", "end", "stranger")
        platform.tegata("audit", "stream", "show", "stranger", expect=1)

    with case("an HTTPS collector that refuses, breaks off and answers nothing loses nothing"):
        collector.trouble = [503, 413, "break", "lost answer", 200, 500, 413, "lost answer"]
        collector.start()
        begin("collector", f"https://localhost:{collector.port}/events?source=tegata", "--receiver-ca",
              keys / "ca.pem", "--authorization", secret, "--from-beginning")
        with Load(platform):
            until("every trouble has come", lambda: not collector.trouble, 60)
        drained(platform, "collector")
        found = reconcile(platform, "collector", collector.out)
        require(found["whole"] and found["repeated"] > 0, found)
        shown = platform.tegata("audit", "stream", "show", "collector").stdout.decode()
        require("for the collector" not in shown, "the secret is not shown")

    with case("neither a stopped collector nor SIGKILL of the platform under load loses anything"):
        with Load(platform):
            collector.stop()
            time.sleep(2)
            platform.server.send_signal(signal.SIGKILL)
            platform.server.wait()
            platform.start()
            collector.start()
            time.sleep(2)
            platform.server.send_signal(signal.SIGKILL)
            platform.server.wait()
            platform.start()
            time.sleep(1)
        drained(platform, "collector")
        found = reconcile(platform, "collector", collector.out)
        require(found["whole"], {k: found[k] for k in ("expected", "received", "missing")})
        verified = platform.tegata("audit", "verify").stdout.decode()
        require("chain whole" in verified, verified)

    with case("a stream of one organisation holds its events only, numbered without gaps"):
        begin("maker-only", "file", "--organisation", platform.MAKER, "--from-beginning")
        drained(platform, "maker-only")
        file = platform.dir / "streams/maker-only.jsonl"
        events = [json.loads(line) for line in file.read_text().splitlines()]
        require({e["metadata"]["tenant_uid"] for e in events} == {platform.MAKER}, "others' events")
        numbers = [e["unmapped"]["tegata_stream"]["number"] for e in events]
        require(numbers == list(range(1, len(numbers) + 1)), numbers[:20])
        require(reconcile(platform, "maker-only", file)["whole"], "whole")
        require(oct(file.stat().st_mode & 0o777) == "0o600", oct(file.stat().st_mode))

    with case("a stream that is paused goes on from where it stood"):
        platform.tegata("audit", "stream", "pause", "maker-only")
        # Streams are looked at once a second; what is under way may still arrive.
        time.sleep(5)
        before = stream(platform, "maker-only")["number"]
        platform.code(platform.register("SN-paused"))
        time.sleep(1.5)
        waits = stream(platform, "maker-only")
        require(waits["number"] == before and waits["behind"] > 0 and waits["paused"], waits)
        platform.tegata("audit", "stream", "resume", "maker-only")
        drained(platform, "maker-only")
        file = platform.dir / "streams/maker-only.jsonl"
        require(reconcile(platform, "maker-only", file)["whole"], "whole")

    with case("wrong streams are refused with a hint, and members of other organisations see none"):
        for to, more, words in [
            ("http://localhost/", [], "syslog-tls://"),
            ("syslog-tls://localhost", [], "CA"),
            ("https://localhost/", ["--receiver-ca", keys / "siem.key"], "certificate"),
            ("file", ["--organisation", "nobody"], "not"),
        ]:
            refused = begin("wrong", to, *more, expect=1).stderr.decode()
            require(words in refused, refused)
        refused = begin("collector", "file", expect=1).stderr.decode()
        require("stream-exists" in refused or "of this name" in refused, refused)
        for words in [["stream", "list"], ["stream", "show", "collector"],
                      ["stream", "end", "collector"],
                      ["reconcile", "--stream", "collector", collector.out]]:
            platform.tegata("audit", *words, expect=1, by=platform.MAKER)

    collector.stop()


if __name__ == "__main__":
    main()
