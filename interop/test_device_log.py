"""Logs of devices (docs/device-log.md): zcbor reads the published CDDL and cbor2 writes segments, as any
device may; mosquitto and curl hand them over."""

import contextlib
import io
import json
import random

import cbor2
import paho.mqtt.client as mqtt
from zcbor import CddlValidationError, DataTranslator

from device_log import Log, encoded
from lib import OUT, ROOT, TEGATA, case, finish, require, run
from mqtt_device import Device, Gate, eventually

CDDL = DataTranslator.from_cddl((ROOT / "docs/device-log.cddl").read_text(), 64).my_types["segment"]


def fits_the_cddl(item):
    # It prints what it thinks of each.
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            CDDL.validate_str(encoded(item))
        except CddlValidationError:
            return False
    return True


def read(items):
    """What `tegata device read-log` says of each."""
    files = []
    for number, item in enumerate(items):
        files.append(OUT / f"segment-{number}.cbor")
        files[-1].write_bytes(item if isinstance(item, bytes) else encoded(item))
    done = run(TEGATA, "device", "read-log", "--json", *files, expect=None)
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def anything(draw):
    """A segment, or nearly one."""
    chance = draw.choice([0, 0.02, 0.1])
    slip = lambda: draw.random() < chance
    number = lambda most: most + 1 if slip() else draw.choice([0, 1, draw.randrange(most), most])
    text = lambda most: "x" * (draw.choice([0, most + 1]) if slip() else draw.choice([1, most]))

    def entry():
        entry = [draw.randrange(-5, 2000), draw.randrange(16), draw.randrange(1, 6), draw.randrange(3)]
        if slip():
            entry[draw.randrange(4)] = draw.choice([None, -1, 1.5, "x", True, 99, 2**64])
        if draw.random() < 0.5:
            more = {}
            while not more:
                if draw.random() < 0.4:
                    more[0] = number(2**32 - 1)
                if draw.random() < 0.4:
                    more[1] = text(64)
                if draw.random() < 0.4:
                    more[2] = 7 if slip() else text(64)
                if draw.random() < 0.3:
                    count = draw.choice([0, 5]) if slip() else draw.randrange(1, 5)
                    more[3] = {chr(97 + one) + text(16)[1:]: text(64) for one in range(count)}
                if slip():
                    more[4] = 1
            entry.append(more)
        return entry

    first = draw.choice([0, 2**53]) if slip() else draw.choice([1, 1, 2, 7, 2**53 - 70])
    count = draw.choice([0, 65]) if slip() else draw.choice([1, 1, 2, 3, 9, 64])
    item = {0: 2 if slip() else 1, 1: bytes(7 if slip() else 8), 2: first, 5: [entry() for _ in range(count)]}
    if (first > 1) != slip():
        item |= {3: bytes(31 if slip() else 32), 4: -1 if slip() else draw.choice([100_000, 1_795_000_000])}
    if (first > 1 and draw.random() < 0.3) or slip():
        item[6] = max(number(2**53 - 1), 0 if slip() else 1)
    if slip():
        item[7] = 0
    return item


