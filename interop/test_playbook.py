"""The attack playbook (docs/alerts.md): each attack through the real doors raises its alert with its suggestion, and no
other device's service suffers; devices that do what they should raise none. mosquitto, paho-mqtt and curl attack."""

import json
import socket
import ssl
import time

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from lib import OUT, case, finish, require, run
from mqtt_device import SECONDS_MAX, Device, Gate, eventually

# Another network of the loopback: another /24.
ELSEWHERE = "127.0.9.1"


class Guarded(Gate):
    CONSOLE = True


class Desk:
    """What an organisation sees of its alerts."""

    def __init__(self, platform, organisation):
        self.platform, self.organisation = platform, organisation
        self.by = None if organisation == "platform" else organisation

    def call(self, *arguments):
        found = self.platform.call("alert", *arguments, "--organisation", self.organisation, by=self.by)
        return found

    def alerts(self, *arguments):
        found = self.call("list", "--all", *arguments)
        return [found] if isinstance(found, dict) else found

    def alert(self, rule, device=None):
        """The alert of a rule, once it is there."""
        found = []

        def there():
            found[:] = self.alerts("--rule", rule, *(["--device", device.id] if device else []))
            return found

        eventually(there, f"no alert of {rule}, but {[(one['rule'], one['about']) for one in self.alerts()]}")
        require(len(found) == 1, f"{rule}: {found}")
        return self.call("show", found[0]["id"])

    def rules(self):
        return sorted({one["rule"] for one in self.alerts()})


def works(device):
    """Whether a device is served."""
    device.publish("-t", "me/up/alive", "-q", "1", "-m", "1")


def poll(device, **said):
    """A device asks what to run, and says what it runs and found."""
    body = device.platform.folder / "poll.json"
    body.write_text(json.dumps(said))
    answer = run("curl", "--silent", "--show-error", "--fail-with-body", "--cacert", device.platform.roots,
                 "--cert", device.certificates, "--key", device.key, "--data-binary", f"@{body}",
                 "-H", "Content-Type: application/json", f"{device.platform.url}/v1/update/poll")
    return json.loads(answer.stdout or b"null")


def message(device, topic, payload, counter=None, source=None, expect=0):
    """A message by HTTP."""
    query = f"topic={topic}" + (f"&counter={counter}" if counter is not None else "")
    return run("curl", "--silent", "--show-error", "--output", "/dev/null", "--write-out", "%{http_code}",
               "--cacert", device.platform.roots, "--cert", device.certificates, "--key", device.key,
               *(["--interface", source] if source else []), "--data-binary", payload,
               "-H", "Content-Type: application/json", f"{device.platform.url}/v1/messages?{query}",
               expect=expect).stdout.decode()


def suggests(alert, suggestion, severity, device=None):
    alert = alert["alert"] if "alert" in alert else alert
    require((alert["suggest"], alert["severity"]) == (suggestion, severity), alert)
    require(len(alert["suggestion"]) > 20, alert)
    if device:
        require(alert["device"] == device.id, alert)


