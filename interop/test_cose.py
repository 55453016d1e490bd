"""Signed messages (docs/cose.md): pycose signs, mosquitto and curl carry, the platform admits what holds and nothing else."""

import json
import time

import cbor2
from pycose.headers import Critical
from pycose.messages import Sign1Message

from cose import BOUND, CASES, CONTENT_TYPE, POLICIES, Signer
from lib import OUT, case, finish, require, run
from mqtt_device import Device, Gate, eventually


def main():
    with Gate(OUT / "platform") as platform:
        meter, gateway, other = (Device(platform, f"BG1-000{n}") for n in (1, 2, 3))
        signer, stranger = Signer(meter), Signer(other)
        count = iter(range(1, 1000))
        place = f"d/{meter.id}/up/signed"

        def mosquitto(message, who=gateway, topic=place):
            file = OUT / "message.cose"
            file.write_bytes(message)
            done = who.publish("-t", topic, "-q", "1", "-f", file, expect=None)
            return done.text.strip()

        def curl(message, who=gateway, topic=place):
            file = OUT / "message.cose"
            file.write_bytes(message)
            tls = ["--silent", "--show-error", "--cacert", platform.roots, "--cert", who.certificates, "--key", who.key]
            done = run("curl", *tls, "-o", "/dev/null", "-w", "%{http_code}", "-H", "Content-Type: application/cose",
                       "--data-binary", f"@{file}", f"https://localhost:{platform.port}/v1/messages?topic={topic}")
            return done.stdout.decode()

        def newest():
            return meter.messages()[0]

        with case("a device brings what it signed; pycose and the platform agree on every byte"):
            message = signer.sign(signer.content(next(count), "up/meter"))
            require(mosquitto(message, meter, "me/up/signed") == "", "refused")
            found = newest()
            require(found["topic"] == "up/meter" and found["signed_by"] == signer.fingerprint.hex(), found)
            require("carrier" not in found and found["media_type"] == "application/json", found)
            require(curl(signer.sign(signer.content(next(count), "up/meter")), meter, "me/up/signed") == "204", "refused")

        with case("a gateway carries nothing before a policy lets it, and speaks in nobody's name after"):
            message = signer.sign(signer.content(next(count), "up/meter"))
            require("not authorized" in mosquitto(message).lower() and curl(message) == "403", "carried without a policy")
            files = OUT / "carry.cedar", OUT / "carry.yaml"
            ids = {"gateway": gateway.id, "meter": meter.id}
            files[0].write_text(POLICIES.format(**ids))
            files[1].write_text(CASES.format(**ids))
            made = platform.call("policy", "put", *files, "--reason", "a test", by="maker")
            tested = platform.call("policy", "test", "--version", made["version"], by="maker")
            require(tested["report"]["passed"], tested)
            platform.call("policy", "activate", made["version"], "--reason", "a test", by="maker")
            require(mosquitto(message) == "", "not carried")
            require(newest()["carrier"] == gateway.id and newest()["topic"] == "up/meter", newest())
            require(curl(signer.sign(signer.content(next(count), "up/meter"))) == "204", "not carried by HTTP")
            require("not authorized" in mosquitto(b"7", topic=f"d/{meter.id}/up/meter").lower(), "spoke in its name")
            require("not authorized" in mosquitto(message, other).lower(), "carried by another")

        with case("those who listen hear what was signed, on the topic that was signed"):
            listener = meter.subscribe("-t", "me/up/meter", "-q", "1", "-C", "1", "-F", "%t %p")
            time.sleep(1)
            mosquitto(signer.sign(signer.content(next(count), "up/meter", b"heard")))
            listener.wait(60)
            require(listener.stdout.read().decode().strip() == "me/up/meter heard", "not heard")

        with case("a replay, by the gateway or by the device, is refused"):
            message = signer.sign(signer.content(next(count), "up/meter"))
            require(mosquitto(message) == "", "refused")
            require(mosquitto(message) != "" and curl(message) == "400", "heard twice")
            require(mosquitto(message, meter, "me/up/signed") != "", "heard twice")

        with case("what is altered, moved, truncated or signed otherwise does not hold"):
            good = signer.sign(signer.content(next(count), "up/meter"))
            before = newest()["id"]
            content = signer.content(next(count), "up/meter")
            tag, body = good[:1], cbor2.loads(good).value
            forged = cbor2.loads(body[2])
            forged[5] = "up/valve"
            moved = cbor2.dumps(cbor2.CBORTag(18, [body[0], body[1], cbor2.dumps(forged), body[3]]))
            none = cbor2.dumps({1: 0, 3: CONTENT_TYPE, 4: signer.kid})
            hmac = cbor2.dumps({1: 5, 3: CONTENT_TYPE, 4: signer.kid})
            bad = {
                "another topic": moved,
                "truncated": good[:-1],
                "longer": good + b"\x00",
                "empty": b"",
                "no tag": good[1:],
                "algorithm none": cbor2.dumps(cbor2.CBORTag(18, [none, {}, body[2], b""])),
                "a MAC": cbor2.dumps(cbor2.CBORTag(18, [hmac, {}, body[2], body[3]])),
                "no signature": cbor2.dumps(cbor2.CBORTag(18, [body[0], {}, body[2], b""])),
                "detached": cbor2.dumps(cbor2.CBORTag(18, [body[0], {}, None, body[3]])),
                "wrong key": Signer.sign(stranger, signer.content(next(count), "up/meter")),
                "another device's certificate": stranger.sign(
                    signer.content(next(count), "up/meter", certificate=stranger.fingerprint)),
                "another device's message": stranger.sign(stranger.content(1, "up/meter")),
                "no binding": signer.sign(content, aad=b""),
                "another content type": signer.sign(content, content_type="application/json"),
                "unknown crit": signer.sign(content, protected={Critical: [-70001]}),
                "unprotected header": cbor2.dumps(cbor2.CBORTag(18, [body[0], {4: signer.kid}, body[2], body[3]])),
                "version 2": signer.sign([2, *content[1:]]),
                "more items": signer.sign([*content, 1]),
                "indefinite": signer.sign(content).replace(b"\x88\x01\x50", b"\x9f\x01\x50"),
                "signed within signed": signer.sign(signer.content(next(count), "up/signed")),
                "outside of its space": signer.sign(signer.content(next(count), "me/up/x")),
            }
            require(tag == b"\xd2", good[:4])
            for name, message in bad.items():
                text, code = mosquitto(message), curl(message)
                require(text != "" and code == "400", f"{name}: {text!r} {code}")
            require(curl(signer.sign(signer.content(next(count), "down/commands/x"))) == "403", "below down")
            require(newest()["id"] == before, "something was kept")
            require(mosquitto(good) == "", "what was not heard cannot be said any more")

        with case("the owner reads what was wrong"):
            def details():
                return [line.get("detail") or "" for line in gateway.listed("refused-messages")
                        if line["reason"] == "protection"]

            eventually(lambda: any(details()), details())

        with case("topics that must be signed take nothing else, through any door"):
            require(mosquitto(b"7", meter, "me/up/meter") == "", "refused")
            platform.call("product", "signed-topics", "maker", "gate", "--set", "up/meter/#", by="maker")
            require(mosquitto(b"7", meter, "me/up/meter") != "" and curl(b"7", meter, "me/up/meter") == "400", "downgraded")
            require(mosquitto(b"7", meter, "me/up/other") == "", "refused")
            require(mosquitto(signer.sign(signer.content(next(count), "up/meter"))) == "", "what is signed was refused")
            platform.call("product", "signed-topics", "maker", "gate", "--none", by="maker")
            require(mosquitto(b"7", meter, "me/up/meter") == "", "refused")

        with case("our command line reads what pycose signed, pycose what ours did"):
            file = OUT / "theirs.cose"
            file.write_bytes(signer.sign(signer.content(next(count), "up/meter")))
            found = platform.call("message", "verify", file, "--certificate", meter.certificates, "--anchor", platform.roots)
            require(found["valid"] and found["device"] == meter.id and found["topic"] == "up/meter", found)
            done = platform.tegata("--json", "message", "verify", file, "--certificate", other.certificates, expect=2)
            require(not json.loads(done.stdout.decode())["valid"], done.text)
            payload, ours = OUT / "payload.json", OUT / "ours.cose"
            payload.write_text('{"kwh": 8}')
            platform.call("message", "sign", payload, "--identity", platform.folder / "BG1-0001.pem", "--device", meter.id,
                          "--topic", "up/meter", "--counter", str(next(count)), "--out", ours)
            message = Sign1Message.decode(ours.read_bytes())
            message.key, message.external_aad = signer.key, BOUND
            require(message.verify_signature(), "pycose refuses our signature")
            content = cbor2.loads(message.payload)
            require(content[5] == "up/meter" and content[7] == b'{"kwh": 8}', content)
            require(mosquitto(ours.read_bytes()) == "", "refused")

        with case("a suspended device's words are refused, and its gateway stays"):
            client = gateway.client(client_id="carries")
            client.connect()
            platform.report("maker", meter.id, "suspended", "cause=lost")
            client.client.publish(place, signer.sign(signer.content(next(count), "up/meter")), qos=1)
            require(client.wait("published")[1] == 0x99, "another code")
            platform.report("maker", meter.id, "released")
            client.client.publish(place, signer.sign(signer.content(next(count), "up/meter")), qos=1)
            require(client.wait("published")[1] in (0, 0x10), "refused after the release")
            client.end()


main()
finish()
