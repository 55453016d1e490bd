"""Second opinions on the MQTT door: gmqtt (MQTT 5 and 3.1.1) and amqtt (3.1.1), unmodified, with mutual TLS."""

import asyncio
import ssl

import gmqtt
from amqtt.client import MQTTClient
from amqtt.errors import ConnectError
from gmqtt.mqtt.constants import MQTTv50, MQTTv311

from lib import OUT, case, finish, require, run
from mqtt_device import SECONDS_MAX, Device, Gate, eventually

NOT_AUTHORIZED = 0x87


def context(device):
    made = ssl.create_default_context(cafile=str(device.platform.roots))
    made.load_cert_chain(str(device.certificates), str(device.key))
    return made


class Gmqtt:
    """A client whose callbacks go into one queue."""

    def __init__(self, device, client_id, clean=True, **settings):
        self.device = device
        self.heard = asyncio.Queue()
        self.client = gmqtt.Client(client_id, clean_session=clean, **settings)
        # Who is cut off stays away: a test is to see it.
        self.client.set_config({"reconnect_retries": 0})
        put = self.heard.put_nowait
        self.client.on_connect = lambda _c, flags, code, properties: put(("connect", flags, code, properties))
        self.client.on_message = lambda _c, topic, body, qos, properties: put(("message", topic, bytes(body), qos, properties)) or 0
        self.client.on_disconnect = lambda _c, packet, exc=None: put(("disconnect", packet))
        self.client.on_subscribe = lambda _c, mid, codes, _p: put(("subscribed", mid, list(codes)))

    async def connect(self, version=MQTTv50, device=None):
        await self.client.connect("localhost", self.device.platform.mqtt_port, ssl=context(device or self.device),
                                  version=version)
        return await self.wait("connect")

    async def wait(self, kind):
        while True:
            found = await asyncio.wait_for(self.heard.get(), SECONDS_MAX)
            if found[0] == kind:
                return found[1:]

    async def end(self):
        try:
            await self.client.disconnect()
        except ssl.SSLError:
            pass  # an acknowledgement crossed its goodbye, which asyncio does not forgive


async def with_gmqtt(device, other):
    for version in [MQTTv50, MQTTv311]:
        name = f"gmqtt, MQTT {'5' if version == MQTTv50 else '3.1.1'}"

        with case(f"{name}: what is published comes back, in every quality of service"):
            client = Gmqtt(device, "gmqtt")
            await client.connect(version)
            client.client.subscribe(f"me/up/g{version}/#", qos=2)
            await client.wait("subscribed")
            for qos in [0, 1, 2]:
                client.client.publish(f"me/up/g{version}/{qos}", b"body", qos=qos)
                require((await client.wait("message"))[:3] == (f"me/up/g{version}/{qos}", b"body", qos), "another message")
            await client.end()
            eventually(lambda: len([m for m in device.messages() if m["topic"].startswith(f"up/g{version}/")]) == 3, "not kept")

        with case(f"{name}: nobody without a certificate"):
            stranger = ssl.create_default_context(cafile=str(device.platform.roots))
            client = Gmqtt(device, "stranger")
            try:
                await asyncio.wait_for(client.client.connect("localhost", device.platform.mqtt_port, ssl=stranger, version=version), 10)
                require(False, "came in")
            except (OSError, asyncio.TimeoutError, gmqtt.mqtt.handler.MQTTConnectError, ConnectionError):
                pass

    with case("gmqtt: properties go through, those of the topic and those of the user"):
        client = Gmqtt(device, "properties")
        await client.connect()
        client.client.subscribe("me/up/properties", qos=1, subscription_identifier=7)
        await client.wait("subscribed")
        client.client.publish("me/up/properties", b"{}", qos=1, content_type="application/json", response_topic="me/up/answer",
                              correlation_data=b"c", message_expiry_interval=60, user_property=[("a", "1"), ("a", "2")])
        properties = (await client.wait("message"))[3]
        require(properties["content_type"] == ["application/json"] and properties["correlation_data"] == [b"c"], properties)
        require(properties["user_property"] == [("a", "1"), ("a", "2")], properties)
        require(properties["response_topic"] == ["me/up/answer"] and properties["subscription_identifier"] == [7], properties)
        await client.end()

    with case("gmqtt: limits of the server are told, and a session that is kept goes on"):
        client = Gmqtt(device, "kept", session_expiry_interval=300)
        flags, code, properties = await client.connect()
        require((flags, code) == (0, 0), (flags, code))
        require(properties["maximum_packet_size"] == [131_072] and properties["topic_alias_maximum"] == [16], properties)
        client.client.subscribe("me/up/kept", qos=1)
        await client.wait("subscribed")
        await client.end()
        device.publish("-t", "me/up/kept", "-q", "1", "-m", "while away")
        client = Gmqtt(device, "kept", clean=False, session_expiry_interval=300)
        flags, code, _ = await client.connect()
        require((flags, code) == (1, 0), "no session was there")
        require((await client.wait("message"))[1] == b"while away", "what came meanwhile is lost")
        await client.end()

    with case("gmqtt: a foreign space is closed, also as a wildcard"):
        client = Gmqtt(device, "curious")
        await client.connect()
        for topic in [f"d/{other.id}/up/x", "#", "d/+/up/x"]:
            client.client.subscribe(topic, qos=1)
            require((await client.wait("subscribed"))[1] == [NOT_AUTHORIZED], f"{topic} was granted")
        client.client.publish(f"d/{other.id}/up/x", b"x", qos=1)
        eventually(lambda: "topic" in device.refused(), "not on record")
        require(not other.messages(), "it was kept")
        await client.end()

    with case("gmqtt: a second connection of one client ends the first"):
        first, second = Gmqtt(device, "twin"), Gmqtt(device, "twin")
        await first.connect()
        await second.connect()
        await first.wait("disconnect")
        await second.end()


