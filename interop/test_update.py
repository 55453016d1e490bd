"""Secure update as others see it: python-tuf updates from our repository, and refuses what an attacker
makes of it; our client does the same with a repository of python-tuf."""

import copy
import datetime
import functools
import http.server
import json
import os
import pathlib
import shutil
import threading

from lib import OUT, TEGATA, case, finish, require, run
from securesystemslib.signer import CryptoSigner
from tuf.api import exceptions
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.ngclient import Updater

FIRMWARE, MOTOR = b"firmware of a barrier gate\n", b"firmware of a motor\n"
GATE, KAIRO = "gate/bg1/firmware.img", "kairo/motor.img"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Served:
    """A folder behind a web server on a port that it took itself."""

    def __init__(self, folder):
        handler = functools.partial(Quiet, directory=str(folder))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Repository:
    """A repository of our command line's making."""

    def __init__(self, folder):
        self.folder, self.dir = folder, folder / "updates"
        folder.mkdir(parents=True)
        (folder / "key-file").write_bytes(os.urandom(32))

    def tegata(self, *arguments, expect=0):
        environment = {
            "TEGATA_KEY_FILE": str(self.folder / "key-file"),
            "TEGATA_UPDATE_DIR": str(self.dir),
        }
        return run(TEGATA, "update", *arguments, expect=expect, cwd=self.folder, env=environment)

    def key(self, name, algorithm="ed25519"):
        self.tegata("key", "new", "--out", f"keys/{name}", "--algorithm", algorithm)

    def public(self, *names):
        return [self.folder / "keys" / f"{name}.json" for name in names]

    def sealed(self, name):
        return self.folder / "keys" / f"{name}.sealed"

    def file(self, contents):
        path = self.folder / "file"
        path.write_bytes(contents)
        return path

    def sign(self, role, *names, expect=0):
        for name in names:
            draft = self.dir / "staged" / f"{role}.json"
            done = self.tegata("sign", draft, "--key", self.sealed(name), "--yes", expect=expect)
        return done

    def publish(self, snapshot="snapshot", timestamp="timestamp", expect=0):
        return self.tegata(
            "publish", "--snapshot-key", self.sealed(snapshot),
            "--timestamp-key", self.sealed(timestamp), expect=expect,
        )

    def trusted(self):
        return (self.dir / "metadata/1.root.json").read_bytes()


def ours(folder):
    repository = Repository(folder)
    for name in ["root-1", "root-2", "root-3", "snapshot"]:
        repository.key(name)
    # Every kind of key that python-tuf and we both know.
    repository.key("targets-1", "rsa-3072")
    repository.key("targets-2", "p256")
    repository.key("timestamp", "p384")
    repository.key("kairo", "p256")
    words = []
    for role, names in [
        ("root", ["root-1", "root-2", "root-3"]), ("targets", ["targets-1", "targets-2"]),
        ("snapshot", ["snapshot"]), ("timestamp", ["timestamp"]),
    ]:
        for path in repository.public(*names):
            words += [f"--{role}-key", path]
    repository.tegata("init", *words, "--targets-threshold", "2")
    repository.tegata(
        "add-target", repository.file(FIRMWARE), "--path", GATE, "--hardware-id", "gate-bg1",
        "--release", "1.0", "--security-version", "1", "--release-counter", "1",
    )
    repository.tegata("delegate", "kairo", "--key", *repository.public("kairo"), "--paths", "kairo/*")
    repository.tegata(
        "add-target", repository.file(MOTOR), "--path", KAIRO, "--role", "kairo",
    )
    repository.sign("root", "root-1", "root-3")
    repository.sign("targets", "targets-1", "targets-2")
    repository.sign("kairo", "kairo")
    repository.publish()
    return repository


class Device:
    """A device with python-tuf on it."""

    def __init__(self, folder, root):
        self.metadata, self.targets = folder / "metadata", folder / "targets"
        for path in [self.metadata, self.targets]:
            path.mkdir(parents=True)
        self.root = root

    def update(self, url, path):
        updater = Updater(
            str(self.metadata), f"{url}/metadata/", str(self.targets), f"{url}/targets/",
            bootstrap=self.root,
        )
        updater.refresh()
        found = updater.get_targetinfo(path)
        if found is None:
            return None
        return pathlib.Path(updater.download_target(found)).read_bytes()


