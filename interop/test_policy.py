"""An organisation's policies at the doors (docs/policies.md): mosquitto, paho-mqtt and curl, unmodified, as devices."""

import json
import queue
import threading
import time

from lib import OUT, case, finish, require, run
from mqtt_device import SECONDS_MAX, Device, Gate, eventually
from tegata import answers

# What the doors promise: an activated set is in force within that.
FORCE_SECONDS_MAX = 1.0

CASES = """
organisation: maker
devices:
  hearer: {{ id: {hearer} }}
  teller: {{ id: {teller} }}
cases:
  - {{ name: own, by: teller, does: publish, topic: me/up/temperature, expect: allowed, because: [own-space] }}
  - {{ name: hears, by: hearer, does: receive, topic: d/teller/up/temperature, expect: {expect} }}
"""

OPEN = """
@id("hearer-hears")
permit(principal == Device::"{hearer}", action in Action::"hear", resource)
when {{ resource.branch == "up" }};

@id("no-secrets")
forbid(principal, action == Action::"receive", resource)
when {{ resource.path like "up/secret/*" }};

@id("hearer-tells")
permit(principal == Device::"{hearer}", action == Action::"publish", resource == Topic::"d/{teller}/down/setpoint");
"""

STRICT = """
@id("nobody-hears-others")
forbid(principal, action in Action::"hear", resource) unless {{ resource has device && resource.device == principal }};
"""


