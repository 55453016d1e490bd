"""Commands and settings for devices (docs/command.md): mosquitto, paho-mqtt and curl, unmodified, as devices."""

import json

from lib import OUT, case, finish, require, run
from mqtt_device import SECONDS_MAX, Device, Gate, eventually


def main():
    with Gate(OUT / "platform") as platform:
        device, other = Device(platform, "BG1-0001"), Device(platform, "BG1-0002")

        def give(name, *arguments, to=device):
            return platform.call("device", "command", to.id, name, "--reason", "for a test", *arguments, by="maker")

        def known(command, of=device):
            return next(one for one in of.listed("commands") if one["id"] == command["id"])

        def answer(command, said, by=device):
            by.publish("-t", f"me/up/commands/{command['id']}", "-q", "1", "-m", json.dumps(said))

        with case("mosquitto: a command that waited is heard by who comes to listen, and answered"):
            command = give("restart", "--parameters", '{"delay_s": 5}')
            require(command["state"] == "waiting", command)
            listener = device.subscribe("-t", "me/down/#", "-q", "1", "-C", "1", "-F", "%t %p")
            listener.wait(SECONDS_MAX)
            topic, said = listener.stdout.read().decode().strip().split(" ", 1)
            require(topic == f"me/down/commands/{command['id']}", topic)
            said = json.loads(said)
            require(said["name"] == "restart" and said["parameters"] == {"delay_s": 5}, said)
            require(said["expires"] - said["issued"] == 86400, said)
            eventually(lambda: known(command)["state"] == "sent", known(command))
            answer(command, {"state": "accepted"})
            require(known(command)["state"] == "accepted", known(command))
            answer(command, {"state": "done", "detail": "up since 3 s"})
            found = known(command)
            require((found["state"], found["detail"]) == ("done", "up since 3 s"), found)

        with case("mosquitto: what is answered is not heard again"):
            listener = device.subscribe("-t", "me/down/#", "-q", "1", "-W", "2")
            listener.wait(SECONDS_MAX)
            require(listener.stdout.read() == b"", "heard again")

        with case("paho: who listens hears a new command at once, in both versions, with its expiry"):
            client = device.client(client_id="listens")
            client.connect()
            client.client.subscribe("me/down/commands/+", qos=1)
            client.wait("subscribed")
            command = give("self-test", "--seconds", "600")
            topic, said, qos, retain = client.wait("message")
            require((topic, qos, retain) == (f"me/down/commands/{command['id']}", 1, False), (topic, qos, retain))
            require(json.loads(said)["id"] == command["id"], said)
            client.end()
            answer(command, {"state": "failed", "detail": "flash: 1 sector"})
            require(known(command)["state"] == "failed", known(command))

        with case("paho: a command that is given while a kept session is away is heard when it is back"):
            client = device.client(client_id="away")
            client.connect(expiry=300)
            client.client.subscribe("me/down/#", qos=1)
            client.wait("subscribed")
            client.cut()
            command = give("restart")
            client = device.client(client_id="away")
            present, _ = client.connect(clean=False, expiry=300)
            require(present, "the session is gone")
            require(json.loads(client.wait("message")[1])["id"] == command["id"], "another command")
            client.end()
            platform.call("device", "cancel-command", device.id, command["id"], by="maker")
            require(known(command)["state"] == "cancelled", known(command))

        with case("paho: after a crash of the server what was not answered is heard again"):
            command = give("restart")
            client = device.client(client_id="crash")
            client.connect()
            client.client.subscribe("me/down/#", qos=1)
            require(json.loads(client.wait("message")[1])["id"] == command["id"], "another command")
            client.cut()
            platform.server.kill()
            platform.server.wait()
            platform.start()
            client = device.client(client_id="crash")
            client.connect()
            client.client.subscribe("me/down/#", qos=1)
            require(json.loads(client.wait("message")[1])["id"] == command["id"], "another command")
            client.end()
            answer(command, {"state": "rejected", "detail": "not now"})
            require(known(command)["state"] == "rejected", known(command))

        with case("mosquitto: another device neither hears nor answers a command"):
            command = give("restart")
            done = other.subscribe("-t", f"d/{device.id}/down/#", "-W", "2")
            require("denied" in b"".join(done.communicate(timeout=SECONDS_MAX)).decode(), "granted")
            done = other.publish("-t", f"d/{device.id}/up/commands/{command['id']}", "-q", "1",
                                 "-m", '{"state":"done"}', expect=None)
            require("not authorized" in done.text.lower(), done.text)
            # In its own space it may say what it likes of a command that it was not given.
            answer(command, {"state": "done"}, by=other)
            require(known(command)["state"] == "waiting", known(command))
            listener = other.subscribe("-t", "me/down/#", "-W", "2")
            listener.wait(SECONDS_MAX)
            require(listener.stdout.read() == b"", "heard by another device")

        with case("mosquitto: what is no answer is refused, and the owner reads why"):
            done = device.publish("-t", f"me/up/commands/{command['id']}", "-q", "1", "-m", "done", expect=None)
            require("payload format invalid" in done.text.lower(), done.text)
            eventually(lambda: device.refused().get("schema", 0) == 1, device.refused())
            require(known(command)["state"] == "waiting", known(command))

        with case("curl: a device that only asks now and then hears the same, and answers"):
            base = f"https://localhost:{platform.port}/v1/messages"
            tls = ["--silent", "--show-error", "--fail-with-body", "--cacert", platform.roots,
                   "--cert", device.certificates, "--key", device.key]
            told = json.loads(run("curl", *tls, base).text)
            require([one["topic"] for one in told] == [f"me/down/commands/{command['id']}"], told)
            require(told[0]["payload"]["name"] == "restart", told)
            run("curl", *tls, "-H", "Content-Type: application/json", "--data", '{"state":"done"}',
                f"{base}?topic=me/up/commands/{command['id']}")
            require(known(command)["state"] == "done", known(command))
            require(json.loads(run("curl", *tls, base).text) == [], "still told")

        with case("settings: wanted, heard, reported, settled; a change in between is a conflict"):
            file = OUT / "settings.json"
            file.write_text('{"interval_s": 60, "name": "north gate"}')
            set_ = platform.call("device", "configure", device.id, file, "--reason", "winter", "--replaces", "0",
                                 by="maker")
            require(set_["version"] == 1, set_)
            listener = device.subscribe("-t", "me/down/configuration", "-q", "1", "-C", "1")
            listener.wait(SECONDS_MAX)
            said = json.loads(listener.stdout.read())
            require(said == {"version": 1, "settings": {"interval_s": 60, "name": "north gate"}}, said)
            seen = lambda: platform.call("device", "configuration", device.id, by="maker")
            require(not seen()["settled"], seen())
            device.publish("-t", "me/up/configuration", "-q", "1", "-m", json.dumps(said))
            require(seen()["settled"] and seen()["reported"]["version"] == 1, seen())
            late = platform.tegata("device", "configure", device.id, file, "--reason", "again", "--replaces", "0",
                                by="maker", expect=None)
            require(late.returncode != 0 and "configuration-moved" in late.text, late.text)

        with case("every command and answer is in the audit log"):
            events = platform.call("audit", "list", "--kind", "configuration-change", by="maker")
            said = [json.dumps(event) for event in events]
            for what in ["command-given", "command-answered", "command-cancelled", "settings-wanted", "settings-reported"]:
                require(any(what in line for line in said), f"{what} is missing")


main()
finish()
