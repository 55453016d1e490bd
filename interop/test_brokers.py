"""Routes to message brokers (docs/routes.md): NATS JetStream and RabbitMQ, both over TLS, both killed under load, and
the platform as well. Nothing that a door acknowledged is missing, each device's messages come in order, and what came
twice is known by its id."""

import json
import queue
import time

from brokers import Nats, Rabbit
from lib import OUT, case, finish, require, run
from mqtt_device import SECONDS_MAX, Device, Gate
from receiver import certificates, until
from tegata import answers


class Load:
    """Numbered messages of a device at QoS 1, and which of them the door has acknowledged."""

    def __init__(self, platform, device, topic):
        self.platform, self.device, self.topic = platform, device, topic
        self.acknowledged, self.next = set(), 0

    def round(self, count, when, then):
        """Publishes so many; after some were acknowledged something happens, and the rest counts as well."""
        until("the door is open", lambda: answers(self.platform.mqtt_port))
        client = self.device.client(client_id=f"load-{self.next}")
        client.connect()
        numbers = {}
        for number in range(self.next, self.next + count):
            numbers[client.client.publish(f"me/{self.topic}", str(number), qos=1).mid] = number
        self.next += count
        heard, happened = 0, False
        patience = time.monotonic() + SECONDS_MAX
        while heard < count and time.monotonic() < patience:
            try:
                kind, *rest = client.heard.get(timeout=2 if happened else SECONDS_MAX)
            except queue.Empty:
                break
            if kind == "published":
                heard += 1
                if rest[1] == 0:
                    self.acknowledged.add(numbers[rest[0]])
            if heard >= when and not happened:
                happened = True
                then()
        client.client.loop_stop()
        while not client.heard.empty():
            kind, *rest = client.heard.get()
            if kind == "published" and rest[1] == 0:
                self.acknowledged.add(numbers[rest[0]])

    def judge(self, found, what, door_died=False):
        """What the broker has: everything that was acknowledged, in order, once by its id. Where the door died, the
        device has sent again what it had no acknowledgement for: that is another message with another id."""
        ids, once = set(), []
        for delivery, number in found:
            if delivery not in ids:
                ids.add(delivery)
                once.append(number)
        missing = self.acknowledged - set(once)
        require(not missing, f"{len(missing)} are missing: {sorted(missing)[:10]}")
        first = list(dict.fromkeys(once))
        require(first == sorted(first), "out of order")
        require(door_died or once == first, "one has two ids")
        require(len(self.acknowledged) >= 100, f"only {len(self.acknowledged)} were acknowledged: the load was none")
        print(f"# {what}: {len(self.acknowledged)} acknowledged, {len(once)} delivered, {len(found) - len(once)} of them again")


def kill_platform(platform):
    platform.server.kill()
    platform.server.wait()
    platform.start()


def main():
    keys, strangers = certificates(OUT / "keys"), certificates(OUT / "strangers")
    secret = OUT / "secret"
    wrong = OUT / "wrong"
    secret.write_text("gate:pass:word\n")
    wrong.write_text("gate:no\n")
    with Gate(OUT / "platform") as platform:
        devices = [Device(platform, f"BG3-000{number}") for number in range(3)]
        device = devices[0]

        def route(*arguments, expect=None):
            of = ["--organisation", "maker"]
            if expect is not None:
                return platform.tegata("route", *arguments, *of, by="maker", expect=expect)
            return platform.call("route", *arguments, *of, by="maker")

        def dead(name):
            found = route("dead", name)
            return [found] if isinstance(found, dict) else found

        def fails(name, *words):
            """The route fails, for a reason with these words."""
            def told():
                why = route("show", name).get("failure") or ""
                return why if all(word in why for word in words) else None
            try:
                return until(f"{name} fails with {words}", told, 60)
            except Exception as failure:
                raise type(failure)(f"{failure}; it says: {route('show', name).get('failure')}")

        def settled(name, seconds=120):
            """Nothing waits any more, and nothing fails."""
            until(f"{name} has delivered", lambda: route("show", name)["waiting"] == 0, seconds)
            require(not route("show", name).get("failing_since"), route("show", name))

        nats(platform, keys, strangers, secret, wrong, devices, route, dead, fails, settled)
        rabbit(platform, keys, strangers, secret, wrong, devices, route, dead, fails, settled)


