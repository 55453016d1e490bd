"""The door for CoAP over DTLS: libcoap's client, unmodified, on OpenSSL and on GnuTLS, and its misuse; datagrams by hand
that no client sends."""

import base64
import json
import os
import socket

from device_log import Log, encoded
from lib import OUT, case, finish, require, run
from mqtt_device import SECONDS_MAX, Device
from tegata import Platform

CLIENTS = ["coap-client-openssl", "coap-client-gnutls"]
HANDSHAKE = 22


class CoapGate(Platform):
    COAP = True

    def populate(self):
        super().populate()
        # The door sends its own certificate alone, so a client has to know who issued it.
        issuers = run("curl", "-sf", "--cacert", self.roots, f"{self.url}/.well-known/est/cacerts").stdout
        printed = run("openssl", "pkcs7", "-inform", "DER", "-print_certs", input=base64.b64decode(issuers)).stdout
        self.coap_roots = self.folder / "issuers.pem"
        self.coap_roots.write_bytes(printed)


def ask(platform, path, *more, client=CLIENTS[0], method="post", payload=None, who=None, certificates=None, key=None,
        wait=20):
    """What the client prints, both on its output and about errors."""
    command = [client, "-m", method, "-R", platform.coap_roots, "-B", wait, "-v", "4"]
    if certificates or who:
        command += ["-c", certificates or who.certificates, "-j", key or who.key]
    if payload is not None:
        file = platform.folder / "payload"
        file.write_bytes(payload)
        command += ["-f", file]
    url = f"coaps://localhost:{platform.coap_port}/{path}"
    return run(*command, *more, url, expect=None, timeout=SECONDS_MAX)


def said(result):
    out = result.stdout + result.stderr
    return (out if isinstance(out, str) else out.decode(errors="replace"))


def kept(device, topic):
    return [message for message in device.messages() if message["topic"] == topic]


def clients(platform, device, other):
    for client in CLIENTS:
        name = client.rsplit("-", maxsplit=1)[-1]

        with case(f"{client}: a message is on disk, with its media type and its door"):
            result = ask(platform, f"me/up/{name}", "-t", "json", client=client, payload=b'{"t":21.5}', who=device)
            require("4." not in said(result), said(result))
            found = kept(device, f"up/{name}")
            require([(m["door"], m["media_type"]) for m in found] == [("coap", "application/json")], found)

        with case(f"{client}: a long message in blocks, whole"):
            body = os.urandom(20_000)
            result = ask(platform, f"me/up/long-{name}", "-t", "binary", "-b", "1024", client=client, payload=body,
                         who=device)
            found = kept(device, f"up/long-{name}")
            require(len(found) == 1, said(result))
            require(len(found[0]["payload"]) >= 20_000, "a part of it")

        with case(f"{client}: a piece of the device's log (docs/device-log.md)"):
            log = Log(name.encode().ljust(8, b"-")[:8])
            log.add(1_795_000_000, 0, 1, 0)
            result = ask(platform, "me/up/log", "-t", "60", client=client, payload=encoded(log.segment(1, 1)),
                         who=device)
            require("4." not in said(result), said(result))
            newest = platform.call("device", "log", device.id, by="maker")["entries"][0]
            require((newest["door"], newest["hash"]) == ("coap", log.places[1][0].hex()), newest)

        with case(f"{client}: another device's space is closed"):
            result = ask(platform, f"d/{other.id}/up/x", client=client, payload=b"x", who=device)
            require("4.03" in said(result), said(result))
            require(not kept(other, "up/x"), "it was kept")

        with case(f"{client}: a device asks for its commands"):
            command = platform.call("device", "command", device.id, "restart", "--reason", f"by {name}",
                                    "--parameters", json.dumps({"note": "n" * 2000}), by="maker")
            result = ask(platform, "me/down", client=client, method="get", who=device)
            require(command["id"] in said(result) and "n" * 2000 in said(result), said(result)[:500])
            answer = json.dumps({"state": "done"}).encode()
            ask(platform, f"me/up/commands/{command['id']}", "-t", "json", client=client, payload=answer, who=device)
            listed = device.listed("commands")
            require(next(c for c in listed if c["id"] == command["id"])["state"] == "done", "no answer was heard")

        with case(f"{client}: nobody comes in without a certificate, or with a stranger's"):
            before = len(device.messages())
            result = ask(platform, "me/up/x", client=client, payload=b"x", wait=5)
            require("2.04" not in said(result), said(result))
            run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                "-subj", f"/CN={device.id}", "-keyout", OUT / "stranger.key", "-out", OUT / "stranger.pem")
            result = ask(platform, "me/up/x", client=client, payload=b"x", certificates=OUT / "stranger.pem",
                         key=OUT / "stranger.key", wait=5)
            require(len(device.messages()) == before, said(result))


