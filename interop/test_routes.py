"""Routes (docs/routes.md): mosquitto and paho-mqtt send; a web hook in Python verifies with `standardwebhooks`, is
stopped and started, answers 500, 429 and 410; the server dies by SIGKILL under load. Nothing that was acknowledged at
QoS 1 is missing at the receiver, and each device's messages come in order."""

import json
import time

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from lib import OUT, Failure, case, finish, require
from mqtt_device import SECONDS_MAX, Device, Gate
from receiver import Hook, certificates, until
from tegata import answers


def once(status, then=204, **headers):
    """Answers with a status the first time."""
    left = [(status, headers)]
    return lambda: left.pop() if left else (then, {})


def main():
    keys = certificates(OUT / "hooks")
    hook = Hook(keys)
    hook.start()
    with Gate(OUT / "platform") as platform:
        device, other = Device(platform, "BG3-0001"), Device(platform, "BG3-0002")
        of = ["--organisation", "maker"]
        url = f"https://localhost:{hook.port}/in"

        def route(*arguments, expect=None):
            if expect is not None:
                return platform.tegata("route", *arguments, *of, by="maker", expect=expect)
            return platform.call("route", *arguments, *of, by="maker")

        def listed(*arguments):
            found = route(*arguments)
            return [found] if isinstance(found, dict) else found

        with case("a condition is tried before it is used: on samples without a server, on kept messages with it"):
            samples = OUT / "samples.jsonl"
            samples.write_text('{"topic": "up/t", "payload": {"celsius": 31}}\n{"topic": "up/t", "payload": {"celsius": 3}}\n')
            tried = platform.call("route", "test", "--samples", samples, "--condition", "$[?@.celsius > 30]")
            require([one["takes"] for one in tried] == [True, False], tried)
            device.publish("-t", "me/up/t", "-q", "1", "-m", '{"celsius": 99}')
            device.publish("-t", "me/up/u", "-q", "1", "-m", '{"celsius": 99}')
            tried = listed("test", "--condition", "$[?@.celsius > 30]", "--topic", "up/t")
            require([(one["topic"], one["takes"]) for one in tried] == [("up/u", False), ("up/t", True)], tried)
            require(tried[1]["sent"]["payload"] == {"celsius": 99}, tried)
            wrong = route("put", "wrong", "--to", "table", "--condition", "$[?@.celsius >]", expect=1)
            require("character 15" in wrong.text and "on the right of" in wrong.text, wrong.text)
            wrong = route("put", "wrong", "--to", "table", "--condition", "$[?@.celsius", expect=1)
            require("at character" in wrong.text and "RFC 9535" in wrong.text, wrong.text)

        with case("an address that is not everybody's is refused until the operator opens its network"):
            made = route("put", "hook", "--to", url, "--receiver-ca", keys / "ca.pem", "--topic", "up/#")
            hook.secret = made["secret"]
            require(hook.secret.startswith("whsec_"), made)
            device.publish("-t", "me/up/first", "-q", "1", "-m", "1")
            failing = until("it fails", lambda: route("show", "hook").get("failure"))
            require("--route-network" in failing and not hook.requests, failing)
            platform.stop()
            platform.MORE = ["--route-network", "127.0.0.0/8", "--route-network", "::1/128"]
            platform.start()
            until("it is delivered", lambda: hook.payloads(device) == [1])

        with case("mosquitto: messages arrive once, signed, in order, as JSON or base64"):
            hook.taken.clear()
            for number in range(20):
                device.publish("-t", "me/up/n", "-q", "1", "-m", json.dumps({"number": number}))
                other.publish("-t", "me/up/n", "-q", "1", "-m", json.dumps({"number": number}))
            device.publish("-t", "me/up/text", "-q", "1", "-m", "on")
            until("all are there", lambda: len(hook.taken) >= 41)
            wanted = [{"number": number} for number in range(20)]
            require(hook.payloads(device, "up/n") == wanted, hook.payloads(device, "up/n"))
            require(hook.payloads(other, "up/n") == wanted, hook.payloads(other, "up/n"))
            message = next(message for _, message in hook.taken if message["topic"] == "up/text")
            require((message["encoding"], message["payload"]) == ("base64", "b24="), message)
            require(message["product"] == f"maker/{platform.PRODUCT}" and message["route"] == "hook", message)
            require(len({delivery for delivery, _ in hook.taken}) == len(hook.taken), "one came twice")

        with case("standardwebhooks: what was altered on the way is found"):
            _, headers, body, _ = hook.requests[-1]
            verify = Webhook(hook.secret).verify
            verify(body, headers)
            for altered in [(body + b" ", headers), (body, {**headers, "webhook-id": "msg_0"}),
                            (body, {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)})]:
                try:
                    verify(*altered)
                except WebhookVerificationError:
                    continue
                raise Failure(f"taken: {altered}")

        with case("500 and 429 are tried again with the same id, Retry-After is honoured, order is kept"):
            hook.answers = {"up/bad": once(500), "up/busy": once(429, **{"Retry-After": "4"})}
            before = len(hook.requests)
            device.publish("-t", "me/up/bad", "-q", "1", "-m", "1")
            device.publish("-t", "me/up/after", "-q", "1", "-m", "2")
            other.publish("-t", "me/up/busy", "-q", "1", "-m", "3")
            until("all are there", lambda: {"up/bad", "up/after", "up/busy"} <= {m["topic"] for _, m in hook.taken})
            seen = [(told["webhook-id"], json.loads(body)["topic"], status, int(told["webhook-timestamp"]))
                    for _, told, body, status in hook.requests[before:]]
            order = [(topic, status) for _, topic, status, _ in seen if topic in ("up/bad", "up/after")]
            require(order == [("up/bad", 500), ("up/bad", 204), ("up/after", 204)], seen)
            busy = [(name, at) for name, topic, _, at in seen if topic == "up/busy"]
            require(busy[0][0] == busy[1][0] and busy[1][1] - busy[0][1] >= 4, busy)

        with case("410 is no reason to try again: dead, listed with its reason, tried again by somebody, discarded"):
            gone = [True]
            hook.answers = {"up/gone": lambda: (410, {}) if gone[0] else (204, {})}
            device.publish("-t", "me/up/gone", "-q", "1", "-m", "1")
            device.publish("-t", "me/up/gone", "-q", "1", "-m", "2")
            device.publish("-t", "me/up/fine", "-q", "1", "-m", "3")
            until("what follows is delivered", lambda: hook.payloads(device, "up/fine") == [3])
            dead = until("both are dead", lambda: (found := listed("dead", "hook")) if len(listed("dead", "hook")) == 2 else None)
            require(all("410" in one["why"] for one in dead), dead)
            gone[0] = False
            route("retry", "hook", "--message", str(dead[0]["id"]))
            until("one is delivered", lambda: hook.payloads(device, "up/gone") == [2])
            require(route("discard", "hook", "--all")["count"] == 1, "none was discarded")
            require(route("show", "hook")["dead"] == 0, route("show", "hook"))
            events = json.dumps(platform.call("audit", "list", by="maker"))
            for what in ["a message is dead", "dead messages retried", "dead messages discarded"]:
                require(what in events, f"{what} is not on record")

        with case("a receiver that is away for a while misses nothing, and that it was is on record"):
            hook.taken.clear()
            hook.stop()
            for number in range(30):
                device.publish("-t", "me/up/away", "-q", "1", "-m", str(number))
            until("it fails", lambda: route("show", "hook").get("failing_since"))
            hook.start()
            until("all are there", lambda: hook.payloads(device, "up/away") == list(range(30)))
            until("it does not fail", lambda: not route("show", "hook").get("failing_since"))

        with case("a full queue: the door refuses, and what it acknowledged is delivered"):
            hook.stop()
            put = ["put", "hook", "--to", url, "--receiver-ca", keys / "ca.pem", "--topic", "up/#"]
            require("secret" not in route(*put, "--queue-messages", "5"), "another key was made")
            hook.taken.clear()
            acknowledged = []
            for number in range(12):
                done = device.publish("-t", "me/up/full", "-q", "1", "-m", str(number), expect=None)
                if "quota exceeded" not in done.text.lower():
                    acknowledged.append(number)
            require(acknowledged == list(range(5)), acknowledged)
            require(device.refused().get("no-route", 0) >= 1 or time.sleep(2) or device.refused()["no-route"], "not counted")
            hook.start()
            until("all are there", lambda: hook.payloads(device, "up/full") == acknowledged)
            until("there is room again", lambda: route("show", "hook")["waiting"] == 0)
            device.publish("-t", "me/up/full", "-q", "1", "-m", "12")
            route(*put)

        with case("SIGKILL of the server under load, three times: nothing acknowledged is missing, order is kept"):
            hook.taken.clear()
            hook.answers = {"up/load": lambda: (204, {})}
            acknowledged = set()
            for round_ in range(3):
                until("the door is open", lambda: answers(platform.mqtt_port))
                client = device.client(client_id=f"load-{round_}")
                client.connect()
                numbers = {}
                for number in range(round_ * 200, round_ * 200 + 200):
                    numbers[client.client.publish("me/up/load", str(number), qos=1).mid] = number
                heard = 0
                while heard < 60 + 30 * round_:
                    kind, *rest = client.heard.get(timeout=SECONDS_MAX)
                    if kind == "published":
                        heard += 1
                        if rest[1] == 0:
                            acknowledged.add(numbers[rest[0]])
                platform.server.kill()
                platform.server.wait()
                client.client.loop_stop()
                while not client.heard.empty():
                    kind, *rest = client.heard.get()
                    if kind == "published" and rest[1] == 0:
                        acknowledged.add(numbers[rest[0]])
                platform.start()
            until("all are there", lambda: acknowledged <= set(hook.payloads(device, "up/load")))
            found = hook.payloads(device, "up/load")
            require(found == sorted(found), "out of order")
            require(len(acknowledged) >= 200, f"only {len(acknowledged)} were acknowledged: the load was none")
            print(f"# {len(acknowledged)} acknowledged, {len(found)} delivered, "
                  f"{len(hook.taken) - len(found)} of them again")

        with case("a table keeps rows, found by time, device and topic; its oldest go where it is full"):
            route("put", "rows", "--to", "table", "--topic", "up/row/+", "--queue-messages", "3")
            for number in range(5):
                device.publish("-t", f"me/up/row/{number}", "-q", "1", "-m", str(number))
            rows = listed("rows", "rows")
            require([row["envelope"]["payload"] for row in rows] == [4, 3, 2], rows)
            require([row["topic"] for row in listed("rows", "rows", "--topic", "up/row/3")] == ["up/row/3"], "topic")
            require(listed("rows", "rows", "--device", other.id) == [], "device")
            require(listed("rows", "rows", "--until", rows[-1]["received"]) == [], "time")
            require(len(listed("rows", "rows", "--from", rows[-1]["received"])) == 3, "time")

        with case("a file has a line for each message, and begins anew where it was taken away"):
            route("put", "lines", "--to", "file", "--topic", "up/line")
            file = platform.dir / "routes" / "maker" / "lines.jsonl"
            for number in range(10):
                device.publish("-t", "me/up/line", "-q", "1", "-m", str(number))
            lines = lambda: [json.loads(line)["payload"] for line in file.read_text().splitlines()] if file.exists() else []
            until("all are there", lambda: lines() == list(range(10)))
            require(file.stat().st_mode & 0o777 == 0o600, oct(file.stat().st_mode))
            file.rename(OUT / "old.jsonl")
            device.publish("-t", "me/up/line", "-q", "1", "-m", "10")
            until("it begins anew", lambda: lines() == [10])

        with case("mosquitto: a topic of another device; a kept session hears what came while it was away"):
            route("put", "next", "--to", f"topic:{other.id}/down/neighbour", "--topic", "up/door")
            session = ["-t", "me/down/neighbour", "-q", "1", "-c", "-i", "kept", "-x", "300"]
            listener = other.subscribe(*session, "-C", "1", "-F", "%t %p")
            time.sleep(1)
            device.publish("-t", "me/up/door", "-q", "1", "-m", "open")
            listener.wait(SECONDS_MAX)
            require(listener.stdout.read().decode().strip() == "me/down/neighbour open", "something else")
            device.publish("-t", "me/up/door", "-q", "1", "-m", "closed")
            until("the session has it", lambda: route("show", "next")["delivered"] == 2)
            listener = other.subscribe(*session, "-C", "1", "-F", "%t %p")
            listener.wait(SECONDS_MAX)
            require(listener.stdout.read().decode().strip() == "me/down/neighbour closed", "something else")

        with case("a route that keeps messages ends where that is meant"):
            refused = route("end", "rows", expect=1)
            require("route-not-empty" in refused.text, refused.text)
            route("end", "rows", "--discard")
            require(all(one["name"] != "rows" for one in listed("list")), "still there")
    hook.stop()


main()
finish()
