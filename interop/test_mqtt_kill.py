"""The server dies by SIGKILL while paho-mqtt sends with QoS 1: before a message is on disk, after it and before
the acknowledgement, and at any moment under load. Whatever was acknowledged is there afterwards, and a message
with a counter is there exactly once, however often it is sent again."""

import queue
import random
import time

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from lib import OUT, case, finish, require
from mqtt_device import Device, Gate

# Longest that anything may take here; what is through ends at once.
SECONDS_MAX = 120
BEFORE, AFTER = "between-admission-and-message", "between-message-and-answer"


class Mortal(Gate):
    """Dies at the step that `fault` names."""

    fault = None

    def environment(self, by=None):
        fault = {"TEGATA_KILL_AT": self.fault} if self.fault else {}
        return {**super().environment(by), **fault}

    def again(self, fault=None):
        if self.server.poll() is None:
            self.server.kill()
        self.server.wait(SECONDS_MAX)
        self.fault = fault
        self.start()
        self.fault = None


class Sender:
    """Numbered messages of one device; knows which of them were acknowledged."""

    def __init__(self, device):
        self.device, self.acknowledged, self.refused = device, set(), set()
        self.connect()

    def connect(self):
        self.numbers, self.events = {}, queue.Queue()
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "sender", protocol=mqtt.MQTTv5)
        client.tls_set(str(self.device.platform.roots), str(self.device.certificates), str(self.device.key))
        client.on_connect = lambda *_: self.events.put(("connect", None, None))
        client.on_disconnect = lambda *_: self.events.put(("disconnect", None, None))
        client.on_publish = lambda _c, _u, mid, code, _p: self.events.put(("published", mid, code.value))
        # What was not acknowledged we send again ourselves, or not at all.
        client.reconnect_delay_set(3600, 3600)
        until = time.monotonic() + SECONDS_MAX
        while True:
            try:
                client.connect("localhost", self.device.platform.mqtt_port, clean_start=True)
                break
            except ConnectionRefusedError:
                # This door opens a moment after the one that the start was waited for by.
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
        client.loop_start()
        self.client = client
        require(self.events.get(timeout=SECONDS_MAX)[0] == "connect", "not connected")

    def send(self, number, counted=True):
        properties = Properties(PacketTypes.PUBLISH)
        if counted:
            properties.UserProperty = [("tegata-counter", str(number))]
        sent = self.client.publish(f"me/up/{number}", str(number), qos=1, properties=properties)
        self.numbers[sent.mid] = number

    def hear(self):
        """The next answer; False once the connection has ended."""
        kind, mid, code = self.events.get(timeout=SECONDS_MAX)
        if kind == "published":
            # Paho tells the message before its identifier is known here, at times.
            until = time.monotonic() + SECONDS_MAX
            while mid not in self.numbers and time.monotonic() < until:
                time.sleep(0.001)
            (self.acknowledged if code == 0 else self.refused).add(self.numbers[mid])
        return kind != "disconnect"

    def end(self):
        self.client.loop_stop()

    def kept(self):
        """How often each number is on record."""
        count = {}
        for message in self.device.messages():
            number = int(message["topic"].removeprefix("up/"))
            count[number] = count.get(number, 0) + 1
        return count


def main():
    with Mortal(OUT / "platform") as platform:
        for point, time_ in [(BEFORE, 1), (BEFORE, 5), (AFTER, 1), (AFTER, 5)]:
            with case(f"killed {point}, the {time_}. time: acknowledged is kept, and a resend is heard once"):
                device = Device(platform, f"BG2-{point[8:13]}-{time_}")
                platform.again(f"{point}:{time_}")
                sender = Sender(device)
                for number in range(time_):
                    sender.send(number)
                    if not sender.hear():
                        break
                sender.end()
                require(platform.server.wait(SECONDS_MAX) == -9, "it did not die by its own hand")
                last = time_ - 1
                require(sender.acknowledged == set(range(last)), sender.acknowledged)
                platform.again()
                kept = sender.kept()
                require(all(kept.get(number) == 1 for number in range(last)), kept)
                # Both outcomes of what was under way, each where it belongs.
                require(kept.get(last, 0) == (1 if point == AFTER else 0), kept)
                sender.connect()
                sender.send(last)
                require(sender.hear(), "disconnected")
                sender.end()
                require((last in sender.refused) == (point == AFTER), "a counter was heard twice, or never")
                require(sender.kept() == {number: 1 for number in range(time_)}, sender.kept())

        seed = random.SystemRandom().randrange(2**32)
        dice = random.Random(seed)
        devices = [Device(platform, f"BG2-LOAD-{number}") for number in range(3)]
        for round_ in range(3):
            with case(f"killed at any moment under load, round {round_} (seed {seed}): acknowledged is kept"):
                senders = [Sender(device) for device in devices]
                first = round_ * 1000
                numbers = range(first, first + 60)
                for number in numbers:
                    for sender in senders:
                        sender.send(number)
                die_after = dice.randrange(1, 30)
                for sender in senders:
                    while len(sender.acknowledged | sender.refused) < die_after:
                        if not sender.hear():
                            break
                platform.server.kill()
                platform.server.wait()
                for sender in senders:
                    while sender.hear():
                        pass
                    sender.end()
                platform.again()
                for sender in senders:
                    kept = sender.kept()
                    require(sender.acknowledged, "nothing was acknowledged: the load was none")
                    require(sender.acknowledged <= set(kept), sender.acknowledged - set(kept))
                    require(set(kept.values()) == {1}, "one is there twice")


main()
finish()
