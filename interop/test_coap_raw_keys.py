"""The door for CoAP with raw public keys (RFC 7250): libcoap's client on GnuTLS, and GnuTLS's own, both unmodified, as
devices that show their key and no certificate, and that know the server by its key; and who shows a certificate as ever."""

import base64
import hashlib
import json
import os
import subprocess
import time

from lib import OUT, case, finish, require, run
from mqtt_device import SECONDS_MAX, Device
from tegata import Platform, credential

PRIORITY = "NORMAL:-VERS-ALL:+VERS-DTLS1.2:-CTYPE-SRV-ALL:-CTYPE-CLI-ALL"
# A POST of "hi" to me/up/raw, not confirmable, and the ping that is answered with a reset.
POST = b"\x52\x02\x00\x07tk\xb2me\x02up\x03raw\xffhi"


class RawGate(Platform):
    COAP = True
    MORE = ("--coap-raw-keys",)

    def populate(self):
        super().populate()
        issuers = run("curl", "-sf", "--cacert", self.roots, f"{self.url}/.well-known/est/cacerts").stdout
        printed = run("openssl", "pkcs7", "-inform", "DER", "-print_certs", input=base64.b64decode(issuers)).stdout
        self.coap_roots = self.folder / "issuers.pem"
        self.coap_roots.write_bytes(printed)

    def restart(self):
        """The door for datagrams is the last to open."""
        log = self.folder / "server.log"
        before = log.read_text().count("coaps://")
        self.stop()
        self.start()
        until(lambda: log.read_text().count("coaps://") > before)

    def said(self, *words):
        """Whether the record of security events has something with all these words."""
        events = [json.dumps(event) for event in self.call("audit", "list", "--all")]
        return any(all(word in event for word in words) for event in events)


class Sold(Device):
    """In its owner's hands, with its owner's certificate (LDevID) for another key than the maker's."""

    def __init__(self, platform, serial_number):
        super().__init__(platform, serial_number)
        self.makers = self.key
        act = ["device", "act", self.id]
        platform.tegata(*act, "offer-transfer", "--to", "owner", "--reason", "sold", by="maker")
        platform.tegata(*act, "accept-transfer", "--reason", "bought", by="owner")
        identity = platform.folder / f"{serial_number}.owned.pem"
        platform.enrol(self.id, serial_number, identity, by="owner")
        self.certificates, self.key = credential(platform.folder, f"{serial_number}.owned", identity.read_text())

    def listed(self, what):
        found = self.platform.call("device", what, self.id, by="owner")
        return [found] if isinstance(found, dict) else found


class Key:
    """A key as the two clients want it: one file with both halves, or each in its own."""

    def __init__(self, name, key=None):
        self.key = key or OUT / f"{name}.key"
        if not key:
            run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.key)
        self.both, self.public = OUT / f"{name}.rpk", OUT / f"{name}.pub"
        run("openssl", "ec", "-in", self.key, "-out", self.both)
        run("openssl", "pkey", "-in", self.key, "-pubout", "-out", self.public)
        der = run("openssl", "pkey", "-in", self.key, "-pubout", "-outform", "DER").stdout
        self.sha256 = hashlib.sha256(der).hexdigest()


def ask(platform, key, path, *more, method="post", payload=None, wait=20):
    """libcoap's client with nothing but a key. It would rather see a certificate of the server's, and takes a key."""
    command = ["coap-client-gnutls", "-m", method, "-M", key.both, "-R", platform.coap_roots, "-B", wait, "-v", "4"]
    if payload is not None:
        file = platform.folder / "payload"
        file.write_bytes(payload)
        command += ["-f", file]
    return run(*command, *more, f"coaps://localhost:{platform.coap_port}/{path}", expect=None, timeout=SECONDS_MAX)


def with_certificate(platform, client, device, path, payload):
    file = platform.folder / "payload"
    file.write_bytes(payload)
    return run(client, "-m", "post", "-R", platform.coap_roots, "-B", "20", "-v", "4", "-c", device.certificates, "-j", device.key,
               "-f", file, f"coaps://localhost:{platform.coap_port}/{path}", expect=None, timeout=SECONDS_MAX)