def refuses(kind, device, url, path):
    try:
        device.update(url, path)
    except kind:
        return
    require(False, f"it did not raise {kind.__name__}")


def copy_of(repository, name):
    mirror = OUT / name
    shutil.copytree(repository, mirror)
    return mirror


def edit(path, change):
    contents = bytearray(path.read_bytes())
    change(contents)
    path.write_bytes(contents)


def flip(contents):
    contents[len(contents) // 2] ^= 1


if OUT.exists():
    for old in OUT.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
repository = ours(OUT / "ours")
device = Device(OUT / "device", repository.trusted())
first = copy_of(repository.dir, "first")

with Served(repository.dir) as served:
    with case("python-tuf: takes a target and a delegated one"):
        require(device.update(served.url, GATE) == FIRMWARE, "another firmware came")
        require(device.update(served.url, KAIRO) == MOTOR, "another motor's firmware came")
        require(device.update(served.url, "gate/none.img") is None, "a target came from nowhere")

    with case("python-tuf: takes a new release, and reads our custom fields"):
        newer = FIRMWARE * 2
        repository.tegata(
            "add-target", repository.file(newer), "--path", GATE, "--hardware-id", "gate-bg1",
            "--release", "1.1", "--security-version", "2", "--release-counter", "2",
        )
        repository.sign("targets", "targets-2", "targets-1")
        repository.publish()
        require(device.update(served.url, GATE) == newer, "the old firmware came")
        signed = Metadata.from_file(str(repository.dir / "metadata/2.targets.json")).signed
        custom = signed.targets[GATE].custom["tegata"]
        require(custom["security_version"] == 2 and custom["release_counter"] == 2, str(custom))

    with case("publish: refuses a draft that lacks a signature"):
        repository.tegata("renew", "targets")
        repository.sign("targets", "targets-1")
        done = repository.publish(expect=1)
        require("1 good signatures" in done.text, done.text)
        repository.sign("targets", "targets-2")
        repository.publish()
        require(device.update(served.url, GATE) == newer, "the firmware is gone")

    with case("sign: refuses another's key, another version, another role"):
        repository.tegata("renew", "kairo")
        done = repository.sign("kairo", "targets-1", expect=1)
        require("may not sign" in done.text, done.text)
        draft = repository.dir / "staged/kairo.json"
        key = repository.sealed("kairo")
        for words, why in [
            (["--expect-version", "7"], "not 7"), (["--role", "targets"], "not of targets"),
        ]:
            done = repository.tegata("sign", draft, "--key", key, "--yes", *words, expect=1)
            require(why in done.text, done.text)
        # Alone on another machine, it must be said what is expected.
        alone = OUT / "alone.json"
        shutil.copy(draft, alone)
        by = repository.dir / "metadata/3.targets.json"
        words = ["sign", alone, "--key", key, "--yes", "--role", "kairo", "--by", by]
        done = repository.tegata(*words, expect=1)
        require("--expect-version 2" in done.text, done.text)
        repository.tegata(*words, "--expect-version", "2")
        shutil.copy(alone, draft)
        repository.publish()
        require(device.update(served.url, KAIRO) == MOTOR, "the motor's firmware is gone")

    with case("python-tuf: follows a rotation of root, targets, snapshot and timestamp keys"):
        for name in ["root-4", "targets-3", "snapshot-2", "timestamp-2"]:
            repository.key(name)
        keys = dict(zip(["root", "targets", "snapshot", "timestamp"], repository.public(
            "root-4", "targets-3", "snapshot-2", "timestamp-2")))
        old = dict(zip(["root", "targets", "snapshot", "timestamp"], repository.public(
            "root-1", "targets-1", "snapshot", "timestamp")))
        # Without the snapshot's keys devices would stay misled, and this is refused.
        words = ["rotate", "--stolen"]
        for role in ["root", "targets"]:
            words += ["--remove", f"{role}={old[role]}", "--add", f"{role}={keys[role]}"]
        done = repository.tegata(*words, expect=1)
        require("rotate snapshot as well" in done.text, done.text)
        for role in ["snapshot", "timestamp"]:
            words += ["--remove", f"{role}={old[role]}", "--add", f"{role}={keys[role]}"]
        repository.tegata(*words)
        repository.tegata("renew", "targets")
        repository.sign("root", "root-2", "root-3", "root-4")
        done = repository.publish("snapshot-2", "timestamp-2", expect=1)
        require("targets must be signed" in done.text, done.text)
        repository.sign("targets", "targets-2", "targets-3")
        repository.publish("snapshot-2", "timestamp-2")
        require(device.update(served.url, GATE) == newer, "the firmware is gone")
        fresh = Device(OUT / "fresh", repository.trusted())
        require(fresh.update(served.url, KAIRO) == MOTOR, "a new device is lost")
        require(repository.tegata("check", expect=None).returncode in (0, 2), "check fails")

with case("python-tuf: refuses what an attacker makes of our repository"):
    attacks = [
        ("timestamp", "metadata/timestamp.json", exceptions.RepositoryError),
        ("snapshot", "metadata/{}.snapshot.json", exceptions.RepositoryError),
        ("targets", "metadata/4.targets.json", exceptions.RepositoryError),
        ("root", "metadata/2.root.json", exceptions.RepositoryError),
    ]
    newest = json.loads((repository.dir / "metadata/timestamp.json").read_bytes())
    number = newest["signed"]["meta"]["snapshot.json"]["version"]
    for name, path, kind in attacks:
        mirror = copy_of(repository.dir, f"tampered-{name}")
        edit(mirror / path.format(number), flip)
        with Served(mirror) as served:
            new = Device(OUT / f"device-{name}", repository.trusted())
            refuses(kind, new, served.url, GATE)
    mirror = copy_of(repository.dir, "tampered-file")
    for path in (mirror / "targets/gate/bg1").iterdir():
        edit(path, flip)
    with Served(mirror) as served:
        new = Device(OUT / "device-file", repository.trusted())
        refuses(exceptions.RepositoryError, new, served.url, GATE)
    # An old state, signed by keys that were replaced since.
    with Served(first) as served:
        (first / "metadata/2.root.json").write_bytes(
            (repository.dir / "metadata/2.root.json").read_bytes())
        refuses(exceptions.UnsignedMetadataError, device, served.url, GATE)


# ---- the other way: a repository of python-tuf, and our client


def theirs(folder):
    """Root 2 of 2, one delegation; pretty-printed files, with and without hashes."""
    later = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    later += datetime.timedelta(days=30)
    roles = ["root", "root-b", "targets", "snapshot", "timestamp", "kairo"]
    make = {
        "targets": CryptoSigner.generate_rsa, "snapshot": CryptoSigner.generate_ecdsa,
    }
    keys = {role: make.get(role, CryptoSigner.generate_ed25519)() for role in roles}
    root = Root(expires=later, consistent_snapshot=True)
    for role in ["root", "root-b", "targets", "snapshot", "timestamp"]:
        root.add_key(keys[role].public_key, role.removesuffix("-b"))
    root.roles["root"].threshold = 2
    targets = Targets(expires=later)
    targets.targets[GATE] = TargetFile.from_data(GATE, FIRMWARE, ["sha256", "sha512"])
    kairo = DelegatedRole("kairo/motors", [], 1, False, paths=["kairo/*"])
    targets.delegations = Delegations({}, {"kairo/motors": kairo})
    targets.add_key(keys["kairo"].public_key, "kairo/motors")
    motors = Targets(expires=later)
    motors.targets[KAIRO] = TargetFile.from_data(KAIRO, MOTOR)
    snapshot = Snapshot(expires=later)
    snapshot.meta["kairo/motors.json"] = MetaFile(1)
    timestamp = Timestamp(expires=later)
    metadata = folder / "metadata"
    metadata.mkdir(parents=True)

    def write(name, signed, *signers):
        file = Metadata(copy.deepcopy(signed))
        for signer in signers:
            file.sign(keys[signer], append=True)
        bytes_ = file.to_bytes()
        (metadata / name).write_bytes(bytes_)
        return bytes_

    write("1.root.json", root, "root", "root-b")
    root.version = 2
    write("2.root.json", root, "root", "root-b")
    bytes_ = write("1.targets.json", targets, "targets")
    snapshot.meta["targets.json"] = MetaFile.from_data(1, bytes_, ["sha256"])
    # A web server takes %2F for a folder; on disk the name stays as it is.
    (metadata / "1.kairo").mkdir()
    bytes_ = write("1.kairo%2Fmotors.json", motors, "kairo")
    (metadata / "1.kairo/motors.json").write_bytes(bytes_)
    bytes_ = write("1.snapshot.json", snapshot, "snapshot")
    timestamp.snapshot_meta = MetaFile.from_data(1, bytes_, ["sha512"])
    write("timestamp.json", timestamp, "timestamp")
    for path, contents, file in [
        (GATE, FIRMWARE, targets.targets[GATE]), (KAIRO, MOTOR, motors.targets[KAIRO]),
    ]:
        for digest in file.hashes.values():
            place = folder / "targets" / path
            place = place.with_name(f"{digest}.{place.name}")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(contents)
    return folder


def verify(mirror, path, root, *more, by="--dir", expect=0):
    done = run(
        TEGATA, "--json", "update", "verify", path, "--root", root, by, mirror, *more,
        expect=expect,
    )
    return json.loads(done.stdout)


foreign = theirs(OUT / "theirs")
root = foreign / "metadata/1.root.json"

with case("our client: takes targets from python-tuf's repository"):
    out = OUT / "taken.img"
    state = OUT / "state"
    found = verify(foreign, GATE, root, "--out", out, "--state", state)
    require(out.read_bytes() == FIRMWARE and found["roles"] == ["targets"], str(found))
    with Served(foreign) as served:
        found = verify(served.url, KAIRO, root, "--out", out, "--state", state, by="--url")
    require(out.read_bytes() == MOTOR, "another file came")
    require(found["roles"] == ["targets", "kairo/motors"], str(found))
    require((state / "root.json").read_bytes() == (foreign / "metadata/2.root.json").read_bytes(),
            "the newer root is not kept")

with case("our client: refuses what an attacker makes of it, each by its code"):
    for name, path, target, code in [
        ("timestamp", "metadata/timestamp.json", GATE, {"wrong-keys", "malformed-metadata"}),
        ("snapshot", "metadata/1.snapshot.json", GATE, {"altered-metadata"}),
        ("targets", "metadata/1.targets.json", GATE, {"altered-metadata"}),
        ("kairo", "metadata/1.kairo%2Fmotors.json", KAIRO, {"wrong-keys", "malformed-metadata"}),
    ]:
        mirror = copy_of(foreign, f"their-{name}")
        edit(mirror / path, flip)
        found = verify(mirror, target, root, expect=3)
        require(found["code"] in code, f"{name}: {found}")
    mirror = copy_of(foreign, "their-file")
    for path in (mirror / "targets/gate/bg1").iterdir():
        edit(path, flip)
    out = OUT / "never.img"
    found = verify(mirror, GATE, root, "--out", out, expect=3)
    require(found["code"] == "wrong-software" and not out.exists(), str(found))
    for path in (mirror / "targets/gate/bg1").iterdir():
        path.write_bytes(FIRMWARE + b"and more")
    require(verify(mirror, GATE, root, expect=3)["code"] == "endless-data", "too many bytes")
    found = verify(foreign, GATE, root, "--at", "2199-01-01T00:00:00Z", expect=3)
    require(found["code"] == "expired", str(found))
    found = verify(foreign, GATE, root, "--timestamp-known", "2", expect=3)
    require(found["code"] == "freeze", str(found))
    found = verify(foreign, "gate/none.img", root, expect=3)
    require(found["code"] == "unknown-target", str(found))
    stranger = Repository(OUT / "stranger")
    other = theirs(OUT / "other")
    found = verify(foreign, GATE, other / "metadata/1.root.json", expect=3)
    require(found["code"] == "wrong-keys", str(found))

with case("our client: remembers, and refuses an older state of our repository"):
    state = OUT / "our-state"
    trusted = repository.dir / "metadata/1.root.json"
    verify(repository.dir, GATE, trusted, "--state", state)
    older = copy_of(repository.dir, "older")
    for name in ["timestamp.json"]:
        saved = (older / "metadata" / name).read_bytes()
        repository.publish("snapshot-2", "timestamp-2")
        verify(repository.dir, GATE, trusted, "--state", state)
        (older / "metadata" / name).write_bytes(saved)
    found = verify(older, GATE, trusted, "--state", state, expect=3)
    require(found["code"] == "rollback", str(found))

finish()
