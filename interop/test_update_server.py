"""Image repositories on our server as others see them: python-tuf updates over TLS with a device's
certificate, follows a delegation, and refuses what an attacker in front of the server makes of it."""

import contextlib
import datetime
import functools
import hashlib
import http.server
import json
import os
import pathlib
import shutil
import ssl
import threading
import time
import unittest.mock
import urllib.error
import urllib.request

from lib import OUT, TEGATA, case, finish, require, run
from tegata import Platform
from tuf.api import exceptions
from tuf.api.metadata import Metadata
from tuf.ngclient import FetcherInterface, Updater

FIRMWARE, MOTOR = os.urandom(300_000), b"firmware of a motor\n"


class Fetcher(FetcherInterface):
    """python-tuf's own interface for getting files: HTTPS with the certificate of a device."""

    def __init__(self, roots, credential):
        self.context = ssl.create_default_context(cafile=str(roots))
        if credential:
            self.context.load_cert_chain(str(credential))

    def _fetch(self, url):
        context = self.context if url.startswith("https:") else None
        try:
            with urllib.request.urlopen(url, timeout=30, context=context) as answer:
                yield answer.read()
        except urllib.error.HTTPError as error:
            raise exceptions.DownloadHTTPError(str(error), error.code) from error


class Device:
    def __init__(self, folder, root, fetcher):
        self.metadata, self.targets = folder / "metadata", folder / "targets"
        for path in [self.metadata, self.targets]:
            path.mkdir(parents=True)
        self.root, self.fetcher = root, fetcher

    def update(self, url, path):
        updater = Updater(
            str(self.metadata), f"{url}/metadata/", str(self.targets), f"{url}/targets/",
            fetcher=self.fetcher, bootstrap=self.root,
        )
        updater.refresh()
        found = updater.get_targetinfo(path)
        if found is None:
            return None
        return pathlib.Path(updater.download_target(found)).read_bytes()


    def named(self, url, path):
        """What the metadata say of a file, and what they say of themselves in our own member."""
        updater = Updater(
            str(self.metadata), f"{url}/metadata/", fetcher=self.fetcher, bootstrap=self.root,
        )
        updater.refresh()
        found = updater.get_targetinfo(path)
        signed = Metadata.from_file(str(self.metadata / "targets.json")).signed
        return found, signed.unrecognized_fields.get("tegata")


def raises(kind, act, *arguments):
    try:
        act(*arguments)
    except kind:
        return
    require(False, f"it did not raise {kind.__name__}")


def refuses(kind, device, url, path):
    raises(kind, device.update, url, path)