def gnutls(platform, types, *more):
    """GnuTLS's client with these types of certificates and no others."""
    command = ["gnutls-cli", "--udp", "--priority", f"{PRIORITY}:{types}", "-p", platform.coap_port, *more, "localhost"]
    return [str(word) for word in command]


def greet(platform, types, *more):
    """A handshake with GnuTLS's client, and a message; what it printed. It ends once nothing more is said."""
    return run("timeout", "5", *gnutls(platform, types, *more), input=POST, expect=None)


def own_certificate(platform):
    """What the server shows over TLS."""
    shown = run("openssl", "s_client", "-connect", f"localhost:{platform.port}", "-CAfile", platform.roots, expect=None)
    return run("openssl", "x509", "-outform", "DER", input=shown.stdout).stdout


def own(key):
    return ["--rawpkkeyfile", key.key, "--rawpkfile", key.public]


def kept(device, topic):
    return [message for message in device.messages() if message["topic"] == topic]


def until(what, seconds=SECONDS_MAX):
    end = time.monotonic() + seconds
    while not what():
        require(time.monotonic() < end, "it did not come to that")
        time.sleep(0.1)


def admitted(platform, device, key):
    with case("coap-client-gnutls -M: a device that shows its key and no certificate is heard"):
        result = ask(platform, key, "me/up/key", "-t", "json", payload=b'{"t":21.5}')
        found = kept(device, "up/key")
        require([(m["door"], m["media_type"]) for m in found] == [("coap", "application/json")], result.text)

    with case("coap-client-gnutls -M: a long message in blocks, whole"):
        result = ask(platform, key, "me/up/long", "-t", "binary", "-b", "1024", payload=os.urandom(20_000))
        require(len(kept(device, "up/long")) == 1, result.text)

    with case("coap-client-gnutls -M: it asks for its commands"):
        command = platform.call("device", "command", device.id, "restart", "--reason", "by key", by="owner")
        result = ask(platform, key, "me/down", method="get")
        require(command["id"] in result.text, result.text[:500])

    with case("coap-client-gnutls -M: another device's space is closed"):
        other = Sold(platform, "RAW-OTHER")
        result = ask(platform, key, f"d/{other.id}/up/x", payload=b"x")
        require("4.03" in result.text and not kept(other, "up/x"), result.text)


def refused(platform, device):
    with case("a key that nobody has a certificate for is refused, and the record says why"):
        stranger = Key("stranger")
        before = len(device.messages())
        result = ask(platform, stranger, "me/up/x", payload=b"x", wait=5)
        require("2.04" not in result.text and len(device.messages()) == before, result.text)
        until(lambda: platform.said("raw-key-unknown", stranger.sha256))

    with case("the key of a person is no device's"):
        member = platform.folder / "maker-member.key"
        text = (platform.folder / "maker.pem").read_text()
        member.write_text(text[text.index("-----BEGIN PRIVATE KEY-----"):])
        key = Key("member", member)
        ask(platform, key, "me/up/x", payload=b"x", wait=5)
        until(lambda: platform.said("raw-key-unknown", key.sha256))


    with case("the key of the maker's identity opens nothing in its owner's hands"):
        key = Key("makers", device.makers)
        before = len(device.messages())
        result = ask(platform, key, "me/up/x", payload=b"x", wait=5)
        require("2.04" not in result.text and len(device.messages()) == before, result.text)
        until(lambda: "identity" in device.refused())