def main():
    with Gate(OUT / "platform") as platform:
        hearer, teller = Device(platform, "BG1-0001"), Device(platform, "BG1-0002")
        ids = {"hearer": hearer.id, "teller": teller.id}
        topic = f"d/{teller.id}/up/temperature"

        def files(name, policies, expect):
            written = OUT / f"{name}.cedar", OUT / f"{name}.yaml"
            written[0].write_text(policies.format(**ids))
            written[1].write_text(CASES.format(expect=expect, **ids))
            return written

        def put(name, policies, expect):
            made = platform.call("policy", "put", *files(name, policies, expect), "--reason", f"a test: {name}", by="maker")
            require(made["state"] == "draft", made)
            tested = platform.call("policy", "test", "--version", made["version"], by="maker")
            require(tested["report"]["passed"] and tested["set"]["state"] == "tested", tested)
            return made["version"]

        def activate(*version):
            """When the answer was there."""
            platform.call("policy", "activate", *version, "--reason", "a test", by="maker")
            return time.monotonic()

        def explain(device, action, topic):
            found = platform.call("policy", "explain", device.id, action, topic, by="maker")
            return found["allowed"], found["because"]

        def sub_denied(device, filter_):
            done = device.subscribe("-t", filter_, "-W", "2")
            return "denied" in b"".join(done.communicate(timeout=SECONDS_MAX)).decode()

        with case("without policies nobody hears another, and the owner reads why"):
            require(sub_denied(hearer, f"d/{teller.id}/#") and sub_denied(hearer, "d/+/up/#"), "granted")
            done = hearer.publish("-t", f"d/{teller.id}/down/setpoint", "-q", "1", "-m", "3", expect=None)
            require("not authorized" in done.text.lower(), done.text)
            require(explain(hearer, "receive", topic) == (False, []), "explained otherwise")
            require(explain(teller, "publish", "me/up/temperature") == (True, ["own-space"]), "explained otherwise")

        with case("policies are tried offline: exit codes, places, hints"):
            good = files("open", OPEN, "allowed")
            report = json.loads(platform.tegata("--json", "policy", "test", *good).text)
            require(report["passed"] and report["untried"] == ["no-secrets", "hearer-tells"], report)
            done = platform.tegata("policy", "test", *files("wrong", OPEN, "refused"), expect=None)
            require(done.returncode == 2 and "FAILED" in done.text, done.text)
            broken = OUT / "broken.cedar"
            broken.write_text('@id("a")\npermit(principal, action == Action::"fly", resource);\n')
            done = platform.tegata("policy", "test", broken, good[1], expect=None)
            require(done.returncode == 1 and "line 2" in done.text and "fly" in done.text, done.text)

        with case("what was not tested, or failed its cases, is not put in force"):
            made = platform.call("policy", "put", *files("open", OPEN, "refused"), "--reason", "wrong", by="maker")
            version = made["version"]
            done = platform.tegata("policy", "activate", version, "--reason", "x", by="maker", expect=None)
            require("policies-untested" in done.text, done.text)
            done = platform.tegata("policy", "test", "--version", version, by="maker", expect=None)
            require(done.returncode == 2, done.text)
            done = platform.tegata("policy", "activate", version, "--reason", "x", by="maker", expect=None)
            require("policies-failed" in done.text, done.text)
            require(sub_denied(hearer, topic), "granted")

        open_ = put("open", OPEN, "allowed")
        activate(open_)

        with case("mosquitto: a device hears another's topic where a policy permits it, and nothing beyond"):
            for filter_, version in [(f"d/{teller.id}/up/#", "5"), ("d/+/up/#", "5"), (topic, "4")]:
                listener = hearer.subscribe("-t", filter_, "-q", "1", "-C", "1", "-F", "%t %p", version=version)
                time.sleep(1)
                teller.publish("-t", "me/up/secret/key", "-q", "1", "-m", "not for others")
                teller.publish("-t", "me/state/x", "-q", "1", "-m", "not for others")
                teller.publish("-t", "me/up/temperature", "-q", "1", "-m", "21.5")
                listener.wait(SECONDS_MAX)
                require(listener.stdout.read().decode().strip() == f"{topic} 21.5", filter_)
            for filter_ in ["#", "d/#", "d/+/#", f"d/{teller.id}/#", "+/+/up/#", f"d/{teller.id}/down/#"]:
                require(sub_denied(hearer, filter_), f"{filter_} was granted")
            require(sub_denied(teller, f"d/{hearer.id}/up/#"), "the other way was granted")
            require(explain(hearer, "receive", topic) == (True, ["hearer-hears"]), "explained otherwise")
            require(explain(hearer, "receive", f"d/{teller.id}/up/secret/x") == (False, ["no-secrets"]), "explained otherwise")

        with case("mosquitto and curl: a device tells another where a policy permits it, and it is on record"):
            listener = teller.subscribe("-t", "me/down/#", "-q", "1", "-C", "2", "-F", "%t %p")
            time.sleep(1)
            hearer.publish("-t", f"d/{teller.id}/down/setpoint", "-q", "1", "-m", "3")
            base = f"https://localhost:{platform.port}/v1/messages"
            tls = ["--silent", "--show-error", "--cacert", platform.roots, "--cert", hearer.certificates,
                   "--key", hearer.key, "-H", "Content-Type: text/plain", "--data", "4"]
            run("curl", *tls, "--fail-with-body", f"{base}?topic=d/{teller.id}/down/setpoint")
            listener.wait(SECONDS_MAX)
            heard = listener.stdout.read().decode().split("\n")[:2]
            require(heard == ["me/down/setpoint 3", "me/down/setpoint 4"], heard)
            newest = hearer.messages()[0]
            require((newest["topic"], newest["space"]) == ("down/setpoint", teller.id), newest)
            for other in ["down/other", "down/commands/00112233445566778899aabbccddeeff", "up/x"]:
                done = run("curl", *tls, f"{base}?topic=d/{teller.id}/{other}")
                require('"status":403' in done.text.replace(" ", "") and "hearer" not in done.text, done.text)

        with case("paho: the answer tells nothing, and the log names the policy"):
            client = hearer.client(client_id="denied")
            client.connect()
            client.client.subscribe(f"d/{teller.id}/down/#", qos=1)
            require(client.wait("subscribed")[1] == [0x87], "another code")
            client.client.subscribe("d/00000000000000000000000000000000/up/#", qos=1)
            require(client.wait("subscribed")[1] == [0x87], "a device that is not there is told apart")
            client.end()

        with case("a stricter set stops open subscriptions within a second, and a kept session's queue"):
            strict = put("strict", STRICT, "refused")
            client = hearer.client(client_id="listens")
            client.connect()
            client.client.subscribe("d/+/up/#", qos=1)
            require(client.wait("subscribed")[1] == [1], "not granted")
            away = hearer.client(client_id="away")
            away.connect(expiry=300)
            away.client.subscribe(topic, qos=1)
            away.wait("subscribed")
            away.cut()
            # A message every hundredth of a second, numbered by when it was sent.
            sender = teller.client(client_id="sends")
            sender.connect()
            stop = threading.Event()

            def send():
                while not stop.is_set():
                    sender.client.publish("me/up/temperature", repr(time.monotonic()), qos=0)
                    time.sleep(0.05)

            thread = threading.Thread(target=send)
            thread.start()
            client.wait("message")
            at = activate(strict)
            time.sleep(3)
            stop.set()
            thread.join()
            late = []
            while True:
                try:
                    found = client.heard.get_nowait()
                except queue.Empty:
                    break
                if found[0] == "message":
                    late.append(float(found[2]) - at)
            worst = max(late, default=0.0)
            print(f"    the last message that was heard was sent {worst:+.3f} s after the activation was acknowledged")
            require(worst < FORCE_SECONDS_MAX, f"heard {worst} s later")
            client.end()
            sender.end()
            require(sub_denied(hearer, topic), "granted still")
            back = hearer.client(client_id="away")
            present, _ = back.connect(clean=False, expiry=300)
            teller.publish("-t", "me/up/temperature", "-q", "1", "-m", "after")
            time.sleep(1)
            kinds = [found[0] for found in list(back.heard.queue)]
            require("message" not in kinds, kinds)
            back.end()

            def policies():
                lines = [line for line in hearer.listed("refused-messages") if line["reason"] == "topic"]
                return [line.get("policies") for line in lines]

            eventually(lambda: "nobody-hears-others" in policies(), policies())

        with case("a restart keeps what is in force, and rolling back is activating the older version"):
            platform.stop()
            platform.start()
            eventually(lambda: answers(platform.mqtt_port), "the door for messages does not open")
            require(sub_denied(hearer, topic), "granted after a restart")
            activate(open_)
            listener = hearer.subscribe("-t", topic, "-q", "1", "-C", "1")
            time.sleep(1)
            teller.publish("-t", "me/up/temperature", "-q", "1", "-m", "22")
            listener.wait(SECONDS_MAX)
            require(listener.stdout.read().decode().strip() == "22", "not heard")
            states = {one["version"]: one["state"] for one in platform.call("policy", "list", by="maker")}
            require((states[open_], states[strict]) == ("active", "former"), states)
            history = platform.call("policy", "history", by="maker")
            require([one["version"] for one in history] == [open_, strict, open_], history)

        with case("none in force: each device has its own space; all of it is in the audit log"):
            activate("--none")
            require(sub_denied(hearer, topic), "granted")
            said = [json.dumps(event) for event in platform.call("audit", "list", "--kind", "configuration-change", by="maker")]
            for what in ["policies-put", "policies-tested", "policies-activated"]:
                require(any(what in line for line in said), f"{what} is missing")


main()
finish()
