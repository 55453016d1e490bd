"""Trust between devices (docs/device-to-device.md): two devices of different makers authenticate each other and
decide while the platform is away; openssl and Python's ssl speak to one; faketime sets its clock."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import time

import cbor2
from zcbor import CddlValidationError, DataTranslator

from lib import OUT, ROOT, TEGATA, case, finish, require, run
from tegata import Platform, credential, free_port

AGENT = pathlib.Path(TEGATA).with_name("tegata-agent")
POLICIES = """
@id("gates-open")
permit(principal in Product::"maker/gate", action == Action::"peer", resource in Product::"smith/lock")
when { context.operation == "open" };
@id("neighbours-greet")
permit(principal in Organisation::"neighbour", action == Action::"peer-foreign", resource)
when { context.operation == "greet" };
@id("owner-secret-of-doors")
permit(principal, action == Action::"receive", resource) when { resource.path == "up/secret-of-the-owner" };
"""
CASES = """
organisation: owner
devices:
  gate: { product: maker/gate }
  lock: { product: smith/lock }
  guest: { owner: neighbour }
cases:
  - { name: opens, by: gate, does: peer, device: lock, operation: open, expect: allowed, because: [gates-open] }
  - { name: not back, by: lock, does: peer, device: gate, operation: open, expect: refused }
  - { name: greets, by: guest, does: peer, device: lock, operation: greet, expect: allowed }
  - { name: no more, by: guest, does: peer, device: lock, operation: open, expect: refused }
"""
CONFIG = """
server = "{url}"
roots = "{roots}"
state = "{folder}/state"
hardware_id = "any"
[identity]
serial_number = "{serial}"
device = "{device}"
sealing_key = "{folder}/sealing.key"
[device_log]
[peer]
"""


class Neighbours(Platform):
    """Beside maker and owner: another maker, and another owner."""

    def populate(self):
        super().populate()
        for name, roles in [("smith", ["--role", "maker"]), ("neighbour", [])]:
            self.call("org", "create", name, "--name", name.title(), *roles)
            out = self.folder / f"{name}.pem"
            roles = ["--role", "administrator", "--role", "operator", "--role", "station"]
            self.call("org", "add-member", name, "--name", "test", *roles, "--out", out)
            self.credentials[name] = out
            self.call("org", "add-signer", name, "--out", self.signer(name), by=name)
            self.issuing_ca(name)
        self.call("product", "create", "smith", "lock", "--name", "Lock", "--model", "L-1",
                  "--root-of-trust", "software", by="smith")
        self.issuing_ca("smith", "lock")

    def made(self, serial, maker="maker", product="gate", owner="owner"):
        """A device that was made and sold."""
        device = self.call("device", "register", maker, product, serial, by=maker)["id"]
        self.report(maker, device, "assembled", f"product={product}")
        self.report(maker, device, "transfer-offered", f"to={owner}")
        self.report(owner, device, "transfer-accepted", f"from={maker}")
        return device


class Agent:
    """A device with our agent."""

    def __init__(self, platform, serial, *line, owner="owner"):
        self.platform, self.serial, self.owner = platform, serial, owner
        self.device = platform.made(serial, *line, owner=owner)
        self.folder = platform.folder / serial
        self.folder.mkdir()
        key = self.folder / "sealing.key"
        key.touch(mode=0o600)
        key.write_bytes(serial.encode().ljust(32, b"."))
        self.config = self.folder / "agent.toml"
        self.config.write_text(CONFIG.format(url=platform.url, roots=platform.roots, folder=self.folder,
                                             serial=serial, device=self.device))
        code = self.folder / "code"
        code.write_text(platform.code(self.device, by=owner))
        self.agent("enrol", "--code-file", code)

    def command(self, *arguments, before=()):
        return [*map(str, before), str(AGENT), "--config", str(self.config), "--json", *map(str, arguments)]

    def agent(self, *arguments, expect=0, before=()):
        return run(*self.command(*arguments, before=before), expect=expect)

    def peer(self, *arguments, expect=0, before=()):
        said = self.agent("peer", *arguments, expect=expect, before=before).stdout.decode().splitlines()
        return json.loads(said[-1]) if said else {}

    def waiting(self):
        """What waits for the log of the device, by outcome and code."""
        notes = sorted((self.folder / "state/notes").glob("[0-9]*"))
        read = [json.loads(note.read_text()) for note in notes]
        return [(one["outcome"], one["details"].get("code"), one["subject"]) for one in read]


class Listening:
    """One that listens; what it says of each conversation."""

    def __init__(self, agent, before=()):
        self.port = free_port()
        command = agent.command("peer", "listen", "--address", f"127.0.0.1:{self.port}", before=before)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                        start_new_session=True)
        require("listening" in self.process.stdout.readline(), "it does not listen")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # With what faketime started.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(30)

    def said(self):
        return json.loads(self.process.stdout.readline())


class Foreign:
    """A device without our agent: its certificates and key in files."""

    def __init__(self, platform, serial, *line, owner="owner"):
        self.device = platform.made(serial, *line, owner=owner)
        identity = platform.folder / f"{serial}.pem"
        platform.enrol(self.device, serial, identity, by=owner)
        self.certificates, self.key = credential(platform.folder, serial, identity.read_text())

    def ask(self, port, words, alpn="tegata-peer/1", check=None):
        """What is answered to that, by Python's ssl; an alert is its text."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # Names prove nothing here, and a device's certificate is no server's: the chain is looked at by hand.
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(self.certificates, self.key)
        if alpn:
            context.set_alpn_protocols([alpn])
        try:
            with socket.create_connection(("127.0.0.1", port), 20) as plain:
                with context.wrap_socket(plain) as secure:
                    if check:
                        check(secure.getpeercert(binary_form=True))
                    secure.sendall(words)
                    secure.settimeout(20)
                    return secure.recv(100).decode().strip()
        except (ssl.SSLError, ConnectionError) as error:
            return str(error)