def amqtt(device):
    return MQTTClient(client_id="amqtt", config={
        "auto_reconnect": False,
        "connection": {"certfile": str(device.certificates), "keyfile": str(device.key), "cafile": str(device.platform.roots)},
    })


async def with_amqtt(device, other):
    url = f"mqtts://localhost:{device.platform.mqtt_port}/"

    with case("amqtt: what is published comes back, in every quality of service"):
        client = amqtt(device)
        await client.connect(url, cafile=str(device.platform.roots))
        require(await client.subscribe([("me/up/a/#", 2)]) == [2], "not granted")
        for qos in [0, 1, 2]:
            await client.publish(f"me/up/a/{qos}", b"body", qos=qos)
            heard = await client.deliver_message(timeout_duration=SECONDS_MAX)
            require((heard.topic, bytes(heard.data), heard.qos) == (f"me/up/a/{qos}", b"body", qos), "another message")
        require(await client.subscribe([(f"d/{other.id}/#", 1)]) == [0x80], "a foreign space was granted")
        await client.disconnect()
        eventually(lambda: len([m for m in device.messages() if m["topic"].startswith("up/a/")]) == 3, "not kept")

    with case("amqtt: nobody with a stranger's certificate"):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
            "-subj", f"/CN={device.id}", "-keyout", OUT / "stranger.key", "-out", OUT / "stranger.pem")
        client = MQTTClient(client_id="stranger", config={
            "auto_reconnect": False, "reconnect_retries": 0,
            "connection": {"certfile": str(OUT / "stranger.pem"), "keyfile": str(OUT / "stranger.key"),
                           "cafile": str(device.platform.roots)},
        })
        try:
            await asyncio.wait_for(client.connect(url, cafile=str(device.platform.roots)), 20)
            require(False, "came in")
        except (ConnectError, OSError, asyncio.TimeoutError):
            pass


async def main():
    with Gate(OUT / "platform") as platform:
        device, other = Device(platform, "MQ-1"), Device(platform, "MQ-2")
        await with_gmqtt(device, other)
        await with_amqtt(device, other)


asyncio.run(main())
finish()
