"""Encrypted messages (docs/cose.md): pycose signs and encrypts, mosquitto and curl carry and cannot read, the platform
admits what holds and nothing else; openssl verifies the certificate of the key."""

import json

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives import serialization
from pycose.algorithms import A128GCM, EcdhEsHKDF512
from pycose.headers import KIDContext, Salt
from pycose.keys import EC2Key
from pycose.keys.curves import P256

from cose import CASES, POLICIES, Recipient, Signer, authority, decrypt
from lib import OUT, case, finish, require, run
from mqtt_device import Device, Gate, eventually


def main():
    with Gate(OUT / "platform") as platform:
        meter, gateway, other = (Device(platform, f"BG1-000{n}") for n in (1, 2, 3))
        signer = Signer(meter)
        count = iter(range(1, 1000))
        place = f"d/{meter.id}/up/signed"

        def tls(who):
            return ["--silent", "--show-error", "--cacert", platform.roots, "--cert", who.certificates, "--key", who.key]

        def mosquitto(message, who=gateway, topic=place):
            file = OUT / "message.cose"
            file.write_bytes(message)
            return who.publish("-t", topic, "-q", "1", "-f", file, expect=None).text.strip()

        def curl(message, who=gateway, topic=place):
            file = OUT / "message.cose"
            file.write_bytes(message)
            done = run("curl", *tls(who), "-o", "/dev/null", "-w", "%{http_code}", "-H", "Content-Type: application/cose",
                       "--data-binary", f"@{file}", f"https://localhost:{platform.port}/v1/messages?topic={topic}")
            return done.stdout.decode()

        def key_of(who):
            done = run("curl", *tls(who), "-w", "\n%{http_code}", f"https://localhost:{platform.port}/v1/messages/key")
            body, code = done.stdout.decode().rsplit("\n", 1)
            return code, json.loads(body)

        def newest():
            return meter.messages()[0]

        def signed(payload=b'{"kwh": 7}', topic="up/meter"):
            return signer.sign(signer.content(next(count), topic, payload))

        files = OUT / "carry.cedar", OUT / "carry.yaml"
        ids = {"gateway": gateway.id, "meter": meter.id}
        files[0].write_text(POLICIES.format(**ids))
        files[1].write_text(CASES.format(**ids))
        made = platform.call("policy", "put", *files, "--reason", "a test", by="maker")
        tested = platform.call("policy", "test", "--version", made["version"], by="maker")
        require(tested["report"]["passed"], tested)
        platform.call("policy", "activate", made["version"], "--reason", "a test", by="maker")

        with case("a device gets the key of its owner, with a certificate that openssl leads to the root"):
            code, why = key_of(meter)
            require(code == "409", why)
            chain = OUT / "recipient.pem"
            platform.call("org", "message-key", "maker", "--new", "--reason", "a test", "--out", chain, by="maker")
            code, found = key_of(meter)
            require(code == "200" and "".join(found["chain"]) == chain.read_text(), found)
            leaf, ca = OUT / "leaf.pem", OUT / "ca.pem"
            leaf.write_text(found["chain"][0])
            ca.write_text(found["chain"][1])
            done = run("openssl", "verify", "-x509_strict", "-CAfile", platform.roots, "-untrusted", ca, leaf)
            require("OK" in done.text, done.text)
            text = run("openssl", "x509", "-in", leaf, "-noout", "-text").text
            require("Key Agreement" in text and "Digital Signature" not in text, text)
            recipient = Recipient(leaf.read_bytes())
            require(recipient.organisation == "maker", recipient.organisation)
            listed = platform.call("org", "message-key", "maker", by="maker")
            require(listed["key"] == recipient.kid.hex(), listed)

        with case("a gateway carries what it cannot read; pycose and the platform agree on every byte"):
            message = recipient.encrypt(signed(b'{"kwh": 7, "secret": "household"}'))
            require(b"household" not in message and b"meter" not in message, "it can be read")
            require(mosquitto(message) == "", "refused")
            found = newest()
            require(found["topic"] == "up/meter" and found["encrypted"] and found["carrier"] == gateway.id, found)
            require(found["signed_by"] == signer.fingerprint.hex(), found)
            require(curl(recipient.encrypt(signed())) == "204", "refused by HTTP")
            require(curl(recipient.encrypt(signed()), meter, "me/up/signed") == "204", "refused of the device itself")
            require(mosquitto(signed()) == "" and "encrypted" not in newest(), "what is only signed counts as encrypted")

        with case("a replay is refused, also encrypted anew"):
            what = signed()
            message = recipient.encrypt(what)
            require(mosquitto(message) == "", "refused")
            require(mosquitto(message) != "" and curl(message) == "400", "heard twice")
            require(mosquitto(recipient.encrypt(what)) != "" and curl(what) == "400", "heard twice")

        with case("what is altered, for another key or encrypted otherwise does not hold"):
            good = recipient.encrypt(signed())
            before = newest()["id"]
            body = cbor2.loads(good).value
            again = lambda *items: cbor2.dumps(cbor2.CBORTag(96, list(items)))
            header, of = cbor2.loads(body[0]), body[3][0]
            inner = cbor2.loads(of[0])
            stranger = ec.generate_private_key(ec.SECP256R1())
            pem = stranger.public_key().public_bytes(serialization.Encoding.DER,
                                                     serialization.PublicFormat.SubjectPublicKeyInfo)
            numbers = stranger.public_key().public_numbers()
            theirs = EC2Key(crv=P256, x=numbers.x.to_bytes(32, "big"), y=numbers.y.to_bytes(32, "big"))
            mine, recipient.key = recipient.key, theirs
            wrong_key = recipient.encrypt(signed())
            recipient.key = mine
            p = 2**256 - 2**224 + 2**192 + 2**96 - 1
            y = int.from_bytes(inner[-1][-3], "big")
            negated = {**inner, -1: {**inner[-1], -3: (p - y).to_bytes(32, "big")}}
            compressed = {**inner, -1: {**inner[-1], -3: bool(y & 1)}}
            bad = {
                "for another key under this name": wrong_key,
                "for a key that is nobody's": recipient.encrypt(signed(), kid=bytes(32)),
                "altered ciphertext": again(body[0], {}, body[2][:-1] + bytes([body[2][-1] ^ 1]), body[3]),
                "another IV": again(cbor2.dumps({**header, 5: bytes(12)}), {}, body[2], body[3]),
                "another point of the same x": again(body[0], {}, body[2], [[cbor2.dumps(negated), {}, b""]]),
                "a compressed point": again(body[0], {}, body[2], [[cbor2.dumps(compressed), {}, b""]]),
                "truncated": good[:-1],
                "longer": good + b"\x00",
                "no tag": good[2:],
                "the tag of Encrypt0": b"\xd0" + good[2:],
                "A128GCM": recipient.encrypt(signed(), algorithm=A128GCM),
                "HKDF-512": recipient.encrypt(signed(), agreement=EcdhEsHKDF512),
                "direct": again(body[0], {}, body[2], [[b"", {1: -6, 4: recipient.kid}, b""]]),
                "no algorithm": again(cbor2.dumps({3: header[3], 5: header[5]}), {}, body[2], body[3]),
                "not encrypted": again(body[0], {}, signed(), body[3]),
                "no recipient": again(body[0], {}, body[2], []),
                "two recipients": again(body[0], {}, body[2], [of, of]),
                "recipient's header unprotected": again(body[0], {}, body[2], [[cbor2.dumps({1: -25}), {4: inner[4], -1: inner[-1]}, b""]]),
                "a wrapped key besides": again(body[0], {}, body[2], [[of[0], {}, bytes(40)]]),
                "unprotected IV": again(cbor2.dumps({1: 3, 3: header[3]}), {5: header[5]}, body[2], body[3]),
                "a parameter more": recipient.encrypt(signed(), message_headers={KIDContext: b"x"}),
                "a salt": recipient.encrypt(signed(), recipient_headers={Salt: bytes(32)}),
                "no binding": recipient.encrypt(signed(), aad=b""),
                "another content type": recipient.encrypt(signed(), content_type="application/cbor"),
                "plain content": recipient.encrypt(b'{"kwh": 7}'),
                "encrypted within encrypted": recipient.encrypt(recipient.encrypt(signed())),
                "another device's signature": recipient.encrypt(Signer(other).sign(signer.content(next(count), "up/meter"))),
                "another device's message": recipient.encrypt(Signer(other).sign(Signer(other).content(1, "up/meter"))),
            }
            for name, message in bad.items():
                text, code = mosquitto(message), curl(message)
                require(text != "" and code == "400", f"{name}: {text!r} {code}")
            require(newest()["id"] == before, "something was kept")
            require(mosquitto(good) == "", "what was not heard cannot be said any more")

        with case("the owner reads what was wrong"):
            def details():
                return [line.get("detail") or "" for line in gateway.listed("refused-messages")
                        if line["reason"] == "protection"]

            eventually(lambda: any(details()), details())

        with case("a former key is taken until it is destroyed"):
            platform.call("org", "message-key", "maker", "--new", "--reason", "a test", "--out", chain, by="maker")
            require(mosquitto(recipient.encrypt(signed())) == "", "the former key is refused")
            fresh = Recipient(chain.read_bytes())
            require(fresh.kid != recipient.kid and mosquitto(fresh.encrypt(signed())) == "", "the new key is refused")
            platform.call("org", "message-key", "maker", "--new", "--reason", "stolen", "--accept-former-days", "0",
                          "--out", chain, by="maker")
            for gone in (recipient, fresh):
                require(curl(gone.encrypt(signed())) == "400", "a destroyed key opens something")
            recipient = Recipient(chain.read_bytes())
            require(curl(recipient.encrypt(signed())) == "204", "refused")

        with case("what our command line encrypts is taken, and is what pycose makes"):
            payload, ours, plain = OUT / "payload.json", OUT / "ours.cose", OUT / "plain.cose"
            payload.write_text('{"kwh": 8}')
            common = ["--identity", platform.folder / "BG1-0001.pem", "--device", meter.id, "--topic", "up/meter"]
            platform.call("message", "sign", payload, *common, "--counter", str(next(count)), "--out", ours,
                          "--recipient", chain, "--anchor", platform.roots)
            require(mosquitto(ours.read_bytes()) == "" and newest()["encrypted"], "refused")
            platform.call("message", "sign", payload, *common, "--counter", str(next(count)), "--out", plain)
            encrypt = ["message", "encrypt", plain, "--recipient", chain, "--anchor", platform.roots, "--out", ours]
            platform.call(*encrypt, "--organisation", "maker")
            require(curl(ours.read_bytes()) == "204", "refused")
            refused = platform.tegata(*encrypt, "--organisation", "somebody", expect=1)
            require("maker's, not somebody's" in refused.text, refused.text)
            # A gateway that puts its own certificate in the place of the owner's key.
            fake = ["message", "encrypt", plain, "--recipient", gateway.certificates, "--anchor", platform.roots,
                    "--organisation", "maker", "--out", ours]
            require("names nobody to encrypt for" in platform.tegata(*fake, expect=1).text, "encrypted for a gateway")

        with case("pycose reads what our command line encrypts for a key of its own"):
            root, leaf, own = authority("interop")
            (OUT / "their-root.pem").write_bytes(root)
            (OUT / "their-leaf.pem").write_bytes(leaf)
            platform.call("message", "encrypt", plain, "--recipient", OUT / "their-leaf.pem", "--anchor",
                          OUT / "their-root.pem", "--organisation", "interop", "--out", ours)
            require(decrypt(ours.read_bytes(), own) == plain.read_bytes(), "pycose reads something else")


main()
finish()
