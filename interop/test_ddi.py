"""SWUpdate 2022.12 of Debian 12, unmodified, against a running server: it installs a signed and encrypted
image, restarts, confirms; and refuses what it should."""

import atexit
import hashlib
import http.client
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import time

from lib import OUT, TEGATA, case, finish, require, run
from tegata import Platform, credential

ROOTFS = os.urandom(150_000)
BOARD = "gate-bg1:1.0"
# Longest that one step of a device may take here; a step that is through ends at once.
SECONDS_MAX = 180


def sbom_of(version):
    return {
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "metadata": {"component": {"type": "firmware", "name": "gate", "version": version}},
        "components": [{"type": "library", "name": "zlib", "version": "1.3",
                        "purl": "pkg:generic/zlib@1.3"}],
    }


class Rest:
    """The REST interface, by a member's certificate."""

    def __init__(self, platform, name):
        text = platform.credentials[name].read_text()
        certificates, key = credential(platform.folder, f"rest-{name}", text)
        self.context = ssl.create_default_context(cafile=str(platform.roots))
        self.context.load_cert_chain(certificates, key)
        self.port = platform.port

    def __call__(self, method, path, body=None, kind="application/json"):
        if kind == "application/json" and body is not None:
            body = json.dumps(body).encode()
        connection = http.client.HTTPSConnection("localhost", self.port, context=self.context, timeout=60)
        connection.request(method, path, body, {"Content-Type": kind} if body is not None else {})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        require(answer.status < 300, f"{method} {path}: {answer.status} {text.decode()}")
        return json.loads(text) if text else None

    def upload(self, contents):
        digest = hashlib.sha256(contents).hexdigest()
        wanted = {"sha256": digest, "length": len(contents)}
        upload = self("POST", "/v1/organisations/maker/uploads", wanted)
        if upload["received"] < len(contents):
            self("PUT", f"/v1/uploads/{upload['id']}/bytes?offset=0", contents, "application/octet-stream")
        until = time.monotonic() + SECONDS_MAX
        while upload["state"] != "complete":
            require(time.monotonic() < until, f"the upload is {upload['state']}")
            upload = self("POST", f"/v1/uploads/{upload['id']}/finish")
        return digest

    def release(self, version, image):
        new = {"product": "gate", "version": version, "security_version": 1, "hardware_ids": ["gate-bg1"]}
        release = self("POST", "/v1/organisations/maker/releases", new)["id"]
        at = f"/v1/releases/{release}"
        self("POST", f"{at}/artifacts", {"name": "gate.swu", "sha256": self.upload(image)})
        sbom = self.upload(json.dumps(sbom_of(version)).encode())
        self("POST", f"{at}/attachments", {"kind": "sbom", "name": "sbom.json", "sha256": sbom})
        self("POST", f"{at}/publish", {})
        return release

    def campaign(self, name, release, device):
        stage = {"share": 10_000, "success_percent": 100, "error_percent": 100, "soak_s": 0}
        new = {"name": name, "release": release, "search": f"text={device}", "plan": {"stages": [stage]}}
        campaign = self("POST", "/v1/campaigns", new)
        require(campaign["members"] == 1, f"it has {campaign['members']} devices")
        self("POST", f"/v1/campaigns/{campaign['id']}/start")
        return campaign["id"]

    def result(self, campaign):
        stage = self("GET", f"/v1/campaigns/{campaign}")["stages"][0]
        return stage["succeeded"], stage["failed"]

    def device(self, campaign):
        return self("GET", f"/v1/campaigns/{campaign}/devices")["items"][0]