def server_key(platform, device, key):
    pinned = platform.folder / "server.pub"
    platform.tegata("platform", "server-key", "--out", pinned)
    shown = platform.call("platform", "server-key")
    der = base64.b64decode("".join(pinned.read_text().splitlines()[1:-1]))
    both = "+CTYPE-CLI-RAWPK:+CTYPE-SRV-RAWPK"

    with case("the server's key is printed as what it is"):
        require(hashlib.sha256(der).hexdigest() == shown["key"], shown)
        require(shown["public_key"] == pinned.read_text(), "two keys")
        run("openssl", "pkey", "-pubin", "-in", pinned, "-noout")

    with case("gnutls-cli: keys both ways, and the server's is the one that was printed"):
        result = greet(platform, both, *own(key), "--insecure", "--print-cert")
        require(pinned.read_text().strip().splitlines()[1] in result.text, result.text)
        until(lambda: len(kept(device, "up/raw")) == 1)

    with case("gnutls-cli: it sees the same key after a restart of the server, whose certificate is another one"):
        certificate = own_certificate(platform)
        platform.restart()
        result = greet(platform, both, *own(key), "--insecure", "--print-cert")
        require(pinned.read_text().strip().splitlines()[1] in result.text, result.text)
        require(platform.call("platform", "server-key") == shown, "another key after a restart")
        require(own_certificate(platform) != certificate, "the certificate was kept")

    with case("gnutls-cli: each side by what it has: key and certificate, certificate and key"):
        before = len(kept(device, "up/raw"))
        result = greet(platform, "+CTYPE-CLI-RAWPK:+CTYPE-SRV-X509", *own(key), "--x509cafile", platform.coap_roots)
        require("The certificate is trusted" in result.text, result.text)
        until(lambda: len(kept(device, "up/raw")) == before + 1)
        result = greet(platform, "+CTYPE-CLI-X509:+CTYPE-SRV-RAWPK", "--x509certfile", device.certificates, "--x509keyfile",
                       device.key, "--insecure", "--print-cert")
        require(pinned.read_text().strip().splitlines()[1] in result.text, result.text)
        until(lambda: len(kept(device, "up/raw")) == before + 2)


def another_key(platform, device, key):
    with case("another key in the place of the server's, shown at once"):
        former = platform.call("platform", "server-key")
        shown = platform.call("platform", "rotate-server-key")
        require(shown["key"] != former["key"] and platform.call("platform", "server-key") == shown, shown)
        result = greet(platform, "+CTYPE-CLI-RAWPK:+CTYPE-SRV-RAWPK", *own(key), "--insecure", "--print-cert")
        lines = [one["public_key"].splitlines()[1:-1] for one in [former, shown]]
        require([all(line in result.text for line in of) for of in lines] == [False, True], result.text)
        require(platform.tegata("platform", "rotate-server-key", by="maker", expect=None).returncode, "a maker did it")


def as_ever(platform, device):
    for client in ["coap-client-openssl", "coap-client-gnutls"]:
        with case(f"{client}: with certificates as ever"):
            result = with_certificate(platform, client, device, f"me/up/{client}", b"x")
            require(len(kept(device, f"up/{client}")) == 1, result.text)

    with case("openssl s_client sees a certificate"):
        result = run("openssl", "s_client", "-dtls1_2", "-connect", f"localhost:{platform.coap_port}", "-CAfile",
                     platform.coap_roots, "-cert", device.certificates, "-key", device.key, expect=None, timeout=SECONDS_MAX)
        require("Verify return code: 0 (ok)" in result.text and "-----BEGIN CERTIFICATE-----" in result.text, result.text)


def renew(platform, device, key):
    """Another certificate by EST, for this key; the former one still has weeks."""
    subject = run("openssl", "x509", "-in", device.certificates, "-noout", "-subject", "-nameopt", "compat").text
    csr = OUT / "renewed.csr"
    run("openssl", "req", "-new", "-key", key.key, "-subj", subject.strip().removeprefix("subject=").strip(), "-outform", "DER",
        "-out", csr)
    body = OUT / "renewed.csr.b64"
    body.write_bytes(base64.encodebytes(csr.read_bytes()))
    answer = run("curl", "-sf", "--cacert", platform.roots, "--cert", device.certificates, "--key", device.key, "-H",
                 "Content-Type: application/pkcs10", "--data-binary", f"@{body}", f"{platform.url}/.well-known/est/simplereenroll")
    return run("openssl", "pkcs7", "-inform", "DER", "-print_certs", input=base64.b64decode(answer.stdout)).stdout