def nats(platform, keys, strangers, secret, wrong, devices, route, dead, fails, settled):
    device, other = devices[:2]
    broker = Nats(keys)
    try:
        broker.start()
        to = f"nats://localhost:{broker.port}/DEVICES/tegata.{{product}}.{{device}}.{{topic}}"

        def put(*more, name="nats", to=to, ca=keys, login=secret):
            made = route("put", name, "--to", to, "--receiver-ca", ca / "ca.pem", "--topic", "up/#",
                         *(["--secret", login] if login else []), *more)
            # Until it is seen, messages go by what was there.
            time.sleep(3)
            return made

        with case("nats: an address that is not everybody's is refused until the operator opens its network"):
            made = put()
            require("secret" not in made, "a secret was shown")
            device.publish("-t", "me/up/first", "-q", "1", "-m", "1")
            fails("nats", "--route-network")
            platform.stop()
            platform.MORE = ["--route-network", "127.0.0.0/8", "--route-network", "::1/128"]
            platform.start()

        with case("nats: a stream that is not there is named, with what to do; made, it gets what waited"):
            fails("nats", "no stream DEVICES", "nats stream add")
            broker.add_stream("DEVICES", ["other.>"])
            fails("nats", "no stream of the server has the subject", "DEVICES")
            broker.ask(lambda js: js.update_stream(name="DEVICES", subjects=["tegata.>"]))
            settled("nats")
            subject, header, message = broker.kept("DEVICES")[0]
            require(subject == f"tegata.maker.{platform.PRODUCT}.{device.id}.up.first", subject)
            require(header["Nats-Msg-Id"].startswith(message["id"] + "-") and message["route"] == "nats", header)
            require(header["Content-Type"] == "application/json" and message["payload"] == 1, message)

        with case("nats: what a device writes in its topic stays within its levels"):
            for topic in ["up/a.b", "up/>x", "up/*x", "up//x", "up/$SYS", "up/温 度"]:
                device.publish("-t", f"me/{topic}", "-q", "1", "-m", "2")
            settled("nats")
            levels = [subject.split(".")[4:] for subject, _, message in broker.kept("DEVICES") if message["payload"] == 2]
            require(levels == [["up", "a%2Eb"], ["up", "%3Ex"], ["up", "%2Ax"], ["up", "%00", "x"], ["up", "%24SYS"],
                               ["up", "%E6%B8%A9%20%E5%BA%A6"]], levels)

        with case("nats: each device's messages come in order, several devices' at a time"):
            broker.purge("DEVICES")
            for number in range(20):
                for one in devices:
                    one.publish("-t", "me/up/n", "-q", "1", "-m", str(number))
            settled("nats")
            kept = broker.kept("DEVICES")
            for one in devices:
                found = [message["payload"] for _, _, message in kept if message["device"] == one.id]
                require(found == list(range(20)), found)

        with case("nats: a wrong password, a wrong CA and no TLS are told, and nothing is lost by them"):
            put(login=wrong)
            device.publish("-t", "me/up/wrong", "-q", "1", "-m", "1")
            fails("nats", "does not let the user in", "secret")
            refused = route("put", "nats", "--to", to, "--receiver-ca", strangers / "ca.pem", expect=1)
            require("route-secret" in refused.text or "not sent to another broker" in refused.text, refused.text)
            put(ca=strangers)
            fails("nats", "TLS", "localhost")
            tls, broker.tls = broker.tls, ""
            broker.kill()
            broker.start()
            put()
            fails("nats", "offers no TLS")
            broker.tls = tls
            broker.kill()
            broker.start()
            settled("nats")
            require([m["payload"] for _, _, m in broker.kept("DEVICES")][-1:] == [1], "it did not come")
            events = json.dumps(platform.call("audit", "list", by="maker"))
            require("pass:word" not in events and "does not let the user in" in events, "the secret is on record, or the failure is not")
            shown = json.dumps(route("show", "nats"))
            require("pass:word" not in shown, shown)

        with case("nats: a subject that the user may not publish to is told, and permitted it goes on"):
            users = broker.users
            broker.users = '{ user: gate, password: "pass:word", permissions: { publish: ["tegata.*.*.*.up.free", "$JS.API.>"], subscribe: ["_INBOX.>"] } }, { user: reader, password: reader }'
            broker.kill()
            broker.start()
            device.publish("-t", "me/up/closed", "-q", "1", "-m", "1")
            fails("nats", "may not publish to tegata.", "up.closed")
            other.publish("-t", "me/up/free", "-q", "1", "-m", "77")
            until("what is permitted comes", lambda: any(m["payload"] == 77 for _, _, m in broker.kept("DEVICES")))
            broker.users = users
            broker.kill()
            broker.start()
            settled("nats")

        with case("nats: a message beyond max_payload, or beyond max_msg_size, is dead with its reason; the next goes"):
            broker.more = "max_payload: 8192"
            broker.kill()
            broker.start()
            device.publish("-t", "me/up/large", "-q", "1", "-m", "x" * 20_000)
            device.publish("-t", "me/up/small", "-q", "1", "-m", "3")
            settled("nats")
            require("max_payload" in dead("nats")[0]["why"] and len(dead("nats")) == 1, dead("nats"))
            broker.more = ""
            broker.kill()
            broker.start()
            route("retry", "nats", "--all")
            settled("nats")
            large = [len(m["payload"]) for subject, _, m in broker.kept("DEVICES") if subject.endswith(".large")]
            require(len(large) == 1, large)
            broker.ask(lambda js: js.update_stream(name="DEVICES", subjects=["tegata.>"], max_msg_size=4096))
            device.publish("-t", "me/up/large", "-q", "1", "-m", "y" * 10_000)
            device.publish("-t", "me/up/small", "-q", "1", "-m", "4")
            settled("nats")
            require("max_msg_size" in dead("nats")[0]["why"], dead("nats"))
            route("discard", "nats", "--all")
            broker.ask(lambda js: js.update_stream(name="DEVICES", subjects=["tegata.>"], max_msg_size=-1))

        with case("nats: by the seed of a key, by a client certificate"):
            import nkeys
            seed = nkeys.encode_seed(b"\x07" * 32, nkeys.PREFIX_BYTE_USER)
            public = nkeys.from_seed(seed).public_key.decode()
            tls, users = broker.tls, broker.users
            broker.users = users + f", {{ nkey: {public} }}"
            broker.kill()
            broker.start()
            file = OUT / "seed"
            file.write_bytes(bytes(seed) + b"\n")
            put(login=file)
            device.publish("-t", "me/up/seed", "-q", "1", "-m", "5")
            settled("nats")
            broker.users = users
            broker.tls = tls.replace("timeout", "verify: true, timeout")
            broker.kill()
            broker.start()
            device.publish("-t", "me/up/certificate", "-q", "1", "-m", "6")
            fails("nats", "ertificate")
            file = OUT / "identity"
            client = client_certificate(keys)
            file.write_text(client + "gate:pass:word\n")
            put(login=file)
            settled("nats")
            broker.tls = tls
            broker.kill()
            broker.start()
            put()

        with case("nats: SIGKILL of the broker under load, three times: nothing acknowledged is missing"):
            broker.purge("DEVICES")
            load = Load(platform, device, "up/load")

            def again():
                broker.kill()
                broker.start()

            for _ in range(3):
                load.round(150, 60, again)
            settled("nats")
            load.judge([(h["Nats-Msg-Id"], m["payload"]) for s, h, m in broker.kept("DEVICES") if s.endswith(".load")], "nats")

        with case("nats: SIGKILL of the platform under load, three times: nothing acknowledged is missing"):
            broker.purge("DEVICES")
            load = Load(platform, device, "up/load")
            for turn in range(3):
                load.round(200, 60 + 30 * turn, lambda: kill_platform(platform))
            settled("nats")
            load.judge([(h["Nats-Msg-Id"], m["payload"]) for s, h, m in broker.kept("DEVICES") if s.endswith(".load")], "nats", door_died=True)
        route("end", "nats", "--discard")
    finally:
        broker.stop()