class Device:
    """A device with SWUpdate: its own identity, folder, slot; configured by a file as on a board."""

    def __init__(self, platform, serial_number, anchor, aes, token=None):
        self.platform, self.serial_number, self.token = platform, serial_number, token
        self.id = platform.register(serial_number)
        self.folder = platform.folder / serial_number
        self.folder.mkdir()
        self.slot = self.folder / "slot"
        self.anchor, self.aes = anchor, aes
        # Sockets and what is unpacked; the path of a socket must be short.
        self.temporary = tempfile.mkdtemp(prefix="swupdate-")
        atexit.register(shutil.rmtree, self.temporary, ignore_errors=True)
        identity = self.folder / "identity.pem"
        platform.enrol(self.id, serial_number, identity)
        self.certificates, self.key = credential(self.folder, "device", identity.read_text())
        self.clear()

    def clear(self):
        self.slot.write_bytes(b"\0" * len(ROOTFS))

    def configuration(self):
        identity = f'targettoken = "{self.token}";' if self.token else (
            f'sslkey = "{self.key}"; sslcert = "{self.certificates}";')
        path = self.folder / "swupdate.cfg"
        path.write_text(f"""
            globals: {{ verbose = true; loglevel = 5; public-key-file = "{self.anchor}";
                        aes-key-file = "{self.aes}";
                        no-transaction-marker = true; no-state-marker = true; }};
            suricatta: {{ tenant = "maker"; id = "{self.id}"; url = "{self.platform.url}";
                          polldelay = 1; cafile = "{self.platform.roots}"; {identity} }};
        """)
        return path

    def runs(self, until, *words):
        """Runs SWUpdate until `until()` holds, as a board whose power is then cut."""
        log = self.folder / f"swupdate-{time.monotonic_ns()}.log"
        with open(log, "wb") as out:
            process = subprocess.Popen(
                ["swupdate", "-f", str(self.configuration()), "-H", BOARD, "-u", " ".join(words) or "-e"],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env={**os.environ, "TMPDIR": self.temporary}, start_new_session=True,
            )
        try:
            end = time.monotonic() + SECONDS_MAX
            while not until():
                text = log.read_text(errors="replace")
                require(process.poll() is None, f"SWUpdate ended with {process.returncode}:\n{text[-3000:]}")
                require(time.monotonic() < end, f"nothing came of it:\n{text[-6000:]}")
                time.sleep(0.2)
        finally:
            # SWUpdate and the processes that it started, which are a group of their own.
            if process.poll() is None:
                os.killpg(process.pid, 9)
            process.wait()
        return log.read_text(errors="replace")


def installed(rest, campaign, device):
    return lambda: device.slot.read_bytes() == ROOTFS and rest.device(campaign)["step"] == "installed"


