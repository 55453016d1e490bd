"""A platform with a door for messages, and devices that speak MQTT by foreign clients, unmodified."""

import queue
import ssl
import subprocess
import time

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from lib import require, run
from tegata import Platform, credential

# Longest that anything may take here; what is through ends at once.
SECONDS_MAX = 60


class Gate(Platform):
    MQTT = True


class Device:
    def __init__(self, platform, serial_number):
        self.platform, self.serial_number = platform, serial_number
        self.id = platform.register(serial_number)
        identity = platform.folder / f"{serial_number}.pem"
        platform.enrol(self.id, serial_number, identity)
        self.certificates, self.key = credential(platform.folder, serial_number, identity.read_text())

    def arguments(self, version="5"):
        return ["-h", "localhost", "-p", self.platform.mqtt_port, "--cafile", self.platform.roots,
                "--cert", self.certificates, "--key", self.key, "-V", {"5": "mqttv5", "4": "mqttv311"}[version]]

    def publish(self, *arguments, version="5", expect=0):
        return run("mosquitto_pub", *self.arguments(version), *arguments, expect=expect, timeout=SECONDS_MAX)

    def subscribe(self, *arguments, version="5"):
        command = ["mosquitto_sub", *self.arguments(version), "-W", SECONDS_MAX, *arguments]
        return subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def listed(self, what):
        found = self.platform.call("device", what, self.id, by="maker")
        return [found] if isinstance(found, dict) else found

    def messages(self):
        return self.listed("messages")

    def refused(self):
        """What was refused, by its reason; written down once a second."""
        return {line["reason"]: line["count"] for line in self.listed("refused-messages")}

    def client(self, protocol=mqtt.MQTTv5, client_id="paho", **settings):
        return Paho(self, protocol, client_id, **settings)


class Paho:
    """A client whose callbacks go into one queue."""

    def __init__(self, device, protocol, client_id, will=None, transport="tcp"):
        self.heard = queue.Queue()
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id, protocol=protocol, transport=transport)
        self.client.tls_set(str(device.platform.roots), str(device.certificates), str(device.key),
                            tls_version=ssl.PROTOCOL_TLS_CLIENT)
        put = self.heard.put
        self.client.on_connect = lambda _c, _u, flags, code, _p: put(("connect", flags.session_present, code.value))
        self.client.on_disconnect = lambda _c, _u, _f, code, _p: put(("disconnect", code.value))
        self.client.on_message = lambda _c, _u, message: put(("message", message.topic, message.payload, message.qos, message.retain))
        self.client.on_publish = lambda _c, _u, mid, code, _p: put(("published", mid, code.value))
        self.client.on_subscribe = lambda _c, _u, mid, codes, _p: put(("subscribed", mid, [code.value for code in codes]))
        if will:
            self.client.will_set(*will)
        self.port = device.platform.mqtt_port
        if transport == "websockets":
            self.port = device.platform.websocket_port
            self.client.ws_set_options(path="/mqtt")

    def connect(self, clean=True, expiry=0):
        if self.client.protocol == mqtt.MQTTv5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = expiry
            self.client.connect("localhost", self.port, clean_start=clean, properties=properties)
        else:
            self.client.connect("localhost", self.port)
        self.client.loop_start()
        return self.wait("connect")

    def wait(self, kind):
        until = time.monotonic() + SECONDS_MAX
        seen = []
        while True:
            left = until - time.monotonic()
            require(left > 0, f"no {kind}, but {seen}")
            try:
                found = self.heard.get(timeout=max(left, 0.01))
            except queue.Empty:
                continue
            if found[0] == kind:
                return found[1:]
            seen.append(found)

    def end(self):
        self.client.disconnect()
        self.client.loop_stop()

    def cut(self):
        """Without goodbye."""
        self.client.loop_stop()
        self.client.socket().close()


def eventually(holds, what):
    until = time.monotonic() + SECONDS_MAX
    while not holds():
        require(time.monotonic() < until, what)
        time.sleep(0.1)