class Mirror(http.server.BaseHTTPRequestHandler):
    """Stands in front of the server and changes a byte of what it passes on."""

    def __init__(self, fetch, changes, *arguments):
        self.fetch, self.changes = fetch, changes
        super().__init__(*arguments)

    def do_GET(self):
        try:
            body = bytearray(b"".join(self.fetch(self.path)))
        except exceptions.DownloadHTTPError as error:
            self.send_error(error.status_code)
            return
        if self.changes in self.path:
            body[len(body) // 2] ^= 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def mirror(base, fetcher, changes):
    handler = functools.partial(Mirror, lambda path: fetcher._fetch(base + path), changes)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class Later(datetime.datetime):
    """A clock two days ahead: further than a timestamp's life."""

    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(days=2)


if OUT.exists():
    for old in OUT.iterdir():
        if old.is_dir():
            shutil.rmtree(old)

with Platform(OUT / "platform") as platform:
    maker, folder = platform.MAKER, OUT / "offline"
    folder.mkdir()
    (folder / "key-file").write_bytes(os.urandom(32))
    updates = folder / "updates"

    def offline(*arguments, expect=0):
        environment = {
            "TEGATA_KEY_FILE": str(folder / "key-file"), "TEGATA_UPDATE_DIR": str(updates),
        }
        return run(TEGATA, "update", *arguments, expect=expect, cwd=folder, env=environment)

    def release(*arguments, expect=0):
        return platform.tegata("--json", "release", *arguments, expect=expect, by=maker)

    def sign(role, key):
        offline(
            "sign", updates / "staged" / f"{role}.json", "--key", folder / f"keys/{key}.sealed",
            "--yes",
        )

    def push():
        return release("metadata", "push", maker, "--dir", updates)

    def publish(version, contents, security_version):
        """A release with one file and its SBOM; its id."""
        made = json.loads(release(
            "create", maker, platform.PRODUCT, version, "--security-version", security_version,
            "--hardware-id", "gate-bg1",
        ).stdout)["id"]
        image, sbom = folder / "firmware.img", folder / "bom.json"
        image.write_bytes(contents)
        component = {"type": "firmware", "name": platform.PRODUCT, "version": version}
        sbom.write_text(json.dumps({
            "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
            "metadata": {"component": component}, "components": [],
        }))
        release("add", made, image)
        done = release("publish", made, expect=1)
        require("sbom" in done.text, done.text)
        release("attach", made, "sbom", sbom)
        release("check", made)
        release("publish", made)
        return made

    with case("server: a first root and empty targets, signed elsewhere, are published"):
        for name in ["root-1", "root-2", "targets", "line-2"]:
            offline("key", "new", "--out", f"keys/{name}")
        release("repository", "begin", maker)
        release("repository", "keys", maker, "--out", folder / "keys")
        words = []
        for role, names in [
            ("root", ["root-1", "root-2"]), ("targets", ["targets"]),
            ("snapshot", ["snapshot"]), ("timestamp", ["timestamp"]),
        ]:
            for name in names:
                words += [f"--{role}-key", folder / f"keys/{name}.json"]
        offline("init", *words)
        for key in ["root-1", "root-2"]:
            sign("root", key)
        sign("targets", "targets")
        push()
        require((updates / "metadata/timestamp.json").exists(), "nothing came back")

    root = (updates / "metadata/1.root.json").read_bytes()
    credential = OUT / "device.pem"
    device_id = platform.register("SN-1")
    platform.enrol(device_id, "SN-1", credential)
    url = f"{platform.url}/tuf/{maker}"
    known = Fetcher(platform.roots, credential)
    device = Device(OUT / "device", root, known)

    with case("python-tuf: updates over TLS with a device's certificate"):
        require(device.update(url, "gate/1.0/firmware.img") is None, "a target came from nowhere")
        first = publish("1.0", FIRMWARE, 1)
        require(device.update(url, "gate/1.0/firmware.img") is None, "nobody has signed for it")
        release("draft-targets", maker, "--dir", updates)
        sign("targets", "targets")
        push()
        require(device.update(url, "gate/1.0/firmware.img") == FIRMWARE, "another firmware came")
        signed = Metadata.from_file(str(updates / "metadata/2.targets.json")).signed
        custom = signed.targets["gate/1.0/firmware.img"].custom["tegata"]
        require(custom["release_counter"] == 1 and custom["version"] == "1.0", str(custom))
        # The log takes it up a moment later.
        for _ in range(200):
            done = platform.tegata("release", "proof", first, by=maker, expect=None)
            if done.returncode == 0:
                break
            time.sleep(0.1)
        require("commits to release" in done.text, done.text)

    with case("python-tuf: follows a delegation"):
        offline("delegate", "line-2", "--key", folder / "keys/line-2.json", "--paths", "gate/2.*/*")
        for role, key in [("targets", "targets"), ("line-2", "line-2")]:
            sign(role, key)
        push()
        publish("2.0", MOTOR, 1)
        release("draft-targets", maker, "--dir", updates, "--role", "line-2")
        sign("line-2", "line-2")
        push()
        require(device.update(url, "gate/2.0/firmware.img") == MOTOR, "another firmware came")
        require(device.update(url, "gate/1.0/firmware.img") == FIRMWARE, "the old one is gone")
        names = sorted(path.name for path in (updates / "metadata").iterdir())
        require("2.line-2.json" in names and "timestamp.json" in names, str(names))

    with case("server: a target that is in no published release is refused, however well signed"):
        stray = folder / "stray.img"
        stray.write_bytes(b"not released\n")
        offline("add-target", stray, "--path", "gate/1.0/stray.img", "--hardware-id", "gate-bg1")
        sign("targets", "targets")
        done = release("metadata", "push", maker, "--dir", updates, expect=1)
        require("no file of a published release" in done.text, done.text)
        (updates / "staged/targets.json").unlink()

    with case("python-tuf: gets nothing without a certificate, until the repository is opened"):
        stranger = Device(OUT / "stranger", root, Fetcher(platform.roots, None))
        refuses(exceptions.DownloadHTTPError, stranger, url, "gate/1.0/firmware.img")
        # A member of another organisation is told that there is nothing.
        other = Device(OUT / "other", root, Fetcher(platform.roots, platform.credentials["owner"]))
        refuses(exceptions.DownloadHTTPError, other, url, "gate/1.0/firmware.img")
        plain = f"{platform.public_url}/tuf/{maker}"
        refuses(exceptions.DownloadHTTPError, stranger, plain, "gate/1.0/firmware.img")
        release("repository", "open", maker)
        require(stranger.update(url, "gate/1.0/firmware.img") == FIRMWARE, "no firmware came")
        require(stranger.update(plain, "gate/2.0/firmware.img") == MOTOR, "no firmware came")
        release("repository", "close", maker)
        refuses(exceptions.DownloadHTTPError, stranger, plain, "gate/1.0/firmware.img")

    with case("python-tuf: refuses a mirror in front of the server that changes bytes"):
        for part in ["timestamp.json", ".snapshot.json", ".targets.json", ".firmware.img"]:
            with mirror(f"{platform.url}", known, part) as in_front:
                new = Device(OUT / f"device-{part.strip('.')}", root, Fetcher(platform.roots, None))
                refuses(
                    exceptions.RepositoryError, new, f"{in_front}/tuf/{maker}",
                    "gate/1.0/firmware.img",
                )
        with mirror(f"{platform.url}", known, "nothing") as in_front:
            new = Device(OUT / "device-honest", root, Fetcher(platform.roots, None))
            found = new.update(f"{in_front}/tuf/{maker}", "gate/1.0/firmware.img")
            require(found == FIRMWARE, "an honest mirror is refused")

    with case("python-tuf: refuses a repository that has ended"):
        late = Device(OUT / "device-late", root, known)
        with unittest.mock.patch("datetime.datetime", Later):
            refuses(exceptions.ExpiredMetadataError, late, url, "gate/1.0/firmware.img")
        require(late.update(url, "gate/1.0/firmware.img") == FIRMWARE, "it does not recover")

    with case("python-tuf: reads what the director says to its own device, and to no other"):
        for name in ["director-1", "director-2"]:
            offline("key", "new", "--out", f"keys/{name}")
        release("director", "begin", maker)
        draft, first_root = folder / "director-root.json", folder / "1.director.json"
        named = [word for name in ["director-1", "director-2"]
                 for word in ["--root-key", folder / f"keys/{name}.json"]]
        release("director", "draft-root", maker, *named, "--out", draft)
        for name in ["director-1", "director-2"]:
            offline("sign", draft, "--key", folder / f"keys/{name}.sealed", "--yes")
        release("director", "push", maker, draft)
        release("director", "root", maker, "--version", "1", "--out", first_root)
        director, path = f"{platform.url}/tuf/director/{maker}", "gate/1.0/firmware.img"

        def directed(name, fetcher, at=director):
            return Device(OUT / name, first_root.read_bytes(), fetcher).named(at, path)

        mine, said = directed("directed-0", known)
        require(mine is None and said["device"] == device_id, f"{mine} {said}")
        campaign = json.loads(platform.tegata(
            "--json", "campaign", "create", "one device", "--release", first,
            "--search", "text=SN-1", "--stage", "100:100:100", by=maker,
        ).stdout)["id"]
        platform.tegata("campaign", "start", campaign, by=maker)
        body = json.dumps({"hardware_id": "gate-bg1", "confirmed": True}).encode()
        request = urllib.request.Request(
            f"{platform.url}/v1/update/poll", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30, context=known.context) as answer:
            told = json.load(answer)["install"]
        mine, said = directed("directed-1", known)
        digest = hashlib.sha256(FIRMWARE).hexdigest()
        require(mine.hashes["sha256"] == digest and mine.length == len(FIRMWARE), str(mine))
        assignment = mine.custom["tegata"]["assignment"]
        require(assignment == {"action": told["action"], "campaign": campaign, "release": first},
                str(assignment))
        require(mine.custom["ecuIdentifiers"] == {device_id: {"hardwareId": "gate-bg1"}},
                str(mine.custom))
        # Both repositories name the same file.
        require(device.named(url, path)[0].hashes["sha256"] == digest, "another file")
        # Another device has another word, and nobody has none.
        other_id, other_credential = platform.register("SN-2"), OUT / "device-2.pem"
        platform.enrol(other_id, "SN-2", other_credential)
        theirs, said = directed("directed-2", Fetcher(platform.roots, other_credential))
        require(theirs is None and said["device"] == other_id, f"{theirs} {said}")
        for number, fetcher in enumerate([
            Fetcher(platform.roots, None), Fetcher(platform.roots, platform.credentials["owner"]),
        ]):
            raises(exceptions.DownloadHTTPError, directed, f"undirected-{number}", fetcher)
        for part in ["timestamp.json", ".snapshot.json", ".targets.json"]:
            with mirror(platform.url, known, part) as in_front:
                raises(exceptions.RepositoryError, directed, f"altered-{part.strip('.')}",
                       Fetcher(platform.roots, None), f"{in_front}/tuf/director/{maker}")
        with unittest.mock.patch("datetime.datetime", Later):
            raises(exceptions.ExpiredMetadataError, directed, "directed-late", known)

    with case("server: a withdrawn release is not served"):
        release("withdraw", first, "--reason", "it burns")
        new = Device(OUT / "device-after", root, known)
        refuses(exceptions.DownloadHTTPError, new, url, "gate/1.0/firmware.img")
        done = platform.tegata("release", "repository", "show", maker, by=maker, expect=None)
        require("withdrawn and still signed" in done.text, done.text)

finish()