def main():
    with Platform(OUT / "platform") as platform:
        os.chdir(platform.folder)
        (platform.folder / "key-file").write_bytes(os.urandom(32))

        def update(*arguments):
            key_file = {"TEGATA_KEY_FILE": str(platform.folder / "key-file")}
            return run(TEGATA, "update", *arguments, cwd=platform.folder, env=key_file)

        # Who signs software: a root of its own, as offline as it gets here.
        ceremony = ["--passphrase-file", platform.passphrase]
        platform.tegata("ca", "root", "--out", "software", *ceremony, "--name", "Software root",
                        "--organisation", "Maker")
        update("key", "new", "--out", "signer", "--algorithm", "p256")
        update("bundle", "request", "--key", "signer.sealed", "--name", "Maker software", "--out",
               "signer.csr")
        platform.tegata("ca", "sign-software", "--root", "software", *ceremony, "--request",
                        "signer.csr", "--out", "signer.pem", "--yes")
        anchor = platform.folder / "software/root.pem"
        for name in ["image", "other"]:
            update("bundle", "image-key", "--out", name)
        aes, other_aes = platform.folder / "image.aes", platform.folder / "other.aes"
        rest = Rest(platform, "maker")
        # SWUpdate closes an action after the restart, when it is told that all is well.
        platform.tegata("device", "update-token", "door", "maker", "--closed-confirms", "true", by="maker")

        def image(slot):
            (platform.folder / "rootfs.img").write_bytes(ROOTFS)
            (platform.folder / "gate.toml").write_text(f"""
                version = "2.4.1"
                board = "gate-bg1"
                hardware = ["1.0"]
                [[image]]
                file = "rootfs.img"
                type = "raw"
                device = "{slot}"
                encrypt = true
            """)
            update("bundle", "swupdate", "gate.toml", "--key", "signer.sealed", "--certificate",
                   "signer.pem", "--image-key", "image.sealed", "--out", "gate.swu")
            return (platform.folder / "gate.swu").read_bytes()

        with case("a signed and encrypted image is installed, and the device succeeds when it confirms"):
            device = Device(platform, "BG1-0001", anchor, aes)
            campaign = rest.campaign("good", rest.release("2.4.1", image(device.slot)), device.serial_number)
            log = device.runs(installed(rest, campaign, device))
            require("Verified OK" in log, log[-3000:])
            require(rest.result(campaign) == (0, 0), "success before the restart")
            # It restarts, and its own test says that all is well.
            device.runs(lambda: rest.result(campaign) != (0, 0), "-c", "2")
            require(rest.result(campaign) == (1, 0), rest.device(campaign))
            require(rest.device(campaign)["reason"] == "confirmed", rest.device(campaign))

        with case("a device whose own test fails after the restart has failed"):
            device = Device(platform, "BG1-0002", anchor, aes)
            campaign = rest.campaign("rolled back", rest.release("2.4.2", image(device.slot)), device.serial_number)
            device.runs(installed(rest, campaign, device))
            device.runs(lambda: rest.result(campaign) != (0, 0), "-c", "3")
            require(rest.result(campaign) == (0, 1), rest.device(campaign))

        with case("an altered image is refused by the device and reported as failed"):
            device = Device(platform, "BG1-0003", anchor, aes)
            altered = bytearray(image(device.slot))
            altered[altered.index(b"rootfs.img\0") + 9_000] ^= 1
            campaign = rest.campaign("altered", rest.release("2.4.3", bytes(altered)), device.serial_number)
            device.runs(lambda: rest.result(campaign) != (0, 0))
            require(rest.result(campaign) == (0, 1), rest.device(campaign))
            require(device.slot.read_bytes() != ROOTFS, "it was installed")

        with case("a device that trusts another signer refuses the image and reports it as failed"):
            device = Device(platform, "BG1-0004", platform.roots, aes)
            campaign = rest.campaign("wrong signer", rest.release("2.4.4", image(device.slot)), device.serial_number)
            device.runs(lambda: rest.result(campaign) != (0, 0))
            require(rest.result(campaign) == (0, 1), rest.device(campaign))
            require(device.slot.read_bytes() == b"\0" * len(ROOTFS), "something was written")

        with case("a device with another image key fails and reports it"):
            device = Device(platform, "BG1-0005", anchor, other_aes)
            campaign = rest.campaign("wrong key", rest.release("2.4.5", image(device.slot)), device.serial_number)
            device.runs(lambda: rest.result(campaign) != (0, 0))
            require(rest.result(campaign) == (0, 1), rest.device(campaign))
            require(device.slot.read_bytes() != ROOTFS, "it was installed")

        with case("a device without a certificate updates by its token, where that is allowed"):
            by = {"by": "maker"}
            platform.tegata("device", "update-token", "door", "maker", "--tokens", "true", **by)
            device = Device(platform, "BG1-0007", anchor, aes)
            issued = platform.call("device", "update-token", "new", device.id, **by)
            device.token = issued["token"]
            campaign = rest.campaign("token", rest.release("2.4.7", image(device.slot)), device.serial_number)
            device.runs(installed(rest, campaign, device))
            device.runs(lambda: rest.result(campaign) != (0, 0), "-c", "2")
            require(rest.result(campaign) == (1, 0), rest.device(campaign))


main()
finish()