def client_certificate(keys):
    """A certificate for `localhost` as a client, with its key, in PEM."""
    run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", keys / "client.key",
        "-out", keys / "client.csr", "-subj", "/CN=localhost")
    extensions = keys / "client.extensions"
    extensions.write_text("subjectAltName=DNS:gate\nextendedKeyUsage=clientAuth\n")
    run("openssl", "x509", "-req", "-in", keys / "client.csr", "-CA", keys / "ca.pem", "-CAkey", keys / "ca.key",
        "-CAcreateserial", "-out", keys / "client.pem", "-days", "30", "-extfile", extensions)
    return (keys / "client.pem").read_text() + (keys / "client.key").read_text()


def rabbit(platform, keys, strangers, secret, wrong, devices, route, dead, fails, settled):
    device, other = devices[:2]
    broker = Rabbit(keys)
    try:
        broker.start()
        to = f"amqps://localhost:{broker.port}/%2F/devices"

        def put(*more, name="rabbit", to=to, ca=keys, login=secret):
            made = route("put", name, "--to", to, "--receiver-ca", ca / "ca.pem", "--topic", "up/#",
                         *(["--secret", login] if login else []), *more)
            # Until it is seen, messages go by what was there.
            time.sleep(3)
            return made

        with case("rabbitmq: a quorum queue is made where there is none, and gets what is confirmed"):
            refused = route("put", "rabbit", "--to", to, expect=1)
            require("secret" in refused.text, refused.text)
            put()
            device.publish("-t", "me/up/first", "-q", "1", "-m", "1")
            settled("rabbit")
            key, properties, message = broker.taken("devices")[0]
            require(key == "devices" and message["payload"] == 1 and message["route"] == "rabbit", message)
            require(properties.message_id.startswith(message["id"] + "-") and properties.delivery_mode == 2, properties)
            require(properties.content_type == "application/json" and properties.app_id == "tegata", properties)
            require(properties.timestamp > 1_700_000_000, properties)
            # Whoever declares it of another type is refused: it is one.
            broker.ask(lambda channel: channel.queue_declare("devices", durable=True, arguments={"x-queue-type": "quorum"}))

        with case("rabbitmq: each device's messages come in order, several devices' at a time"):
            for number in range(20):
                for one in devices:
                    one.publish("-t", "me/up/n", "-q", "1", "-m", str(number))
            settled("rabbit")
            kept = broker.taken("devices")
            for one in devices:
                found = [message["payload"] for _, _, message in kept if message["device"] == one.id]
                require(found == list(range(20)), found)
            require(len({properties.message_id for _, properties, _ in kept}) == len(kept) == 60, len(kept))

        with case("rabbitmq: a classic queue, a wrong password, a wrong CA and missing rights are told"):
            device.publish("-t", "me/up/kept", "-q", "1", "-m", "41")
            settled("rabbit")
            put(to=to.replace("devices", "old"))
            device.publish("-t", "me/up/kept", "-q", "1", "-m", "42")
            fails("rabbit", "old", "no quorum queue")
            put(login=wrong)
            fails("rabbit", "does not let the user in", "secret")
            narrow = OUT / "narrow"
            narrow.write_text("narrow:narrow")
            put(login=narrow)
            fails("rabbit", "may not declare", "configure")
            put(ca=strangers)
            fails("rabbit", "TLS", "localhost")
            put(to=to.replace("%2F", "nowhere"))
            fails("rabbit", "virtual host nowhere")
            put()
            settled("rabbit")
            found = [message["payload"] for _, _, message in broker.taken("devices")]
            require(found == [41, 42], found)
            events = json.dumps(platform.call("audit", "list", by="maker"))
            require("pass:word" not in events, "the secret is on record")

        with case("rabbitmq: what no queue is bound for is not taken until one is; keys from topics are escaped"):
            put(to=to + "/tegata/t.{device}.{topic}")
            device.publish("-t", "me/up/a.#", "-q", "1", "-m", "1", expect=None)
            device.publish("-t", "me/up/a.*b", "-q", "1", "-m", "1")
            fails("rabbit", "no queue takes the routing key t.", "up.a%2E%2Ab", "NO_ROUTE")
            require(route("show", "rabbit")["waiting"] == 1, route("show", "rabbit"))
            broker.ask(lambda channel: channel.queue_bind("devices", "tegata", "t.*.up.*"))
            settled("rabbit")
            require([key.split(".", 2)[2] for key, _, _ in broker.taken("devices")] == ["up.a%2E%2Ab"], "another key")
            put(to=to + "/nowhere/t.{topic}")
            device.publish("-t", "me/up/x", "-q", "1", "-m", "1")
            fails("rabbit", "no such exchange")
            put()
            settled("rabbit")
            broker.taken("devices")

        with case("rabbitmq: a message beyond max_message_size is dead with its reason, the others go"):
            for one in devices:
                one.publish("-t", "me/up/small", "-q", "1", "-m", "3")
            device.publish("-t", "me/up/large", "-q", "1", "-m", "x" * 50_000)
            for one in devices:
                one.publish("-t", "me/up/small", "-q", "1", "-m", "4")
            settled("rabbit")
            require("max_message_size" in dead("rabbit")[0]["why"] and len(dead("rabbit")) == 1, dead("rabbit"))
            route("discard", "rabbit", "--all")
            # What was on its way when the broker closed the channel may come again, with the id that it had.
            others = {properties.message_id: message["payload"] for _, properties, message in broker.taken("devices")}
            require(sorted(others.values()) == [3, 3, 3, 4, 4, 4], others)

        with case("rabbitmq: by a client certificate, in another virtual host"):
            file = OUT / "identity"
            file.write_text(client_certificate(keys))
            put(to=f"amqps://localhost:{broker.port}/plant%2F1/a%20queue", login=file)
            device.publish("-t", "me/up/certificate", "-q", "1", "-m", "5")
            settled("rabbit")
            require([message["payload"] for _, _, message in broker.taken("a queue", "plant/1")] == [5], "it did not come")
            put()

        with case("rabbitmq: SIGKILL of the broker under load, twice: nothing acknowledged is missing"):
            load = Load(platform, device, "up/load")

            def again():
                broker.kill()
                broker.start()

            for _ in range(2):
                load.round(150, 60, again)
            settled("rabbit", 240)
            load.judge([(p.message_id, m["payload"]) for _, p, m in broker.taken("devices")], "rabbitmq")

        with case("rabbitmq: SIGKILL of the platform under load, three times: nothing acknowledged is missing"):
            load = Load(platform, device, "up/load")
            for turn in range(3):
                load.round(200, 60 + 30 * turn, lambda: kill_platform(platform))
            settled("rabbit", 240)
            load.judge([(p.message_id, m["payload"]) for _, p, m in broker.taken("devices")], "rabbitmq", door_died=True)
    finally:
        broker.stop()


main()
finish()
