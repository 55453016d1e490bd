"""Message brokers of others, over TLS on the loopback: nats-server and RabbitMQ as Debian has them, read back with
nats-py and pika."""

import asyncio
import base64
import hashlib
import json
import os
import shutil
import signal
import ssl
import subprocess

import nats
import pika

from lib import OUT, Failure, run
from receiver import until
from tegata import answers, free_port

START_S = 120


class Server:
    """A program that is started, killed and started again, with all that it started itself."""

    def __init__(self, name):
        self.name, self.port = name, free_port()
        self.dir = OUT / name
        self.dir.mkdir(parents=True, exist_ok=True)
        self.process = None

    def command(self):
        raise NotImplementedError

    def environment(self):
        return dict(os.environ)

    def start(self):
        log = open(self.dir / "log", "ab")
        self.process = subprocess.Popen(
            [str(word) for word in self.command()], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env=self.environment(), cwd=self.dir, start_new_session=True)

        def listens():
            if self.process.poll() is not None:
                raise Failure(f"{self.name} ended:\n{(self.dir / 'log').read_text(errors='replace')[-3000:]}")
            return answers(self.port)

        until(f"{self.name} listens", listens, START_S)

    def kill(self):
        """At once, as when the power goes."""
        if self.process:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()
        self.process = None

    stop = kill


class Nats(Server):
    """nats-server with JetStream; what it is told can be changed between two starts."""

    def __init__(self, keys, name="nats"):
        super().__init__(name)
        self.keys = keys
        self.tls = f"""tls {{ cert_file: "{keys / 'hook.pem'}", key_file: "{keys / 'hook.key'}", ca_file: "{keys / 'ca.pem'}", timeout: 5 }}"""
        self.users = '{ user: gate, password: "pass:word" }, { user: reader, password: reader }'
        self.more = ""

    def command(self):
        path = self.dir / "nats.conf"
        path.write_text(f"""
            listen: "127.0.0.1:{self.port}"
            server_name: interop
            jetstream {{ store_dir: "{self.dir / 'store'}" }}
            {self.tls}
            authorization {{ users = [ {self.users} ] }}
            {self.more}
        """)
        return [shutil.which("nats-server") or "/usr/sbin/nats-server", "-c", path]

    def ask(self, work, url=None):
        """Something by nats-py, as the user `reader`."""
        context = ssl.create_default_context(cafile=str(self.keys / "ca.pem"))

        async def whole():
            client = await nats.connect(f"tls://localhost:{self.port}", tls=context, user="reader",
                                        password="reader", allow_reconnect=False, connect_timeout=10)
            try:
                return await work(client.jetstream(timeout=20))
            finally:
                await client.close()

        return asyncio.run(whole())

    def add_stream(self, name, subjects, **settings):
        return self.ask(lambda js: js.add_stream(name=name, subjects=subjects, **settings))

    def kept(self, name):
        """All that a stream has: subject, header, contents."""
        async def read(js):
            state = (await js.stream_info(name)).state
            found = []
            for sequence in range(max(state.first_seq, 1), state.last_seq + 1):
                message = await js.get_msg(name, sequence)
                found.append((message.subject, message.headers or {}, json.loads(message.data)))
            return found
        return self.ask(read)

    def count(self, name):
        async def read(js):
            return (await js.stream_info(name)).state.messages
        return self.ask(read)

    def purge(self, name):
        return self.ask(lambda js: js.purge_stream(name))


def password_hash(password):
    """As RabbitMQ keeps it: four bytes of salt, then SHA-256 of both."""
    salt = b"salt"
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