class Raw:
    """Datagrams by hand."""

    def __init__(self, platform):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", platform.coap_port))
        self.socket.settimeout(1)

    def ask(self, datagram):
        self.socket.send(datagram)
        try:
            return self.socket.recv(4096)
        except TimeoutError:
            return b""


def hello(cookie=b"", message=0, sequence=0, random=b"r" * 32):
    """A ClientHello with what our door needs: one suite, extended master secret, groups, signatures."""
    extensions = (b"\x00\x17\x00\x00" + b"\x00\x0a\x00\x04\x00\x02\x00\x17" + b"\x00\x0d\x00\x04\x00\x02\x04\x03"
                  + b"\x00\x0b\x00\x02\x01\x00")
    body = (b"\xfe\xfd" + random + b"\0" + bytes([len(cookie)]) + cookie + b"\0\2\xc0\x2b\1\0"
            + len(extensions).to_bytes(2, "big") + extensions)
    size = len(body).to_bytes(3, "big")
    handshake = b"\1" + size + message.to_bytes(2, "big") + b"\0\0\0" + size + body
    return b"\x16\xfe\xff\0\0" + sequence.to_bytes(6, "big") + len(handshake).to_bytes(2, "big") + handshake


def by_hand(platform, device):
    with case("who is not known is asked to prove its address first, in fewer bytes than it sent"):
        raw = Raw(platform)
        first = hello()
        question = raw.ask(first)
        require(question[:1] == bytes([HANDSHAKE]) and question[13] == 3, question)
        require(len(question) <= len(first), "an answer that is longer than the question")
        cookie = question[28:28 + question[27]]
        require(len(cookie) == 32, question)
        flight = raw.ask(hello(cookie, 1, 1))
        require(flight[13] == 2, flight)

    with case("a cookie holds for one address and one random"):
        raw, other = Raw(platform), Raw(platform)
        cookie = raw.ask(hello())[28:60]
        for who, random in [(other, b"r" * 32), (raw, b"s" * 32)]:
            answer = who.ask(hello(cookie, 1, 1, random))
            require(answer[13] == 3, "a foreign cookie was taken")
        require(raw.ask(hello(cookie, 1, 1))[13] == 2, "the right one was not")

    with case("what is no handshake is not answered, and the door goes on"):
        raw = Raw(platform)
        for datagram in [b"x", b"\x40\1\0\1", os.urandom(1200), b"\x17\xfe\xfd\0\1" + bytes(40), hello()[:-1],
                         b"\x16" * 60_000]:
            require(raw.ask(datagram) == b"", datagram[:20])
        # A cookie that is none counts as no cookie (RFC 6347 section 4.2.1): asked again, in fewer bytes.
        wrong = hello(b"c" * 32, 0, 0)
        question = raw.ask(wrong)
        require(question[13] == 3 and len(question) < len(wrong), question)
        ask(platform, "me/up/after", payload=b"x", who=device)
        require(len(kept(device, "up/after")) == 1, "the door is shut")

    with case("many who never come back leave no mark"):
        for number in range(2000):
            one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            one.sendto(hello(random=number.to_bytes(32, "big")), ("127.0.0.1", platform.coap_port))
            one.close()
        ask(platform, "me/up/flood", payload=b"x", who=device)
        require(len(kept(device, "up/flood")) == 1, "the door is shut")


def over(platform, device):
    with case("a device that is suspended is not heard any more"):
        platform.call("device", "suspend", device.id, "--cause", "anomaly", by="maker")
        before = len(device.messages())
        result = ask(platform, "me/up/late", payload=b"x", who=device, wait=5)
        require("2.04" not in said(result) and len(device.messages()) == before, said(result))


with CoapGate(OUT / "platform") as platform:
    device, other = Device(platform, "COAP-1"), Device(platform, "COAP-2")
    clients(platform, device, other)
    by_hand(platform, device)
    over(platform, device)
finish()