def main():
    with case("zcbor and tegata: the published CDDL and the reader accept the same"):
        draw, items, fits = random.Random(5), [], []
        while len(items) < 600:
            item = anything(draw)
            # What CDDL cannot say (docs/device-log.md) is drawn apart.
            time = item.get(4, 0)
            good = all(type(entry[0]) is int for entry in item[5])
            times = [time := time + entry[0] for entry in item[5]] if good else []
            if len(encoded(item)) > 8192 or any(not 0 <= time <= 253402300799 for time in times):
                continue
            if item[2] + len(item[5]) > 2**53:
                continue
            items.append(item)
            fits.append(fits_the_cddl(item))
        said = [line["read"] for line in read(items)]
        wrong = [(item, fit, ours) for item, fit, ours in zip(items, fits, said) if fit != ours]
        require(not wrong, f"{len(wrong)} differ, such as {wrong[0] if wrong else ''}")
        require(100 < sum(fits) < 500, f"{sum(fits)} of {len(fits)} fit: nothing was compared")

    log = Log(bytes(range(8)))
    log.add(1_795_000_000, 0, 1, 0)
    log.add(1_795_000_042, 7, 3, 1, {1: "root", 3: {"port": "ttyS0"}})
    log.add(1_795_000_043, 11, 5, 0)
    with case("cbor2: the example of the page, its hashes, and how many bytes it takes"):
        page = (ROOT / "docs/device-log.md").read_text()
        whole = encoded(log.segment(1, 3))
        require(whole.hex() in page.replace("\n", ""), whole.hex())
        require(log.places[3][0].hex() in page, log.places[3][0].hex())
        require(f"{len(whole)} bytes" in page, len(whole))
        told = read([whole])[0]
        require(told["hash"] == log.places[3][0].hex(), told)
        require([one["kind"] for one in told["entries"]] == ["boot", "local-login", "physical"], told)

    with case("tegata: what CDDL cannot say is refused"):
        good = log.segment(1, 3)
        late = {**good, 5: [[253402300799, 0, 1, 0], [1, 0, 1, 0]]}
        last = {**log.segment(2, 3), 2: 2**53 - 1}
        wrong = [cbor2.dumps({5: good[5], 2: 1, 1: good[1], 0: 1}), encoded(good) + b"\0",
                 encoded({**good, 5: [[0, 0, 1, 0, {}]]}), encoded({**good, 5: [[-1, 0, 1, 0]]}),
                 encoded(late), encoded(last), encoded({**good, 5: [[0, 0, 1, 0, {1: "é" * 33}]]}),
                 encoded({**good, 5: [[0, 0, 1, 0, {1: "x" * 64, 2: "x" * 64}]] * 64})]
        said = [line["read"] for line in read(wrong)]
        require(said == [False] * len(wrong), said)

    with Gate(OUT / "platform") as platform:
        device, other = Device(platform, "BG1-0001"), Device(platform, "BG1-0002")

        def tell(item, by=device, expect=0):
            file = OUT / "tell.cbor"
            file.write_bytes(encoded(item))
            return by.publish("-t", "me/up/log", "-q", "1", "-f", file, expect=expect)

        def kept(of=device):
            return platform.call("device", "log", of.id, by="maker")

        def told(kind):
            found = platform.call("audit", "list", "--kind", kind, by="maker")
            return found if isinstance(found, list) else [found]

        with case("mosquitto and curl: segments by two doors, again and overlapping, are there once"):
            tell(log.segment(1, 2))
            tell(log.segment(1, 2))
            file = OUT / "tell.cbor"
            file.write_bytes(encoded(log.segment(2, 3)))
            run("curl", "--silent", "--show-error", "--fail-with-body", "--cacert", platform.roots,
                "--cert", device.certificates, "--key", device.key, "-H", "Content-Type: application/cbor",
                "--data-binary", f"@{file}", f"https://localhost:{platform.port}/v1/messages?topic=me/up/log")
            found = kept()
            require([one["sequence"] for one in found["entries"]] == [3, 2, 1], found)
            require([one["door"] for one in found["entries"]] == ["http", "mqtt", "mqtt"], found)
            require(found["intact"] and found["missing"] == [], found)
            require(found["entries"][0]["hash"] == log.places[3][0].hex(), found)
            events = [json.dumps(event) for event in told("device-log")]
            require(len(events) == 3 and all('"device"' in event for event in events), events)

        with case("what is missing shows, and is an event of its own"):
            for number in range(9):
                log.add(1_795_000_100 + number, 2, 1, 0)
            tell(log.segment(8, 12, dropped=4))
            found = kept()
            require(found["missing"] == [{"log": log.id.hex(), "from": 4, "to": 7}], found)
            require(found["stretches"][0]["declared"] == 4, found)
            text = platform.tegata("device", "log", device.id, by="maker").text
            require("missing: entries 4 to 7" in text, text)
            require(len(told("device-log-broken")) == 1, told("device-log-broken"))
            tell(log.segment(4, 7))
            require(kept()["missing"] == [], kept())

        with case("paho: a segment over WebSocket, by both versions of the protocol"):
            for version, name in [(mqtt.MQTTv5, "five"), (mqtt.MQTTv311, "three")]:
                log.add(1_795_000_200, 14, 2, 0)
                client = device.client(version, name, transport="websockets")
                client.connect()
                count = len(log.entries)
                client.client.publish("me/up/log", encoded(log.segment(count, count)), qos=1)
                client.wait("published")
                client.end()
                newest = kept()["entries"][0]
                require((newest["sequence"], newest["door"], newest["kind"]) == (count, "websocket", "clock"), newest)

        with case("another past is a fork"):
            copy = Log(log.id)
            copy.add(1, 0, 1, 0)
            tell(copy.segment(1, 1))
            found = kept()
            require(found["stretches"][0]["because"] == "fork" and found["intact"], found)

        with case("what is no segment is refused, and the owner reads why"):
            done = tell({0: 1}, expect=None)
            require("payload format invalid" in done.text.lower(), done.text)
            eventually(lambda: device.refused().get("schema", 0) == 1, device.refused())

        with case("another device tells nothing for this one"):
            topic = f"d/{device.id}/up/log"
            done = other.publish("-t", topic, "-q", "1", "-f", OUT / "tell.cbor", expect=None)
            require("not authorized" in done.text.lower(), done.text)
            require(kept(other)["entries"] == [], kept(other))


main()
finish()
