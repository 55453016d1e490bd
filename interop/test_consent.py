"""Consent per purpose at the doors (docs/consent.md): mosquitto, paho-mqtt and curl, unmodified, as devices."""

import json
import queue
import threading
import time

from lib import OUT, case, finish, require, run
from mqtt_device import SECONDS_MAX, Device, Gate, eventually
from tegata import answers

# What the doors promise: what is withdrawn is refused within that.
WITHDRAWN_SECONDS_MAX = 1.0
LINE = "maker/gate"


def main():
    with Gate(OUT / "platform") as platform:
        device, other = Device(platform, "BG1-0001"), Device(platform, "BG1-0002")

        def declare(name, *topics, explanation="Where the gate stands.", basis=None):
            texts = ["--title-en", f"Title of {name}", "--title-ja", f"{name}の題名", "--explanation-en", explanation,
                     "--explanation-ja", "門の位置です。", "--recipient", "Maker", "--retention-days", "30"]
            for topic in topics:
                texts += ["--topic", topic]
            if basis:
                texts += ["--legal-basis", basis]
            return platform.call("purpose", "declare", LINE, name, *texts, by="maker")

        def decide(what, name, *more, by="maker", of="maker", expect=0):
            """When the answer was there."""
            words = ["consent", what, LINE, name, "--organisation", of, *more]
            done = platform.tegata(*words, by=by, expect=expect)
            return time.monotonic() if expect == 0 else done.text

        def mosquitto(topic, who=device):
            done = who.publish("-t", topic, "-q", "1", "-m", "1", expect=None)
            return "not authorized" not in done.text.lower()

        def curl(topic, who=device):
            base = f"https://localhost:{platform.port}/v1/messages"
            tls = ["--silent", "--show-error", "--cacert", platform.roots, "--cert", who.certificates, "--key", who.key]
            done = run("curl", *tls, "-o", "/dev/null", "-w", "%{http_code}", "-H", "Content-Type: text/plain",
                       "--data", "1", f"{base}?topic={topic}")
            return done.stdout.decode()

        with case("before a purpose is declared its topic is free; then opt-in is the beginning"):
            require(mosquitto("me/up/location/x") and curl("me/up/location/x").startswith("2"), "refused")
            made = declare("better-routes", "up/location/#")
            require((made["version"], made["ended"]) == (1, False), made)
            require(declare("better-routes", "up/location/#")["version"] == 1, "the same text is another version")
            declare("billing", "up/hours", basis="GDPR article 6(1)(b)")
            require(not mosquitto("me/up/location/x") and not mosquitto("me/up/location"), "admitted without consent")
            require(curl("me/up/location/x") == "403", "admitted without consent by HTTP")
            require(mosquitto("me/up/hours") and mosquitto("me/up/other"), "what needs no consent was refused")

        with case("given for all devices, for one, and withdrawn"):
            decide("give", "better-routes", "--version", "1")
            require(mosquitto("me/up/location/x") and mosquitto("me/up/location/x", other), "refused")
            require(curl("me/up/location/x").startswith("2"), "refused by HTTP")
            decide("withdraw", "better-routes", "--device", device.id)
            require(not mosquitto("me/up/location/x") and mosquitto("me/up/location/x", other), "not the one device")
            decide("follow", "better-routes", "--device", device.id)
            require(mosquitto("me/up/location/x"), "not as all devices")

        with case("paho: withdrawn on an open session, refused within a second, and the session lives"):
            for transport in ["tcp", "websockets"]:
                decide("give", "better-routes", "--version", "1")
                client = device.client(client_id="tells", transport=transport)
                client.connect()
                sent, stop, codes = {}, threading.Event(), []

                def send():
                    while not stop.is_set():
                        info = client.client.publish("me/up/location/x", "1", qos=1)
                        sent[info.mid] = time.monotonic()
                        time.sleep(0.1)

                thread = threading.Thread(target=send)
                thread.start()
                require(client.wait("published")[1] in (0, 0x10), "refused")
                at = decide("withdraw", "better-routes")
                time.sleep(2)
                stop.set()
                thread.join()
                time.sleep(0.5)
                while True:
                    try:
                        found = client.heard.get_nowait()
                    except queue.Empty:
                        break
                    require(found[0] != "disconnect", "the session ended")
                    if found[0] == "published":
                        codes.append((sent[found[1]] - at, found[2]))
                worst = max((when for when, code in codes if code < 0x80), default=0.0)
                refused = [code for when, code in codes if when > WITHDRAWN_SECONDS_MAX]
                print(f"    {transport}: the last that was taken was sent {worst:+.3f} s after the withdrawal")
                require(worst < WITHDRAWN_SECONDS_MAX, f"taken {worst} s later")
                require(refused and set(refused) == {0x87}, refused)
                client.end()

        with case("what was kept and what waits for a session that was away is not heard"):
            decide("give", "better-routes", "--version", "1")
            device.publish("-t", "me/up/location/kept", "-q", "1", "-r", "-m", "here")
            away = device.client(client_id="away")
            away.connect(expiry=300)
            away.client.subscribe("me/up/location/#", qos=1)
            away.wait("subscribed")
            require(away.wait("message")[1] == b"here", "not heard with consent")
            away.cut()
            device.publish("-t", "me/up/location/x", "-q", "1", "-m", "waits")
            decide("withdraw", "better-routes")
            time.sleep(1)
            back = device.client(client_id="away")
            back.connect(clean=False, expiry=300)
            back.client.subscribe("me/up/location/#", qos=1)
            back.wait("subscribed")
            time.sleep(1)
            kinds = [found[0] for found in list(back.heard.queue)]
            require("message" not in kinds, kinds)
            back.end()

        with case("a changed text needs consent anew, and to the text that was read"):
            decide("give", "better-routes", "--version", "1")
            require(mosquitto("me/up/location/x"), "refused")
            require(declare("better-routes", "up/location/#", explanation="And sold.")["version"] == 2, "no version")
            require(not mosquitto("me/up/location/x"), "consent to another text")
            require("purpose-changed" in decide("give", "better-routes", "--version", "1", expect=1), "taken")
            decide("give", "better-routes", "--version", "2")
            require(mosquitto("me/up/location/x"), "refused")

        with case("a message goes by the routes of what was agreed; what waits is dropped and counted when it is withdrawn"):
            declare("care", "up/wear", basis="contract")
            declare("ads", "up/wear", "up/taste")
            route = ["--organisation", "maker", "--product", LINE]
            for name in ["care", "ads"]:
                platform.call("route", "put", name, *route, "--purpose", name, "--to", "https://localhost:9/x", by="maker")
                platform.call("route", "pause", name, "--organisation", "maker", by="maker")

            def counts(name):
                found = platform.call("route", "show", name, "--organisation", "maker", by="maker")
                return found["waiting"], found["withheld"]

            require(mosquitto("me/up/wear") and not mosquitto("me/up/taste"), "not by its purpose")
            require((counts("care"), counts("ads")) == ((1, 0), (0, 0)), (counts("care"), counts("ads")))
            decide("give", "ads", "--version", "1")
            require(mosquitto("me/up/wear") and mosquitto("me/up/taste"), "refused")
            require((counts("care"), counts("ads")) == ((2, 0), (2, 0)), (counts("care"), counts("ads")))
            decide("withdraw", "ads")
            platform.call("route", "resume", "ads", "--organisation", "maker", by="maker")
            eventually(lambda: counts("ads") == (0, 2), counts("ads"))
            require(counts("care") == (2, 0), counts("care"))

        with case("another organisation neither sees nor sets"):
            for by, of in [("owner", "maker"), ("owner", "owner")]:
                text = decide("give", "better-routes", "--version", "2", "--device", device.id, by=by, of=of, expect=1)
                require("not-found" in text or "not found" in text, text)
                text = decide("withdraw", "better-routes", by=by, of=of, expect=1)
                require("not-found" in text or "not found" in text, text)
            require(platform.call("consent", "list", "--organisation", "owner", by="owner") in ([], None), "seen")
            done = platform.tegata("consent", "list", "--organisation", "maker", by="owner", expect=None)
            require(done.returncode != 0 and "better-routes" not in done.text, done.text)
            done = platform.tegata("purpose", "list", LINE, by="owner", expect=None)
            require(done.returncode != 0 and "better-routes" not in done.text, done.text)
            require(mosquitto("me/up/location/x"), "withdrawn by another")

        with case("who decided what is on record, with the version; refusals are counted with their purpose"):
            history = platform.call("consent", "history", "--organisation", "maker", by="maker")
            require(history[0]["decision"] == "withdrawn" and history[0]["purpose"] == "ads", history[0])
            given = [one for one in history if one["decision"] == "given" and one["purpose"] == "better-routes"]
            require(given[0]["version"] == 2 and given[-1]["version"] == 1 and given[0]["by"], given)
            eventually(lambda: "consent" in device.refused(), device.refused())
            details = [line.get("detail") for line in device.listed("refused-messages") if line["reason"] == "consent"]
            require(any("not agreed to" in (detail or "") for detail in details), details)
            said = [json.dumps(event) for event in platform.call("audit", "list", "--kind", "configuration-change", by="maker")]
            require(any('"consent"' in line and "withdrawn" in line for line in said), "not in the audit log")

        with case("a restart keeps what was decided, and an ended purpose stays closed"):
            platform.stop()
            platform.start()
            eventually(lambda: answers(platform.mqtt_port), "the door for messages does not open")
            require(mosquitto("me/up/location/x") and not mosquitto("me/up/taste"), "otherwise after a restart")
            require(platform.call("purpose", "end", LINE, "better-routes", by="maker")["ended"], "not ended")
            require(not mosquitto("me/up/location/x"), "an end made the topic free")
            require("purpose-ended" in decide("give", "better-routes", "--version", "3", expect=1), "taken")


main()
finish()
