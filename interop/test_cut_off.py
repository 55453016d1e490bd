"""How soon a device that may not be here any more is gone from the MQTT door, whatever it does there: clients that
send all the time, that listen, and that read nothing. The figures are printed; what is tested is that it happens, and
that nothing which was on its way comes through after the fact."""

import socket
import ssl
import threading
import time

from lib import OUT, case, finish, require
from mqtt_device import SECONDS_MAX, Device, Gate


class Stubborn:
    """MQTT 3.1.1 by hand: subscribes to everything of its own and then reads nothing, ever."""

    def __init__(self, device):
        context = ssl.create_default_context(cafile=str(device.platform.roots))
        context.load_cert_chain(str(device.certificates), str(device.key))
        plain = socket.create_connection(("localhost", device.platform.mqtt_port))
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.stream = context.wrap_socket(plain, server_hostname="localhost")
        self.stream.settimeout(SECONDS_MAX)
        name = b"stubborn"
        body = b"\0\4MQTT\4\2\0\0" + len(name).to_bytes(2, "big") + name
        self.stream.sendall(bytes([0x10, len(body)]) + body)
        require(self.stream.recv(4) == b"\x20\2\0\0", "not welcome")
        topic = b"me/#"
        body = b"\0\1" + len(topic).to_bytes(2, "big") + topic + b"\0"
        self.stream.sendall(bytes([0x82, len(body)]) + body)
        require(self.stream.recv(5) == b"\x90\3\0\1\0", "not granted")

    def wait_for_the_end(self):
        """Pings until that fails: what was sent to it stays unread."""
        until = time.monotonic() + SECONDS_MAX
        while time.monotonic() < until:
            try:
                self.stream.sendall(b"\xc0\0")
            except OSError:
                return
            time.sleep(0.01)
        require(False, "it is still connected")


class Flood:
    """Sends as fast as it may, and a little faster."""

    def __init__(self, device):
        self.paho = device.client(client_id="flood")
        self.paho.client.reconnect_delay_set(3600, 3600)
        self.paho.connect()
        self.going = True
        self.thread = threading.Thread(target=self.send, daemon=True)
        self.thread.start()

    def send(self):
        while self.going:
            self.paho.client.publish("me/up/flood", b"x" * 100, qos=1)
            time.sleep(0.02)

    def end(self):
        self.going = False
        self.thread.join()
        self.paho.client.loop_stop()


def main():
    with Gate(OUT / "platform") as platform:

        def act(device, what, *more, by="maker"):
            return platform.tegata("device", "act", device.id, what, *more, by=by)

        def suspend(device):
            act(device, "suspend", "--cause", "anomaly", "--reason", "seen elsewhere")

        def revoke(device):
            act(device, "revoke", "--cause", "key-compromise", "--reason", "its key is for sale")

        def retire(device):
            act(device, "retire", "--cause", "end-of-life", "--reason", "it is old")

        def sell(device):
            act(device, "offer-transfer", "--to", "owner", "--reason", "sold")
            act(device, "accept-transfer", "--reason", "bought", by="owner")

        for number, fact in enumerate([suspend, revoke, retire, sell]):
            with case(f"{fact.__name__}: who listens, who floods and who reads nothing are cut off"):
                device = Device(platform, f"BG3-000{number}")
                bystander = Device(platform, f"BG3-100{number}")
                # Three connections of one device: each has what it has, and all must go.
                listener, other = device.client(client_id="listener"), bystander.client(client_id="other")
                for client in [listener, other]:
                    client.client.reconnect_delay_set(3600, 3600)
                    client.connect()
                listener.client.subscribe("me/#", qos=1)
                listener.wait("subscribed")
                stubborn = Stubborn(device)
                flood = Flood(device)
                listener.wait("message")
                ended = {}

                def watch(name, wait):
                    wait()
                    ended[name] = time.monotonic()

                watchers = [
                    threading.Thread(target=watch, args=("listens", lambda: listener.wait("disconnect"))),
                    threading.Thread(target=watch, args=("floods", lambda: flood.paho.wait("disconnect"))),
                    threading.Thread(target=watch, args=("reads nothing", stubborn.wait_for_the_end)),
                ]
                for watcher in watchers:
                    watcher.start()
                fact(device)
                done = time.monotonic()
                # The former owner reads nothing of a device any more that it sold.
                known = None if fact is sell else len(device.messages())
                for watcher in watchers:
                    watcher.join()
                flood.end()
                listener.client.loop_stop()
                require(len(ended) == 3, f"still there: {ended}")
                for name, at in ended.items():
                    print(f"   {fact.__name__}: who {name} was cut off {at - done:+.2f} s after the command came back")
                done = device.publish("-t", "me/up/x", "-q", "1", "-m", "x", expect=None)
                require(done.returncode != 0, "it came in again")
                if known is not None:
                    require(len(device.messages()) == known, "something came through after the fact")
                # Nobody else noticed anything.
                other.client.publish("me/up/still", "1", qos=1)
                require(other.wait("published")[1] == 0, "a bystander was cut off")
                other.end()

        with case("who was suspended and is released comes in again, and finds nothing of its former session"):
            device = Device(platform, "BG3-2000")
            client = device.client(client_id="kept")
            client.client.reconnect_delay_set(3600, 3600)
            client.connect(expiry=300)
            client.client.subscribe("me/#", qos=1)
            client.wait("subscribed")
            suspend(device)
            client.wait("disconnect")
            client.client.loop_stop()
            act(device, "release", "--reason", "it was not")
            client = device.client(client_id="kept")
            present, code = client.connect(clean=False)
            require(code == 0 and not present, f"{code} {present}")
            client.end()


main()
finish()