class Rabbit(Server):
    """RabbitMQ: a node of its own, in a folder of its own, with a port mapper of its own."""

    # Beyond these a message is refused.
    MESSAGE_BYTES_MAX = 60_000

    def __init__(self, keys):
        super().__init__("rabbit")
        self.keys = keys
        self.mapper_port = self.node_port = self.mapper = None
        allowed = {"configure": ".*", "write": ".*", "read": ".*"}
        self.definitions = {
            "vhosts": [{"name": "/"}, {"name": "plant/1"}],
            "users": [{"name": name, "password_hash": password_hash(password), "tags": "",
                       "hashing_algorithm": "rabbit_password_hashing_sha256"}
                      for name, password in [("gate", "pass:word"), ("reader", "reader"), ("narrow", "narrow"),
                                             ("localhost", "nobody knows it")]],
            "permissions": [{"user": user, "vhost": vhost, **allowed}
                            for user in ["gate", "reader", "localhost"] for vhost in ["/", "plant/1"]]
            + [{"user": "narrow", "vhost": "/", "configure": "", "write": ".*", "read": ""}],
            "queues": [{"name": "old", "vhost": "/", "durable": True, "auto_delete": False, "arguments": {}}],
            "exchanges": [{"name": "tegata", "vhost": "/", "type": "topic", "durable": True,
                           "auto_delete": False, "internal": False, "arguments": {}}],
        }

    def environment(self):
        return {
            **os.environ, "HOME": str(self.dir), "RABBITMQ_NODENAME": "interop@localhost",
            "RABBITMQ_CONFIG_FILE": str(self.dir / "rabbitmq"), "RABBITMQ_BASE": str(self.dir),
            "RABBITMQ_CONF_ENV_FILE": str(self.dir / "none.conf"),
            "RABBITMQ_MNESIA_BASE": str(self.dir / "mnesia"), "RABBITMQ_LOG_BASE": str(self.dir),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.dir / "plugins"), "RABBITMQ_PID_FILE": str(self.dir / "pid"),
            "RABBITMQ_DIST_PORT": str(self.node_port), "ERL_EPMD_PORT": str(self.mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1", "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2",
        }

    def command(self):
        (self.dir / "definitions.json").write_text(json.dumps(self.definitions))
        (self.dir / "plugins").write_text("[rabbitmq_auth_mechanism_ssl].\n")
        (self.dir / "none.conf").write_text("")
        (self.dir / "rabbitmq.conf").write_text(f"""
            listeners.tcp = none
            listeners.ssl.1 = 127.0.0.1:{self.port}
            ssl_options.cacertfile = {self.keys / 'ca.pem'}
            ssl_options.certfile = {self.keys / 'hook.pem'}
            ssl_options.keyfile = {self.keys / 'hook.key'}
            ssl_options.verify = verify_peer
            ssl_options.fail_if_no_peer_cert = false
            auth_mechanisms.1 = PLAIN
            auth_mechanisms.2 = EXTERNAL
            ssl_cert_login_from = common_name
            max_message_size = {self.MESSAGE_BYTES_MAX}
            load_definitions = {self.dir / 'definitions.json'}
        """.replace("            ", ""))
        return ["/usr/lib/rabbitmq/bin/rabbitmq-server"]

    def start(self):
        if not self.mapper:
            self.mapper_port = free_port()
            self.mapper = subprocess.Popen(["epmd", "-port", str(self.mapper_port), "-address", "127.0.0.1"],
                                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                           stderr=subprocess.DEVNULL)
        self.node_port = free_port()
        super().start()

    def stop(self):
        self.kill()
        if self.mapper:
            self.mapper.kill()
            self.mapper.wait()
        self.mapper = None

    def channel(self, vhost="/"):
        context = ssl.create_default_context(cafile=str(self.keys / "ca.pem"))
        connection = pika.BlockingConnection(pika.ConnectionParameters(
            "localhost", self.port, vhost, pika.PlainCredentials("reader", "reader"),
            ssl_options=pika.SSLOptions(context, "localhost"), heartbeat=0, blocked_connection_timeout=30))
        return connection.channel()

    def ask(self, work, vhost="/"):
        channel = self.channel(vhost)
        try:
            return work(channel)
        finally:
            if channel.connection.is_open:
                channel.connection.close()

    def taken(self, queue, vhost="/"):
        """Takes all that a queue has: routing key, properties, contents."""
        def read(channel):
            found = []
            while True:
                method, properties, body = channel.basic_get(queue, auto_ack=True)
                if method is None:
                    return found
                found.append((method.routing_key, properties, json.loads(body)))
        return self.ask(read, vhost)