def main():
    with Neighbours(OUT / "platform") as platform:
        owner = lambda *words, **more: platform.call("trust-bundle", *words, by="owner", **more)
        policies, cases = OUT / "peers.cedar", OUT / "peers.yaml"
        policies.write_text(POLICIES)
        cases.write_text(CASES)
        lock = Agent(platform, "LOCK-1", "smith", "lock")
        gate = Agent(platform, "GATE-1")
        foreign = Foreign(platform, "GATE-2")
        revoked, suspended = Foreign(platform, "GATE-3"), Foreign(platform, "GATE-4")
        stranger = Foreign(platform, "GATE-5", owner="neighbour")

        with case("tegata-agent: until the owner has chosen there is no bundle, and nothing is decided"):
            told = lock.peer("fetch", expect=5)
            require("peer-trust-off" in told["detail"], told)
            told = lock.peer("decide", "--certificate", foreign.certificates, "--operation", "open", expect=5)
            require(told["error"] == "trust-bundle-none", told)

        with case("tegata: policies with cases, settings, and each device fetches its bundle once"):
            made = platform.call("policy", "put", policies, cases, "--reason", "locks", by="owner")
            platform.call("policy", "test", "--version", made["version"], by="owner")
            platform.call("policy", "activate", made["version"], "--reason", "locks", by="owner")
            chosen = owner("set", "--hours", "1", "--organisation", "neighbour", "--maker", "smith")
            require((chosen["life_s"], chosen["organisations"]) == (3600, ["neighbour"]), chosen)
            require(lock.peer("fetch")["new"] and not lock.peer("fetch")["new"], "fetched again")
            require(gate.peer("fetch")["bundle"]["number"] == 1, "another number")
            listed = owner("list")
            require([one["number"] for one in listed] == [1, 1] and all(one["fetched"] for one in listed), listed)
            denied = platform.tegata("trust-bundle", "make", lock.device, "--out", OUT / "stolen",
                                     by="neighbour", expect=None)
            require(denied.returncode != 0, "the neighbour has the owner's bundle")

        with case("cbor2 and zcbor: a bundle has the published form, and nothing of others"):
            owner("make", lock.device, "--out", OUT / "bundle")
            magic, statement, contents, chain = cbor2.loads((OUT / "bundle").read_bytes())
            cddl = (ROOT / "docs/trust-bundle.cddl").read_text()
            types = DataTranslator.from_cddl(cddl, 64).my_types
            envelope = cbor2.loads(statement)
            require(envelope.tag == 18 and magic == "tegata trust bundle" and len(chain) == 2, magic)
            for name, bytes_ in [("statement", envelope.value[2]), ("contents", contents)]:
                try:
                    types[name].validate_str(bytes_)
                except CddlValidationError as error:
                    require(False, f"{name}: {error}")
            _, authorities, lines, version, text = cbor2.loads(contents)
            who = [(kind, organisation) for kind, organisation, *_ in authorities]
            require(who == [(2, "smith"), (1, "neighbour"), (1, "owner")] or
                    sorted(who) == [(1, "neighbour"), (1, "owner"), (2, "smith")], who)
            held = {maker + "/" + line: len(ids) // 16 for maker, line, ids in lines}
            require(held == {"maker/gate": 4, "smith/lock": 1}, held)
            require("gates-open" in text and "secret-of-the-owner" not in text, text)
            require(bytes.fromhex(stranger.device) not in contents, "a device of the neighbour's")

        with case("tegata: what is revoked and suspended is in the next bundle"):
            platform.report("owner", revoked.device, "revoked", "cause=lost")
            platform.report("owner", suspended.device, "suspended", "cause=lost")
            require(lock.peer("fetch")["new"] and gate.peer("fetch")["new"], "not new")

        with case("tegata-agent: an older bundle, and another device's, are not taken"):
            told = lock.peer("take", OUT / "bundle", expect=3)
            require(told["error"] == "trust-bundle-older", told)
            told = gate.peer("take", OUT / "bundle", expect=3)
            require(told["error"] == "trust-bundle-other", told)

        platform.server.kill()
        platform.server.wait()

        with Listening(lock) as listening:
            port = listening.port
            at = f"127.0.0.1:{port}"
            with case("tegata-agent: two devices of different makers decide while the platform is dead"):
                told = gate.peer("ask", at, "--operation", "open", "--device", lock.device)
                require(told["permitted"] and told["answer"] and told["because"] == ["gates-open"], told)
                require(told["peer"]["device"] == lock.device and told["peer"]["product"] == "smith/lock", told)
                said = listening.said()
                require(said["permitted"] and said["peer"]["device"] == gate.device, said)
                require(said["because"] == ["gates-open"] and said["operation"] == "open", said)
                told = gate.peer("ask", at, "--operation", "close", expect=3)
                require((told["code"], told["answer"]) == ("no-policy", None), told)
                listening.said()

            with case("tegata-agent: another device than the one that was meant is not asked"):
                told = gate.peer("ask", at, "--operation", "open", "--device", gate.device, expect=3)
                require(told["error"] == "peer-other", told)
                listening.said()

            with case("Python's ssl: a device without our agent is served, and sees the lock's certificate"):
                seen = []
                answer = foreign.ask(port, b"tegata-peer 1 open\n", check=seen.append)
                require(answer == "permit", answer)
                require(listening.said()["peer"]["device"] == foreign.device, "another device")
                file = OUT / "seen.pem"
                file.write_text(ssl.DER_cert_to_PEM_cert(seen[0]))
                told = gate.peer("decide", "--asks", "--certificate", file, "--operation", "open")
                require(told["permitted"] and told["peer"]["device"] == lock.device, told)

            with case("Python's ssl: what the policies do not permit is denied"):
                require(foreign.ask(port, b"tegata-peer 1 erase\n") == "deny", "not denied")
                require(listening.said()["code"] == "no-policy", "another code")
                require(stranger.ask(port, b"tegata-peer 1 open\n") == "deny", "not denied")
                said = listening.said()
                require((said["code"], said["peer"]["owner"]) == ("no-policy", "neighbour"), said)
                require(stranger.ask(port, b"tegata-peer 1 greet\n") == "permit", "not permitted")
                listening.said()

            with case("Python's ssl: revoked, suspended and unknown certificates end the handshake"):
                for who, code in [(revoked, "certificate-revoked"), (suspended, "certificate-suspended")]:
                    answer = who.ask(port, b"tegata-peer 1 open\n")
                    require("revoked" in answer.lower(), answer)
                    require(listening.said()["code"] == code, code)
                unknown = _self_signed(lock.device)
                answer = unknown.ask(port, b"tegata-peer 1 open\n")
                require("unknown ca" in answer.lower() or "unknown_ca" in answer.lower(), answer)
                require(listening.said()["code"] == "unknown-authority", "another code")

            with case("Python's ssl: another protocol, another greeting, nothing at all, and none at all"):
                for words, alpn in [(b"tegata-peer 1 open\n", None), (b"GET / HTTP/1.1\r\n\r\n", "tegata-peer/1"),
                                    (b"tegata-peer 2 open\n", "tegata-peer/1"), (b"x" * 4000, "tegata-peer/1")]:
                    require("permit" not in foreign.ask(port, words, alpn), (words, alpn))
                    require(not listening.said()["permitted"], words)
                require("permit" not in foreign.ask(port, b"tegata-peer 1 open\n", "http/1.1"), "http")
                listening.said()

            with case("openssl s_client: TLS 1.3 with a device's certificate, and not without, nor older"):
                base = ["openssl", "s_client", "-connect", at, "-alpn", "tegata-peer/1", "-ign_eof", "-quiet",
                        "-CAfile", str(platform.roots), "-purpose", "sslclient", "-verify_return_error"]
                mine = ["-cert", str(foreign.certificates), "-key", str(foreign.key),
                        "-cert_chain", str(foreign.certificates)]
                done = run(*base, *mine, input="tegata-peer 1 open\n", expect=None)
                require("permit" in done.text, done.text)
                listening.said()
                for wrong in ([], [*mine, "-tls1_2"]):
                    done = run(*base, *wrong, input="tegata-peer 1 open\n", expect=None)
                    require("permit" not in done.text, done.text)
                    listening.said()

            with case("connections that say nothing keep nobody out for long"):
                silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(12)]
                until = time.monotonic() + 60
                while foreign.ask(port, b"tegata-peer 1 open\n") != "permit":
                    require(time.monotonic() < until, "kept out")
                    time.sleep(0.5)
                for one in silent:
                    one.close()

        with case("tegata-agent: each kind of decision is in the device's log, once"):
            waiting = lock.waiting()
            for wanted in [("success", "permitted", "asked: open"), ("failure", "no-policy", "asked: erase"),
                           ("failure", "certificate-revoked", "asked"), ("failure", "unknown-authority", "asked")]:
                require(wanted in waiting, (wanted, waiting))
            require(len(waiting) < 20, waiting)

        with case("faketime: an ended bundle decides nothing, nor does a clock that went back"):
            shifted = lambda hours: ["faketime", "-f", f"{hours:+d}h"]
            decide = ["decide", "--certificate", foreign.certificates, "--operation", "open"]
            told = lock.peer(*decide, expect=3, before=shifted(2))
            require(told["error"] == "trust-bundle-ended", told)
            told = lock.peer(*decide, expect=3, before=shifted(-2))
            require(told["error"] == "clock-behind", told)
            # What was seen to have ended stays so, until somebody says that the clock was wrong.
            told = lock.peer(*decide, expect=3)
            require(told["error"] == "trust-bundle-ended", told)
            lock.agent("self-test", "--accept-clock")
            require(lock.peer(*decide)["permitted"], "not permitted any more")
            with Listening(lock, before=shifted(2)) as late:
                answer = foreign.ask(late.port, b"tegata-peer 1 open\n")
                require("permit" not in answer, answer)
                require(late.said()["code"] == "trust-bundle-ended", "another code")

        platform.start()
        with case("the platform hears what was decided while it was away"):
            lock.agent("once")
            log = platform.call("device", "log", lock.device, by="owner")
            details = [entry.get("details", {}) for entry in log["entries"]]
            codes = {one.get("code") for one in details}
            require({"permitted", "no-policy", "certificate-revoked"} <= codes, log)

        with case("a stricter policy and the end of it all reach the device with its next bundle"):
            platform.call("policy", "activate", "--none", "--reason", "closed", by="owner")
            require(lock.peer("fetch")["new"], "not new")
            told = lock.peer("decide", "--certificate", foreign.certificates, "--operation", "open", expect=3)
            require(told["code"] == "no-policy", told)
            platform.tegata("trust-bundle", "off", by="owner")
            told = lock.peer("fetch", expect=5)
            require("peer-trust-off" in told["detail"], told)
            events = platform.call("audit", "list", "--kind", "configuration-change", by="owner")
            said = json.dumps(events)
            require("peer-trust-ended" in said and '"peer-trust"' in said, said)


def _self_signed(device):
    """A certificate that says all that a device's says, and that nobody issued."""
    name = OUT / "self"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", f"/O=owner/CN={device}",
        "-addext", "extendedKeyUsage=clientAuth", "-addext", "basicConstraints=critical,CA:false",
        "-addext", "keyUsage=critical,digitalSignature")
    foreign = Foreign.__new__(Foreign)
    foreign.certificates, foreign.key = f"{name}.crt", f"{name}.key"
    return foreign


main()
finish()
