"""The further doors for devices' messages, by foreign clients and by hand: MQTT over WebSocket with paho-mqtt and with
frames that no client sends. What comes in there is admitted as at every door, and who may not be here is cut off."""

import socket
import ssl
import time

import paho.mqtt.client as mqtt

from lib import OUT, case, finish, require
from mqtt_device import SECONDS_MAX, Device, Gate, eventually
from tegata import credential

CONNECT = b"\x10\x11\0\4MQTT\5\2\0\x3c\0\0\4hand"
CONNACK_NOT_AUTHORIZED = b"\x20\x03\0\x87\0"


def context(platform, certificates=None, key=None):
    made = ssl.create_default_context(cafile=str(platform.roots))
    if certificates:
        made.load_cert_chain(str(certificates), str(key))
    return made


class Web:
    """A WebSocket by hand."""

    def __init__(self, platform, certificates=None, key=None, resume=None):
        self.context = resume.context if resume else context(platform, certificates, key)
        plain = socket.create_connection(("localhost", platform.websocket_port), timeout=SECONDS_MAX)
        self.stream = self.context.wrap_socket(plain, server_hostname="localhost",
                                               session=resume.stream.session if resume else None)
        self.port = platform.websocket_port

    def ask(self, *more, method="GET", path="/mqtt", protocol="mqtt"):
        """The status of the answer; zero where there is none."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: localhost:{self.port}", "Connection: Upgrade",
                 "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
        lines += [f"Sec-WebSocket-Protocol: {protocol}"] if protocol else []
        try:
            self.stream.sendall("\r\n".join([*lines, *more, "", ""]).encode())
        except OSError:
            return 0
        head = b""
        while b"\r\n\r\n" not in head:
            piece = self.receive(1)
            if not piece:
                return 0
            head += piece
        return int(head.split()[1])

    def receive(self, count):
        try:
            return self.stream.recv(count)
        except OSError:
            return b""

    def send(self, first, payload=b"", masked=True):
        length = len(payload)
        head = bytes([first]) + (bytes([length | masked << 7]) if length < 126 else
                                 bytes([126 | masked << 7]) + length.to_bytes(2, "big") if length < 1 << 16 else
                                 bytes([127 | masked << 7]) + length.to_bytes(8, "big"))
        try:
            self.stream.sendall(head + (bytes(4) if masked else b"") + payload)
        except OSError:
            pass  # the other end has gone already, which is what the caller asks about

    def heard(self):
        """The payload of the next frame, or nothing where the connection ended."""
        head = self.receive(2)
        if len(head) < 2 or head[0] & 15 == 8:
            return b""
        payload = b""
        while len(payload) < head[1]:
            piece = self.receive(head[1] - len(payload))
            if not piece:
                return b""
            payload += piece
        return payload


def websocket(platform, device, other):
    def opened(who=device, **more):
        web = Web(platform, who.certificates, who.key, **more)
        require(web.ask() == 101, "not opened")
        return web

    with case("paho over WebSocket: the same sessions, by another door"):
        for protocol in [mqtt.MQTTv311, mqtt.MQTTv5]:
            client = device.client(protocol=protocol, client_id="web", transport="websockets")
            client.connect()
            client.client.subscribe("me/up/web", qos=2)
            client.wait("subscribed")
            # Longer than one of our messages.
            body = b"w" * 60_000
            client.client.publish("me/up/web", body, qos=2)
            require(client.wait("message")[:3] == ("me/up/web", body, 2), "another message")
            client.end()
        require([m["door"] for m in device.messages() if m["topic"] == "up/web"] == ["websocket"] * 2, "not kept")

    with case("paho over WebSocket: a foreign space is closed, and a session goes on at the other door"):
        client = device.client(client_id="moves", transport="websockets")
        client.connect(expiry=300)
        client.client.subscribe("me/up/moves", qos=1)
        client.wait("subscribed")
        client.client.publish(f"d/{other.id}/up/x", "x", qos=1)
        require(client.wait("published")[1] == 0x87, "another device's space is open")
        client.client.subscribe("#")
        require(client.wait("subscribed")[1] == [0x87], "everything was granted")
        client.end()
        device.publish("-t", "me/up/moves", "-q", "1", "-m", "x")
        client = device.client(client_id="moves")
        present, _ = client.connect(clean=False)
        require(present and client.wait("message")[:2] == ("me/up/moves", b"x"), "the session is gone")
        client.end()

    with case("WebSocket: other pages, paths, methods and protocols are turned away before they are answered"):
        def status(*more, **changed):
            return Web(platform, device.certificates, device.key).ask(*more, **changed)
        own = f"Origin: https://localhost:{platform.websocket_port}"
        require(status(own) == 101, "the door's own origin")
        require(status("Origin: https://maps.example") == 101, "an origin that the operator named")
        for origin in ["https://evil.example", "null", f"http://localhost:{platform.websocket_port}",
                       "https://maps.example.evil.example"]:
            require(status(f"Origin: {origin}") == 403, f"{origin} came in")
        require(status(own, "Origin: https://evil.example") == 400, "two origins")
        require(status(path="/v1/messages") == 404, "another path")
        require(status(method="POST") == 405, "another method")
        require(status(protocol="chat") == 400, "another protocol")
        require(status(protocol=None) == 400, "no protocol")
        require(status("X: " + "x" * 9000) == 431, "a head without end")

    with case("WebSocket: MQTT may be cut anywhere, and text ends it"):
        web = opened()
        for byte in CONNECT[:-1]:
            web.send(0x82, bytes([byte]))
        web.send(0x02, b"")
        web.send(0x89, b"still there")
        web.send(0x80, CONNECT[-1:])
        require(web.heard() == b"still there", "no pong")
        require(web.heard()[:1] == b"\x20", "not welcome")
        web.send(0x81, b"\xc0\0")
        require(web.heard() == b"", "text was read")

    with case("WebSocket: frames that are none, and too large ones, end it"):
        for name, first, payload, masked in [
            ("unmasked", 0x82, CONNECT, False), ("a reserved opcode", 0x83, CONNECT, True),
            ("a reserved bit", 0xC2, CONNECT, True), ("text", 0x81, b"hello", True),
            ("a continuation of nothing", 0x80, CONNECT, True), ("too large", 0x82, bytes(200_000), True),
        ]:
            web = opened()
            web.send(first, payload, masked)
            require(web.heard() == b"", f"{name}: it was answered")

    with case("WebSocket: nobody comes in without a certificate, and members do not"):
        require(Web(platform).ask() == 0, "no certificate")
        member = credential(OUT, "web-member", platform.credentials["maker"].read_text())
        web = Web(platform, *member)
        require(web.ask() == 101, "not opened")
        web.send(0x82, CONNECT)
        require(web.heard() == CONNACK_NOT_AUTHORIZED, "a member came in")

    with case("WebSocket: who is suspended is cut off at once, and no kept TLS session lets it in again"):
        victim = Device(platform, "BG4-0003")
        client = victim.client(client_id="paho", transport="websockets")
        client.client.reconnect_delay_set(3600, 3600)
        client.connect()
        web = opened(victim)
        web.send(0x82, CONNECT)
        require(web.heard()[:1] == b"\x20", "not welcome")
        again = opened(victim, resume=web)
        require(again.stream.session_reused, "no TLS session was resumed")
        platform.tegata("device", "act", victim.id, "suspend", "--cause", "anomaly", "--reason", "seen elsewhere",
                        by="maker")
        done = time.monotonic()
        require(client.wait("disconnect")[0] == 0x87, "not told")
        require(web.heard()[:3:2] == b"\xe0\x87", "the second connection is not told")
        require(web.heard() == b"", "the second connection is still there")
        print(f"   cut off {time.monotonic() - done:.2f} s after the command came back")
        client.client.loop_stop()
        late = Web(platform, resume=again)
        if late.ask() == 101:
            late.send(0x82, CONNECT)
            require(late.heard() == CONNACK_NOT_AUTHORIZED, "it came in again")
        require(victim.messages() == [], "something was heard")

    with case("WebSocket: the will of a connection that breaks off comes by its own door"):
        listener = device.client(client_id="listens")
        listener.connect()
        listener.client.subscribe("me/up/will", qos=1)
        listener.wait("subscribed")
        rude = device.client(client_id="rude", will=("me/up/will", "gone", 1), transport="websockets")
        rude.connect()
        rude.client.loop_stop()
        # paho's own socket: its wrapper would say goodbye.
        rude.client._sock._socket.close()
        require(listener.wait("message")[:2] == ("me/up/will", b"gone"), "another will")
        listener.end()
        eventually(lambda: [m["door"] for m in device.messages() if m["topic"] == "up/will"] == ["websocket"],
                   "by another door")


def main():
    with Gate(OUT / "platform") as platform:
        device, other = Device(platform, "BG4-0001"), Device(platform, "BG4-0002")
        websocket(platform, device, other)


main()
finish()
