"""What devices usually do (docs/behaviour.md): it is learned from mosquitto, paho-mqtt and curl; what leaves it raises
an alert that says what was seen and what is ordinary, and puts the device into quarantine where the rule says so. One
device does not widen what is ordinary for the others, people accept what is, and SIGKILL forgets nothing of it."""

import json
import time

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from lib import Failure, OUT, case, finish, require, run
from mqtt_device import SECONDS_MAX, Device, Gate, eventually

# Another network of the loopback: another /24.
ELSEWHERE = "127.0.9.1"


class Desk:
    """What an organisation sees of profiles and alerts."""

    def __init__(self, platform, organisation="maker"):
        self.platform, self.organisation = platform, organisation
        self.line = f"{platform.MAKER}/{platform.PRODUCT}"

    def profile(self, command, *arguments):
        return self.platform.call("profile", command, self.line, *arguments, "--organisation", self.organisation,
                                  by=self.organisation)

    def device(self, command, device, *arguments):
        return self.platform.call("profile", command, device.id, *arguments, by=self.organisation)

    def alert(self, command, *arguments):
        return self.platform.call("alert", command, *arguments, "--organisation", self.organisation,
                                  by=self.organisation)

    def alerts(self, *arguments):
        found = self.alert("list", "--all", *arguments)
        return [found] if isinstance(found, dict) else found

    def raised(self, rule, device):
        """The alert of a rule about a device, once it is there."""
        found = []

        def there():
            found[:] = self.alerts("--rule", rule, "--device", device.id)
            return found

        eventually(there, f"no alert of {rule}, but {[(one['rule'], one['about']) for one in self.alerts()]}")
        return self.alert("show", found[0]["id"])


def explained(alert, seen, ordinary):
    event = alert["evidence"][-1]
    details = event["details"]
    require((details["seen"], details["ordinary"]) == (seen, ordinary), details)
    require(seen in details["explanation"] and details["since"] in details["explanation"], details)
    require(alert["alert"]["suggestion"], alert)


def http(device, topic, payload):
    run("curl", "--silent", "--show-error", "--fail", "--output", "/dev/null", "--cacert", device.platform.roots,
        "--cert", device.certificates, "--key", device.key, "--data-binary", payload,
        "-H", "Content-Type: application/json", f"{device.platform.url}/v1/messages?topic={topic}")


def says_version(device, version):
    body = device.platform.folder / "poll.json"
    body.write_text(json.dumps({"hardware_id": "bg-1", "version": version, "confirmed": True}))
    run("curl", "--silent", "--show-error", "--fail", "--output", "/dev/null", "--cacert", device.platform.roots,
        "--cert", device.certificates, "--key", device.key, "--data-binary", f"@{body}",
        "-H", "Content-Type: application/json", f"{device.platform.url}/v1/update/poll")


def usual(devices):
    for number, device in enumerate(devices):
        device.publish("-t", "me/up/t", "-q", "1", "-m", json.dumps({"number": number}))
        client = device.client(client_id=f"paho-{number}")
        client.connect()
        for count in range(5):
            client.client.publish("me/up/t", json.dumps({"number": count}), qos=1)
            client.wait("published")
        client.end()
        says_version(device, "2.0")