def main():
    with Guarded(OUT / "platform") as platform:
        maker, desk = Desk(platform, "maker"), Desk(platform, "platform")
        names = ["stolen", "flood", "replay", "storm", "probe", "old", "tamper", "good"]
        devices = {name: Device(platform, f"BG-{number:04}") for number, name in enumerate(names)}
        good = devices["good"]

        with case("what devices usually do raises nothing"):
            for name, device in devices.items():
                client = device.client(client_id=name)
                client.connect()
                for number in range(20):
                    client.client.publish("me/up/t", json.dumps({"number": number}), qos=1)
                    client.wait("published")
                client.end()
                # It comes again, and it is not the only one at its address.
                client = device.client(client_id=name)
                client.connect()
                client.client.subscribe("me/down/#", qos=1)
                client.wait("subscribed")
                client.end()
                message(device, "me/up/t", "{}", counter=1)
                message(device, "me/up/t", "{}", counter=2)
                poll(device, hardware_id="bg-1", version="2.0", release_counter=7, confirmed=True,
                     self_test=[{"test": "integrity", "outcome": "pass", "code": "good", "detail": ""}])
            # One mistake is a mistake.
            require(message(good, "d/00000000000000000000000000000000/up/x", "{}").startswith("4"), "a strange topic")
            time.sleep(3)
            require(maker.alerts() == [] and desk.alerts() == [], (maker.rules(), desk.rules()))

        with case("stolen certificate: used in another network while the device is here"):
            device = devices["stolen"]
            here = device.client(client_id="device")
            here.connect()
            thief = device.client(client_id="thief")
            properties = Properties(PacketTypes.CONNECT)
            thief.client.connect("localhost", thief.port, bind_address=ELSEWHERE, clean_start=True, properties=properties)
            thief.client.loop_start()
            thief.wait("connect")
            found = maker.alert("stolen-certificate", device)
            suggests(found, "revoke-and-reissue", "critical", device)
            event = found["evidence"][0]
            require(event["source"] == ELSEWHERE and event["details"]["from"] == "127.0.0.0/24", event)
            # What is suggested ends both sessions; the thief does not come back.
            done = maker.call("quarantine", found["alert"]["id"], "--note", "somebody else has the key")
            require(done["standing"] == "suspended", done)
            here.wait("disconnect")
            thief.wait("disconnect")
            here.end()
            thief.end()
            device.publish("-t", "me/up/x", "-m", "1", expect=None)
            released = maker.call("release", found["alert"]["id"], "--note", "a drill")
            require(released["standing"] == "good", released)
            require([note["what"] for note in released["notes"]] == ["quarantined", "released"], released["notes"])
            works(good)

        with case("message flood"):
            device = devices["flood"]
            client = device.client(client_id="flood")
            client.connect()
            began = time.monotonic()
            while not maker.alerts("--rule", "message-flood"):
                require(time.monotonic() < began + SECONDS_MAX, device.refused())
                for _ in range(400):
                    client.client.publish("me/up/flood", b"x" * 64, qos=0)
                time.sleep(0.05)
            works(good)
            suggests(maker.alert("message-flood", device), "reduce-traffic", "high", device)
            client.end()

        with case("replay: messages that were heard come again"):
            device = devices["replay"]
            for _ in range(6):
                message(device, "me/up/t", "{}", counter=2)
            suggests(maker.alert("replay", device), "revoke-and-reissue", "high", device)

        with case("malformed storm: bytes that are no MQTT, and what says what it cannot"):
            device = devices["storm"]
            context = ssl.create_default_context(cafile=str(platform.roots))
            context.load_cert_chain(str(device.certificates), str(device.key))
            hello = bytes.fromhex("101000044d51545405020000000003") + b"abc"
            for _ in range(25):
                with socket.create_connection(("localhost", platform.mqtt_port), timeout=10) as plain:
                    with context.wrap_socket(plain, server_hostname="localhost") as stream:
                        stream.sendall(hello)
                        require(stream.recv(1) == b"\x20", "no CONNACK")
                        stream.sendall(b"\xf0\xff\xff\xff\xff\xff\xff")
                        while stream.recv(4096):
                            pass
            suggests(maker.alert("malformed-storm", device), "check-format", "high", device)

        with case("topic probing: a device tries topics of others"):
            device = devices["probe"]
            for number in range(12):
                message(device, f"d/{good.id}/up/{number}", "{}")
            found = maker.alert("topic-probing", device)
            suggests(found, "quarantine", "high", device)
            require(all(event["actor"] == f"device {device.id}" for event in found["evidence"]), found["evidence"])
            require(not [one for one in good.messages() if one["topic"].startswith("up/1")], good.messages())

        with case("credential stuffing at the console"):
            for number in range(12):
                run("curl", "--silent", "--output", "/dev/null", "--interface", ELSEWHERE,
                    "-H", f"Origin: {platform.console_url}", "--data-urlencode", f"ceremony={number}",
                    "--data-urlencode", 'response={"id":"x"}', f"http://127.0.0.1:{platform.console_port}/sign-in/finish",
                    "-H", f"Host: localhost:{platform.console_port}")
            found = desk.alert("credential-stuffing")
            suggests(found, "block-source", "high")
            require(found["alert"]["about"] == f"source {ELSEWHERE}", found["alert"])
            require("credential-stuffing" not in maker.rules(), "another organisation's business")

        with case("firmware regression"):
            device = devices["old"]
            poll(device, hardware_id="bg-1", version="1.0", release_counter=3, confirmed=True)
            suggests(maker.alert("firmware-regression", device), "update-firmware", "high", device)

        with case("physical tamper report: a rule may put the device into quarantine by itself"):
            device = devices["tamper"]
            maker.call("rules", "automatic", "physical-tamper")
            poll(device, hardware_id="bg-1", version="2.0", release_counter=7, confirmed=True,
                 self_test=[{"test": "tamper", "outcome": "stop", "code": "tamper", "detail": "input lid"}])
            found = maker.alert("physical-tamper", device)
            suggests(found, "inspect-device", "critical", device)
            require(found["alert"]["quarantine"] == "done" and found["standing"] == "suspended", found)
            device.publish("-t", "me/up/x", "-m", "1", expect=None)
            # Nobody but a person releases it.
            found = maker.call("release", found["alert"]["id"], "--note", "the lid was loose")
            require(found["standing"] == "good", found)

        with case("nobody else was touched: no alert about others, everybody else is served"):
            wanted = {"stolen": {"stolen-certificate"}, "flood": {"message-flood"}, "replay": {"replay"},
                      "storm": {"malformed-storm"}, "probe": {"topic-probing"}, "old": {"firmware-regression"},
                      "tamper": {"physical-tamper"}, "good": set()}
            for name, device in devices.items():
                found = {one["rule"] for one in maker.alerts("--device", device.id)}
                require(found - {"changing-places"} == wanted[name], (name, found))
            require(desk.rules() == ["credential-stuffing"], desk.rules())
            works(good)
            works(devices["tamper"])
            owner = Desk(platform, "owner")
            require(owner.alerts() == [], owner.rules())

        with case("alerts outlive a restart, and are neither raised again nor lost"):
            counts = lambda: {one["id"]: one["count"] for one in maker.alerts()}
            before = counts()
            platform.stop()
            platform.start()
            time.sleep(2)
            after = counts()
            require(before.keys() == after.keys(), (before, after))
            # What a flood had on its way may still be refused, and counts under the same alert.
            require(all(after[one] >= count for one, count in before.items()), (before, after))


main()
finish()