def renewed(platform, device, key):
    with case("an association goes on where the certificate is renewed for the same key"):
        client = open_association(platform, device, key)
        before = len(kept(device, "up/raw"))
        device.certificates.write_bytes(renew(platform, device, key))
        time.sleep(1)
        client.stdin.write(POST.replace(b"\x00\x07", b"\x00\x08"))
        client.stdin.flush()
        until(lambda: len(kept(device, "up/raw")) == before + 1)
        require(client.poll() is None, "it has ended")
        client.kill()
        client.wait()

    new = Key("renewed")
    renew(platform, device, new)

    with case("the key of a certificate that was renewed for another is refused, and the record says why"):
        before = len(device.messages())
        result = ask(platform, key, "me/up/former", payload=b"x", wait=5)
        require("2.04" not in result.text and len(device.messages()) == before, result.text)
        until(lambda: platform.said("raw-key-former", key.sha256, device.id))

    with case("the new one is heard"):
        result = ask(platform, new, "me/up/renewed", payload=b"x")
        require(len(kept(device, "up/renewed")) == 1, result.text)
    return new


def open_association(platform, device, key):
    """GnuTLS's client that stays, once it was heard."""
    before = len(kept(device, "up/raw"))
    command = gnutls(platform, "+CTYPE-CLI-RAWPK:+CTYPE-SRV-RAWPK", *own(key), "--insecure")
    client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    client.stdin.write(POST)
    client.stdin.flush()
    until(lambda: len(kept(device, "up/raw")) == before + 1)
    return client


def ended(client):
    """Whether the server has ended it: nobody closed its input."""
    try:
        client.wait(SECONDS_MAX)
    except subprocess.TimeoutExpired:
        client.kill()
        return False
    return True


def over(platform, device, key):
    with case("an association by a key ends when its device is suspended"):
        client = open_association(platform, device, key)
        platform.call("device", "suspend", device.id, "--cause", "anomaly", by="owner")
        require(ended(client), "it is here still")

    with case("a suspended device is not heard by its key either, and the record says so"):
        before = len(device.messages())
        result = ask(platform, key, "me/up/late", payload=b"x", wait=5)
        require("2.04" not in result.text and len(device.messages()) == before, result.text)
        until(lambda: platform.said("revoked or suspended", key.sha256, device.id))


def retired(platform):
    device = Device(platform, "RAW-3")
    key = Key("revoked", device.key)
    with case("a device that is revoked is refused by its key"):
        client = open_association(platform, device, key)
        platform.tegata("device", "act", device.id, "revoke", "--cause", "key-compromise", "--reason", "it is for sale",
                        by="maker")
        require(ended(client), "it is here still")
        before = len(device.messages())
        ask(platform, key, "me/up/late", payload=b"x", wait=5)
        require(len(device.messages()) == before, "it was heard")
        until(lambda: platform.said("revoked or suspended", key.sha256, device.id))


def switched_off(platform, device, key):
    platform.MORE = ()
    platform.restart()
    with case("a server that was not told of raw keys takes none and shows none"):
        before = len(device.messages())
        ask(platform, key, "me/up/off", payload=b"x", wait=5)
        result = greet(platform, "+CTYPE-CLI-RAWPK:+CTYPE-SRV-RAWPK", *own(key), "--insecure")
        require("Handshake was completed" not in result.text, result.text)
        require(len(device.messages()) == before, "it was heard")
        offered = run("curl", "-s", "-w", "%{http_code}", "--cacert", platform.roots, f"{platform.url}/v1/server-key")
        require(offered.text.endswith("404"), offered.text)
        with_certificate(platform, "coap-client-openssl", device, "me/up/on", b"x")
        require(len(kept(device, "up/on")) == 1, "nor by its certificate")


with RawGate(OUT / "platform") as platform:
    first, second = Sold(platform, "RAW-1"), Device(platform, "RAW-2")
    first_key, second_key = Key("first", first.key), Key("second", second.key)
    admitted(platform, first, first_key)
    refused(platform, first)
    server_key(platform, first, first_key)
    another_key(platform, first, first_key)
    as_ever(platform, second)
    over(platform, first, renewed(platform, first, first_key))
    retired(platform)
    switched_off(platform, second, second_key)
finish()