def main():
    with Gate(OUT / "platform") as platform:
        desk = Desk(platform)
        devices = [Device(platform, f"BG-{number:04}") for number in range(5)]
        shell, away, flood, new, good = devices

        with case("what devices do is learned, and tells nothing"):
            usual(devices)

            def seen():
                # There is a profile once a first device was looked at, a second later.
                try:
                    return desk.profile("show")["devices"] == 5
                except Failure:
                    return False

            eventually(seen, "not all were seen")
            found = desk.profile("show")
            require(found["phase"] == "learning" and found["until"], found)
            require(desk.alerts() == [], desk.alerts())
            found = desk.profile("watch")
            ordinary = {one["aspect"]: one for one in found["ordinary"]}
            require(found["phase"] == "watching", found)
            require(ordinary["topic"]["values"] == ["up/t"], ordinary)
            require(ordinary["place"]["values"] == ["127.0.0.0/24"], ordinary)
            require(ordinary["door"]["values"] == ["mqtt"], ordinary)
            require(ordinary["firmware"]["values"] == ["2.0"], ordinary)
            require(ordinary["rate"]["bound"] == 60 and ordinary["size"]["bound"] == 256, ordinary)

        with case("what is usual goes on to tell nothing"):
            usual(devices)
            time.sleep(3)
            require(desk.alerts() == [], desk.alerts())

        with case("another topic"):
            shell.publish("-t", "me/up/shell", "-q", "1", "-m", "id")
            found = desk.raised("unexpected-topic", shell)
            explained(found, "up/shell", "up/t")
            require(found["evidence"][0]["actor"] == f"device {shell.id}", found["evidence"])

        with case("another network"):
            client = away.client(client_id="paho-1")
            properties = Properties(PacketTypes.CONNECT)
            client.client.connect("localhost", client.port, bind_address=ELSEWHERE, clean_start=True, properties=properties)
            client.client.loop_start()
            client.wait("connect")
            found = desk.raised("unexpected-place", away)
            explained(found, "127.0.9.0/24", "127.0.0.0/24")
            require(found["evidence"][0]["source"] == ELSEWHERE, found["evidence"])
            client.end()

        with case("another door, a larger message, another version"):
            http(new, "me/up/t", json.dumps({"blob": "x" * 5000}))
            explained(desk.raised("unexpected-door", new), "http", "mqtt")
            explained(desk.raised("unexpected-size", new), "5012", "256")
            says_version(new, "6.6.6")
            found = desk.raised("unexpected-firmware", new)
            explained(found, "6.6.6", "2.0")
            # A version is said with an update token too: nothing happens by itself for it.
            require("actor" not in found["evidence"][0] or not found["evidence"][0]["actor"], found["evidence"])

        with case("a higher rate puts the device into quarantine where the rule says so; a person releases"):
            desk.alert("rules", "automatic", "unexpected-rate")
            client = flood.client(client_id="paho-2")
            client.connect()
            for count in range(200):
                client.client.publish("me/up/t", json.dumps({"number": count}), qos=0)
                time.sleep(0.02)
            found = desk.raised("unexpected-rate", flood)
            require(found["evidence"][0]["details"]["ordinary"] == "60", found["evidence"])
            require(int(found["evidence"][0]["details"]["seen"]) > 60, found["evidence"])
            require(found["alert"]["quarantine"] == "done" and found["standing"] == "suspended", found)
            client.wait("disconnect")
            client.end()
            flood.publish("-t", "me/up/t", "-m", "1", expect=None)
            require(desk.alert("show", found["alert"]["id"])["standing"] == "suspended", "nobody released it")
            released = desk.alert("release", found["alert"]["id"], "--note", "a test of the pump")
            require(released["standing"] == "good", released)

        with case("one device alone does not make it ordinary for the others; a person does"):
            desk.device("accept-device", shell, "topic", "up/shell")
            before = len(desk.device("device", shell)["deviations"])
            shell.publish("-t", "me/up/shell", "-q", "1", "-m", "id")
            good.publish("-t", "me/up/shell", "-q", "1", "-m", "id")
            desk.raised("unexpected-topic", good)
            require(len(desk.device("device", shell)["deviations"]) == before, desk.device("device", shell))
            found = desk.profile("accept", "topic", "up/shell")
            require(found["accepted"][0]["value"] == "up/shell", found)
            new.publish("-t", "me/up/shell", "-q", "1", "-m", "id")
            time.sleep(3)
            require(desk.alerts("--rule", "unexpected-topic", "--device", new.id) == [], desk.alerts())

        with case("profiles outlive SIGKILL, and go on to tell"):
            before = desk.profile("show")
            platform.server.kill()
            platform.server.wait(SECONDS_MAX)
            platform.start()
            after = desk.profile("show")
            for name in ["phase", "devices", "ordinary", "accepted", "settings"]:
                require(before[name] == after[name], (name, before, after))
            good.publish("-t", "me/up/other", "-q", "1", "-m", "id")
            eventually(lambda: any(one["seen"] == "up/other" for one in desk.device("device", good)["deviations"]),
                       "it tells no more")

        with case("another organisation sees nothing of it"):
            other = Desk(platform, "owner")
            found = platform.call("profile", "list", "--organisation", "owner", by="owner")
            require(found == [], found)
            refused = platform.tegata("profile", "device", good.id, by="owner", expect=None)
            require(refused.returncode != 0, "it is another's device")
            require(other.alerts() == [], other.alerts())


main()
finish()
