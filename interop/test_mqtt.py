"""mosquitto_pub, mosquitto_sub and paho-mqtt, unmodified, at the MQTT door: what works, and misuse that is
refused."""

import json
import subprocess
import time

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from lib import OUT, case, finish, require, run
from mqtt_device import SECONDS_MAX, Device, Gate, eventually
from tegata import credential


def main():
    with Gate(OUT / "platform") as platform:
        device, other = Device(platform, "BG1-0001"), Device(platform, "BG1-0002")

        for version in ["4", "5"]:
            for qos in ["0", "1", "2"]:
                with case(f"mosquitto {version}: a message of QoS {qos} is kept, and heard by who listens"):
                    text = f"v{version} q{qos}"
                    # A client of 3.1.1 is told that it listens when it hears something.
                    listener = device.subscribe("-t", "me/up/#", "-q", qos, "-C", "1", "-v", version=version)
                    try:
                        def heard():
                            device.publish("-t", f"me/up/t{version}{qos}", "-q", qos, "-m", text, version=version)
                            try:
                                listener.wait(1)
                            except subprocess.TimeoutExpired:
                                return False
                            return True
                        eventually(heard, "nothing was heard")
                    finally:
                        listener.kill()
                        out = listener.stdout.read().decode().strip()
                    require(out == f"me/up/t{version}{qos} {text}", out)
                    eventually(lambda: any(m["topic"] == f"up/t{version}{qos}" for m in device.messages()),
                               "the message was not kept")

        with case("mosquitto: another device's space is closed, for publishing and for listening"):
            done = device.publish("-t", f"d/{other.id}/up/x", "-q", "1", "-m", "x", expect=None)
            require("not authorized" in done.text.lower(), done.text)
            done = device.publish("-t", f"d/{other.id}/up/x", "-q", "1", "-m", "x", version="4", expect=None)
            require(done.returncode != 0, "3.1.1: acknowledged")
            for theirs in [f"d/{other.id}/#", "#", "d/+/up/#", "+/+/up/x"]:
                done = device.subscribe("-t", theirs)
                text = b"".join(done.communicate(timeout=SECONDS_MAX)).decode()
                require("denied" in text, f"{theirs} was granted: {text}")
            require(other.messages() == [], "it came through")
            eventually(lambda: device.refused().get("topic", 0) >= 6, device.refused())

        with case("mosquitto: a device does not send itself what only its owner may"):
            done = device.publish("-t", "me/down/command/1", "-q", "1", "-m", "x", expect=None)
            require("not authorized" in done.text.lower(), done.text)

        with case("mosquitto: nobody comes in without a certificate, or with somebody else's"):
            bare = ["-h", "localhost", "-p", platform.mqtt_port, "--cafile", platform.roots, "-t", "x", "-m", "x"]
            require(run("mosquitto_pub", *bare, expect=None, timeout=SECONDS_MAX).returncode != 0, "no certificate")
            foreign = OUT / "foreign"
            run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", "/CN=device", "-keyout", f"{foreign}.key", "-out", f"{foreign}.pem", "-days", "1")
            done = run("mosquitto_pub", *bare, "--cert", f"{foreign}.pem", "--key", f"{foreign}.key",
                       expect=None, timeout=SECONDS_MAX)
            require(done.returncode != 0, "a certificate of its own")
            member = credential(OUT, "member", platform.credentials["maker"].read_text())
            done = run("mosquitto_pub", *bare, "--cert", member[0], "--key", member[1], expect=None,
                       timeout=SECONDS_MAX)
            require(done.returncode != 0, "a member's certificate")

        with case("mosquitto: a message that is too large is refused, and the next one is not"):
            large = OUT / "large"
            large.write_bytes(b"x" * 70_000)
            done = device.publish("-t", "me/up/large", "-q", "1", "-f", large, expect=None)
            require("quota exceeded" in done.text.lower(), done.text)
            large.write_bytes(b"x" * 200_000)
            # Told how much the server takes, the client does not even try.
            device.publish("-t", "me/up/large", "-q", "1", "-f", large, expect=None)
            device.publish("-t", "me/up/large", "-q", "1", "-f", large, version="4", expect=None)
            device.publish("-t", "me/up/small", "-q", "1", "-m", "x")
            topics = [m["topic"] for m in device.messages()]
            require("up/large" not in topics and "up/small" in topics, topics[:5])

        with case("mosquitto: what is retained is heard later, and gone once it is emptied"):
            device.publish("-t", "me/state/reported", "-q", "1", "-r", "-m", "on")
            listener = device.subscribe("-t", "me/state/+", "-C", "1", "-F", "%t %p %r")
            listener.wait(SECONDS_MAX)
            require(listener.stdout.read().decode().strip() == "me/state/reported on 1", "not retained")
            device.publish("-t", "me/state/reported", "-q", "1", "-r", "-n")
            listener = device.subscribe("-t", "me/#", "-W", "2")
            listener.wait(SECONDS_MAX)
            require(listener.stdout.read() == b"", "still there")

        with case("paho: a counter is heard once, and a replay is refused"):
            client = device.client()
            client.connect()
            properties = Properties(PacketTypes.PUBLISH)
            properties.UserProperty = [("tegata-counter", "7")]
            client.client.publish("me/up/counted", "1", qos=1, properties=properties)
            require(client.wait("published")[1] == 0, "refused")
            client.client.publish("me/up/counted", "1", qos=1, properties=properties)
            require(client.wait("published")[1] == 0x99, "a replay was taken")
            client.end()
            eventually(lambda: device.refused().get("replayed", 0) == 1, device.refused())
            require(sum(m["topic"] == "up/counted" for m in device.messages()) == 1, "kept twice")

        with case("paho: a session that is kept goes on where it was, in order"):
            client = device.client(client_id="kept")
            client.connect(expiry=300)
            client.client.subscribe("me/up/kept/#", qos=1)
            require(client.wait("subscribed")[1] == [1], "not granted")
            client.end()
            for number in range(20):
                device.publish("-t", f"me/up/kept/{number}", "-q", "1", "-m", str(number))
            client = device.client(client_id="kept")
            present, code = client.connect(clean=False, expiry=0)
            require(present and code == 0, "the session is gone")
            heard = [int(client.wait("message")[1]) for _ in range(20)]
            require(heard == list(range(20)), heard)
            client.end()

        with case("paho: a second connection of one client ends the first, and says why"):
            first, second = device.client(client_id="one"), device.client(client_id="one")
            first.client.reconnect_delay_set(120, 120)
            first.connect()
            second.connect()
            code = first.wait("disconnect")[0]
            require(code == 0x8E, f"it was told {code:#x}")
            first.client.loop_stop()
            second.end()
            # Another device may use the same name: it is somebody else's.
            mine, theirs = device.client(client_id="same"), other.client(client_id="same")
            mine.connect()
            theirs.connect()
            mine.client.publish("me/up/same", "1", qos=1)
            require(mine.wait("published")[1] == 0, "the other one ended it")
            mine.end()
            theirs.end()

        with case("paho: the will of a connection that breaks off is heard, that of a goodbye is not"):
            listener = device.client(client_id="listener")
            listener.connect()
            listener.client.subscribe("me/up/will/#", qos=1)
            listener.wait("subscribed")
            polite = device.client(client_id="polite", will=("me/up/will/polite", "gone", 1))
            polite.connect()
            polite.end()
            rude = device.client(client_id="rude", will=("me/up/will/rude", "gone", 1))
            rude.connect()
            rude.cut()
            require(listener.wait("message")[:2] == ("me/up/will/rude", b"gone"), "another will")
            listener.end()

        with case("paho: who is suspended is cut off at once and stays out until it is released"):
            victim = Device(platform, "BG1-0003")
            client = victim.client()
            client.client.reconnect_delay_set(120, 120)
            client.connect()
            platform.tegata("device", "act", victim.id, "suspend", "--cause", "anomaly", "--reason", "seen elsewhere",
                            by="maker")
            done = time.monotonic()
            require(client.wait("disconnect")[0] == 0x87, "not told")
            print(f"   cut off {time.monotonic() - done:.2f} s after the command came back")
            client.client.loop_stop()
            require(victim.publish("-t", "me/up/x", "-q", "1", "-m", "x", expect=None).returncode != 0, "came in")
            require(victim.messages() == [], "was heard")
            platform.tegata("device", "act", victim.id, "release", "--reason", "it was not", by="maker")
            victim.publish("-t", "me/up/x", "-q", "1", "-m", "x")

        with case("curl: the same message by HTTP, with the same rules, and heard by MQTT"):
            listener = device.client(client_id="hears-http")
            listener.connect()
            listener.client.subscribe("me/up/http", qos=1)
            listener.wait("subscribed")

            def post(topic, body, media_type="application/json", more="", who=None):
                who = who or device
                done = run("curl", "-sS", "--cacert", platform.roots, "--cert", who.certificates, "--key", who.key,
                           "-H", f"Content-Type: {media_type}", "-d", body, "-w", "\n%{http_code}",
                           f"{platform.url}/v1/messages?topic={topic}{more}", expect=None, timeout=SECONDS_MAX)
                text, _, status = done.stdout.decode().rpartition("\n")
                return int(status), json.loads(text) if text else None

            require(post("me/up/http", "[1]", more="&counter=1000")[0] == 204, "refused")
            require(listener.wait("message")[:2] == ("me/up/http", b"[1]"), "another message")
            listener.end()
            status, problem = post("me/up/http", "[1]", more="&counter=1000")
            require(status == 400, f"a replay: {status} {problem}")
            for topic in [f"d/{other.id}/up/x", "plant/x", "me/down/command"]:
                status, problem = post(topic, "1")
                require(status == 403 and other.id not in json.dumps(problem), f"{topic}: {status} {problem}")
            require(post("me/%23", "1")[0] == 400, "a wildcard is no place to publish to")
            require(post("me/up/http", "1", media_type="text/html")[0] == 415, "any media type")
            large.write_bytes(b"x" * 65_537)
            require(post("me/up/http", f"@{large}", media_type="text/plain")[0] == 413, "too large")
            kept = [m for m in device.messages() if m["topic"] == "up/http"]
            require(len(kept) == 1 and kept[0]["door"] == "http" and kept[0]["media_type"] == "application/json", kept)

        with case("what was acknowledged is there after SIGKILL, and the device is served again"):
            for number in range(10):
                device.publish("-t", f"me/up/before/{number}", "-q", "1", "-m", str(number))
            platform.server.kill()
            platform.server.wait()
            platform.start()
            kept = {m["topic"] for m in device.messages()}
            require({f"up/before/{number}" for number in range(10)} <= kept, kept)
            device.publish("-t", "me/up/after", "-q", "1", "-m", "x")

        with case("the owner reads what its devices say, and nobody else"):
            text = json.dumps(device.messages())
            require("before" in text and device.messages()[0]["id"] > device.messages()[1]["id"], text[:400])
            done = platform.tegata("device", "messages", device.id, by="owner", expect=None)
            require(done.returncode != 0 and "up/" not in done.text, done.text)


main()
finish()
