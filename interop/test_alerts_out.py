"""Alerts on their way out (docs/alerts.md): mail by STARTTLS and by TLS to `aiosmtpd`, web hooks verified with
`standardwebhooks`; a server without STARTTLS is told nothing, one that is away gets what waited."""

import email
import email.policy
import socket
import ssl
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from lib import OUT, case, finish, require
from mqtt_device import Device, Gate
from receiver import Hook, certificates, until
from tegata import free_port


class Box:
    """Keeps what it is sent; refuses one recipient for good."""

    def __init__(self):
        self.mails = []

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append((session.ssl is not None, session.authenticated, envelope.rcpt_tos, message))
        return "250 taken"


def login(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"tegata", b"a word"))


def looked_at(port):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain, context.wrap_socket(plain) as stream:
        stream.recv(1024)


def server(port, box, keys, starttls=True, implicit=False):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys / "hook.pem", keys / "hook.key")

    class Mail(Controller):
        def factory(self):
            secure = {"tls_context": context, "require_starttls": True} if starttls else {}
            return SMTP(self.handler, authenticator=login, auth_require_tls=not implicit, auth_required=starttls or implicit,
                        **secure)

    made = Mail(box, hostname="127.0.0.1", port=port, ssl_context=context if implicit else None)
    if implicit:
        # The controller looks whether it is up; it would speak as a server does.
        made._trigger_server = lambda: looked_at(port)
    made.start()
    return made


def main():
    keys = certificates(OUT / "mail")
    Gate.MORE = ["--route-network", "127.0.0.0/8", "--route-network", "::1/128"]
    with Gate(OUT / "platform") as platform:
        device = Device(platform, "BG-0001")
        of = ["--organisation", "maker"]
        word = platform.folder / "login"
        word.write_text("tegata:a word\n")

        def call(*arguments):
            found = platform.call("alert", *arguments, *of, by="maker")
            return found

        def receiver(name):
            found = call("receiver", "list")
            found = [found] if isinstance(found, dict) else found
            return next(one for one in found if one["name"] == name)

        def mail(name, url, to="ops@example.org", language="en"):
            call("receiver", "put", name, "--to", url, "--mail-from", "tegata@example.org", "--mail-to", to,
                 "--mail-language", language, "--receiver-ca", keys / "ca.pem", "--secret", word)

        boxes = {name: Box() for name in ["starttls", "implicit", "plain"]}
        ports = {name: free_port() for name in boxes}
        servers = [server(ports["starttls"], boxes["starttls"], keys),
                   server(ports["implicit"], boxes["implicit"], keys, starttls=False, implicit=True),
                   server(ports["plain"], boxes["plain"], keys, starttls=False)]
        hook = Hook(keys)
        mail("by-starttls", f"smtp://localhost:{ports['starttls']}")
        mail("by-tls", f"smtps://localhost:{ports['implicit']}", language="ja")
        mail("in-the-clear", f"smtp://localhost:{ports['plain']}")
        mail("to-nobody", f"smtp://localhost:{ports['starttls']}", to="nobody@example.org")
        put = call("receiver", "put", "hook", "--to", f"https://localhost:{hook.port}/in", "--receiver-ca", keys / "ca.pem")
        hook.secret = put["secret"]

        for number in range(12):
            device.publish("-t", f"d/00000000000000000000000000000000/up/{number}", "-q", "1", "-m", "1", expect=None)

        with case("mail by STARTTLS, with a login, in English"):
            until("the mail", lambda: boxes["starttls"].mails)
            secure, authenticated, to, message = boxes["starttls"].mails[0]
            require(secure and authenticated and to == ["ops@example.org"], (secure, authenticated, to))
            require("A device tries topics that are not its own" in message["Subject"], message["Subject"])
            require(message["From"] == "tegata@example.org" or "tegata@example.org" in message["From"], message["From"])
            require(message["Date"] and message["Message-ID"].endswith("@interop.example>"), message.items())
            text = message.get_content()
            require(device.id in text and "quarantine" in text, text)

        with case("mail by TLS from its beginning, in Japanese"):
            until("the mail", lambda: boxes["implicit"].mails)
            _, authenticated, _, message = boxes["implicit"].mails[0]
            require(authenticated and "自分のものではないトピック" in message["Subject"], message["Subject"])
            require("隔離" in message.get_content(), message.get_content())

        with case("nothing is said in the clear"):
            why = until("it fails", lambda: receiver("in-the-clear").get("failure"))
            require("STARTTLS" in why and not boxes["plain"].mails, why)

        with case("what a server refuses for good is not sent to it again, until somebody asks for it"):
            until("it is dead", lambda: receiver("to-nobody")["dead"] == 1)
            require("550" in receiver("to-nobody")["failure"], receiver("to-nobody"))
            require(call("receiver", "retry", "to-nobody")["count"] == 1, "retried")
            until("it is dead again", lambda: receiver("to-nobody")["dead"] == 1)

        with case("a web hook that was away gets what waited, signed"):
            until("it fails", lambda: receiver("hook").get("failure"))
            hook.start()
            until("it is told", lambda: hook.taken)
            _, body = hook.taken[0]
            require(body["type"] == "alert.raised" and body["data"]["device"] == device.id, body)
            require(body["data"]["suggest"] == "quarantine" and body["data"]["title_ja"], body)
            alert = body["data"]["alert"]
            call("quarantine", alert, "--note", "look at it")
            call("close", alert)
            until("the rest", lambda: len(hook.taken) >= 3)
            require([one["type"] for _, one in hook.taken] == ["alert.raised", "alert.quarantined", "alert.closed"], hook.taken)
            until("three mails", lambda: len(boxes["starttls"].mails) >= 3)
            time.sleep(1)
            require(len(boxes["starttls"].mails) == 3, "each is told once")
        hook.stop()
        for one in servers:
            one.stop()


main()
finish()
