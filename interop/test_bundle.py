"""Bundles of our making, as SWUpdate 2022.12 and RAUC 1.8 of Debian 12 see them."""

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile

from lib import OUT, TEGATA, Failure, case, finish, require, run

# SWUpdate keeps its sockets and what it unpacks here; the path of a socket must be short.
os.environ["TMPDIR"] = tempfile.mkdtemp(prefix="swupdate-")
ROOTFS, CONFIGURATION = os.urandom(70_001), b"[gate]\nlanes = 2\n"


def tegata(*arguments, expect=0):
    return run(TEGATA, *arguments, expect=expect, env={"TEGATA_KEY_FILE": str(OUT / "key-file")})


def update(*arguments, expect=0):
    return tegata("update", "bundle", *arguments, expect=expect)


def root(name):
    """A root of its own and a signer of software below it."""
    (OUT / "passphrase").write_text("a root's passphrase for this test")
    ceremony = ["--passphrase-file", "passphrase"]
    tegata("ca", "root", "--out", name, *ceremony, "--name", f"{name} root", "--organisation", "Example")
    tegata("update", "key", "new", "--out", f"{name}/signer", "--algorithm", "p256")
    update("request", "--key", f"{name}/signer.sealed", "--name", f"{name} software",
           "--organisation", "Example", "--out", f"{name}/signer.csr")
    tegata("ca", "sign-software", "--root", name, *ceremony, "--request", f"{name}/signer.csr",
           "--out", f"{name}/signer.pem", "--yes")
    return OUT / name / "root.pem"


def signed_by(name):
    return ["--key", f"{name}/signer.sealed", "--certificate", f"{name}/signer.pem"]


def board(*words, expect=0):
    """Runs SWUpdate until it has said what came of it: asked for its state before it has begun, it takes the
    last one for the end, and pulls OpenSSL away from under what it has begun by then. Where it crashes for
    another reason it is not asked again."""
    for _ in range(10):
        done = board_once(*words)
        if any(end in done.text for end in ["SWUPDATE successful !", "SWUPDATE failed [1]"]):
            break
        early = any(end in done.text for end in ["SWUpdate was successful !", "SWUpdate *failed* !"])
        if done.returncode < 0 and not early:
            raise Failure(f"{' '.join(done.args)} crashed: {done.returncode}\n{done.text}")
    # Its processes end one by one; the one that notices another's end first may take it for a failure, and
    # the exit code says 1 after all is installed. What it says and what lies there count.
    if expect == 0 and "SWUpdate was successful !" in done.text:
        return done
    if expect is not None and done.returncode != expect:
        raise Failure(f"{' '.join(done.args)} ended with {done.returncode}, not {expect}:\n{done.text}")
    return done


def board_once(*words):
    """What it leaves behind when it ends at a bad moment (a process that waits for the one that has ended) is
    ended with it, and holds up nobody: its output goes to a file."""
    command = ["swupdate", *[str(word) for word in words]]
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=OUT,
                                   start_new_session=True)
        try:
            process.wait(timeout=120)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        out.seek(0)
        process.text = out.read().decode(errors="replace")
    return process


def swupdate(image, *words, anchor, key=None, expect=0):
    decipher = ["-K", key or "image.aes"]
    return board("-l", "5", "-i", image, "-k", anchor, *decipher, *words, expect=expect)


def checked(image, revision, *words, anchor, good):
    """`swupdate -c` of this version ends with 1 either way: what it says counts."""
    done = swupdate(image, "-c", "-H", revision, *words, anchor=anchor, expect=None)
    require(("SWUPDATE successful" in done.text) == good, done.text[-2000:])
    require(("Not installing" in done.text) != good, done.text[-2000:])
    return done


def changed(path, at, to=None):
    """A copy with one byte altered."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    out = to or OUT / f"changed-{path.name}"
    out.write_bytes(data)
    return out


(OUT / "key-file").write_bytes(os.urandom(32))
(OUT / "rootfs.img").write_bytes(ROOTFS)
(OUT / "gate.toml").write_bytes(CONFIGURATION)
ours, theirs = root("ours"), root("theirs")
update("image-key", "--out", "image")
update("image-key", "--out", "other")
(OUT / "swupdate.toml").write_text(f"""
version = "2.4.1"
description = "改札機 \\"BG1\\""
board = "gate-bg1"
hardware = ["1.0", "#RE:^2\\\\..*$"]
reboot = false

[[image]]
file = "rootfs.img"
type = "rawfile"
path = "x"
""")

with case("a description with a field that means nothing there is refused"):
    done = update("swupdate", "swupdate.toml", *signed_by("ours"), "--out", "bad.swu", expect=1)
    require("`path`, which is nothing for it" in done.text, done.text)
    require(not (OUT / "bad.swu").exists(), "an image was left behind")

(OUT / "device").write_bytes(b"\0" * len(ROOTFS))
(OUT / "etc").mkdir()
(OUT / "swupdate.toml").write_text(f"""
version = "2.4.1"
description = "改札機 \\"BG1\\""
board = "gate-bg1"
hardware = ["1.0", "#RE:^2[.].*$"]
reboot = false

[[image]]
file = "rootfs.img"
type = "raw"
device = "{OUT}/device"
encrypt = true

[[file]]
file = "gate.toml"
path = "{OUT}/etc/gate.toml"
""")

IMAGE = OUT / "gate.swu"
with case("an encrypted part without its key, and a key without an encrypted part, are refused"):
    pack = ["swupdate", "swupdate.toml", *signed_by("ours"), "--out", IMAGE]
    require("--image-key" in update(*pack, expect=1).text, "it packed in the open")
    plain = OUT / "plain.toml"
    plain.write_text((OUT / "swupdate.toml").read_text().replace("encrypt = true", ""))
    done = update("swupdate", plain, *signed_by("ours"), "--image-key", "image.sealed", "--out",
                  IMAGE, expect=1)
    require("everybody could read" in done.text, done.text)

update(*pack, "--image-key", "image.sealed")

with case("cpio reads the archive, the description first"):
    done = run("bash", "-c", f"cpio -it --quiet < {IMAGE}")
    names = done.text.split()
    require(names == ["sw-description", "sw-description.sig", "rootfs.img", "gate.toml"], names)

with case("the image hides what it carries"):
    require(ROOTFS[:64] not in IMAGE.read_bytes(), "the root file system is readable")

with case("OpenSSL verifies the signature over the description"):
    (OUT / "unpacked").mkdir()
    run("bash", "-c", f"cpio -id --quiet < {IMAGE}", cwd=OUT / "unpacked")
    verify = ["openssl", "cms", "-verify", "-inform", "DER", "-binary", "-in",
              "unpacked/sw-description.sig", "-content", "unpacked/sw-description", "-out",
              "verified"]
    run(*verify, "-CAfile", ours)
    run(*verify, "-CAfile", ours, "-purpose", "any")
    run(*verify, "-CAfile", theirs, expect=4)

with case("SWUpdate checks the image and accepts it"):
    done = checked(IMAGE, "gate-bg1:1.0", anchor=ours, good=True)
    require("Verified OK" in done.text, done.text)
    checked(IMAGE, "gate-bg1:2.7", anchor=ours, good=True)
    checked(IMAGE, "gate-bg1:1.0", "--cert-purpose", "codeSigning", anchor=ours, good=True)

with case("SWUpdate installs the image, deciphered"):
    swupdate(IMAGE, "-M", "-m", "-H", "gate-bg1:1.0", anchor=ours)
    require((OUT / "device").read_bytes() == ROOTFS, "the device holds something else")
    require((OUT / "etc/gate.toml").read_bytes() == CONFIGURATION, "the file is another")

for name, revision in [("another revision", "gate-bg1:3.0"), ("another board", "gate-bg2:1.0")]:
    with case(f"SWUpdate refuses an image for {name}"):
        checked(IMAGE, revision, anchor=ours, good=False)

with case("SWUpdate refuses an image signed under another root"):
    checked(IMAGE, "gate-bg1:1.0", anchor=theirs, good=False)

with case("SWUpdate refuses an altered image, wherever the alteration is"):
    data = IMAGE.read_bytes()
    places = {
        "description": data.index(b"2.4.1"),
        "signature": data.index(b"sw-description.sig") + 200,
        "image": data.index(b"rootfs.img\0", data.index(b"sw-description.sig\0")) + 5_000,
    }
    for place, at in places.items():
        (OUT / "device").write_bytes(b"\0" * len(ROOTFS))
        altered = changed(IMAGE, at)
        board("-i", altered, "-k", ours, "-K", "image.aes", "-M", "-m", "-H",
            "gate-bg1:1.0", expect=1)
        require((OUT / "device").read_bytes() != ROOTFS, f"{place}: it was installed")

with case("an attacker who mends checksums after an alteration is refused by the hash"):
    altered = bytearray(IMAGE.read_bytes())
    at = places["image"]
    header = data.rindex(b"070702", 0, at)
    before = altered[at]
    altered[at] ^= 1
    checksum = int(altered[header + 102:header + 110], 16) + altered[at] - before
    altered[header + 102:header + 110] = f"{checksum:08X}".encode()
    (OUT / "mended.swu").write_bytes(altered)
    done = board("-l", "5", "-i", "mended.swu", "-k", ours, "-K", "image.aes", "-M", "-m",
               "-H", "gate-bg1:1.0", expect=1)
    require("HASH mismatch" in done.text, done.text)

with case("SWUpdate with another image key does not install"):
    (OUT / "device").write_bytes(b"\0" * len(ROOTFS))
    done = swupdate(IMAGE, "-M", "-m", "-H", "gate-bg1:1.0", anchor=ours, key="other.aes",
                    expect=None)
    require(done.returncode != 0, done.text)

with case("a key that SWUpdate cannot read is refused when packing"):
    tegata("update", "key", "new", "--out", "ours/odd", "--algorithm", "ed25519")
    update("request", "--key", "ours/odd.sealed", "--name", "odd", "--out", "ours/odd.csr")
    tegata("ca", "sign-software", "--root", "ours", "--passphrase-file", "passphrase", "--request",
           "ours/odd.csr", "--out", "ours/odd.pem", "--yes")
    done = update("swupdate", "swupdate.toml", "--key", "ours/odd.sealed", "--certificate",
                  "ours/odd.pem", "--image-key", "image.sealed", "--out", "odd.swu", expect=1)
    require("p256" in done.text, done.text)
    done = update("swupdate", "swupdate.toml", "--key", "ours/odd.sealed", "--certificate",
                  "ours/signer.pem", "--image-key", "image.sealed", "--out", "odd.swu", expect=1)
    require("not of the key" in done.text, done.text)

with case("SWUpdate accepts a signature by RSA"):
    tegata("update", "key", "new", "--out", "ours/rsa", "--algorithm", "rsa-3072")
    update("request", "--key", "ours/rsa.sealed", "--name", "rsa", "--out", "ours/rsa.csr")
    tegata("ca", "sign-software", "--root", "ours", "--passphrase-file", "passphrase", "--request",
           "ours/rsa.csr", "--out", "ours/rsa.pem", "--yes")
    update("swupdate", "swupdate.toml", "--key", "ours/rsa.sealed", "--certificate", "ours/rsa.pem",
           "--image-key", "image.sealed", "--out", "rsa.swu")
    checked(OUT / "rsa.swu", "gate-bg1:1.0", anchor=ours, good=True)

# RAUC

(OUT / "rauc.toml").write_text("""
compatible = "gate-bg1"
version = "2.4.1"
description = "改札機 BG1"
build = "20261121"

[[image]]
file = "rootfs.img"
name = "rootfs.img"
slot = "rootfs"
""")
BUNDLE = OUT / "gate.raucb"
update("rauc", "rauc.toml", *signed_by("ours"), "--out", BUNDLE)


def rauc(bundle, anchor, *words, expect=0):
    return run("rauc", "info", "--keyring", anchor, *words, bundle, expect=expect)


with case("RAUC verifies the bundle and shows what is in it"):
    text = rauc(BUNDLE, ours).text
    digest = hashlib.sha256(ROOTFS).hexdigest()
    for part in ["gate-bg1", "2.4.1", "改札機 BG1", "20261121", "rootfs", digest, "CN = ours software"]:
        require(part in text or part.replace(" = ", "=") in text, f"{part} is not in {text}")

with case("RAUC refuses a bundle signed under another root"):
    rauc(BUNDLE, theirs, expect=1)

with case("RAUC refuses an altered bundle, wherever the alteration is"):
    size = BUNDLE.stat().st_size
    for at in [100, 5_000, size // 2, size - 300, size - 1]:
        rauc(changed(BUNDLE, at), ours, expect=1)

with case("RAUC refuses a bundle that was cut or grew"):
    data = BUNDLE.read_bytes()
    for name, contents in [("cut", data[:-100]), ("grown", data + b"\0" * 8)]:
        (OUT / name).write_bytes(contents)
        rauc(OUT / name, ours, expect=1)

with case("the same parts make the same bundle, but for its signature"):
    update("rauc", "rauc.toml", *signed_by("ours"), "--out", "again.raucb")
    length = int.from_bytes(data[-8:], "big")
    body = data[: -8 - length]
    again = (OUT / "again.raucb").read_bytes()
    require(again[: len(body)] == body, "the file systems differ")

with case("without mksquashfs it says what is missing"):
    done = update("rauc", "rauc.toml", *signed_by("ours"), "--out", "none.raucb", "--mksquashfs",
                  "no-such-program", expect=1)
    require("squashfs-tools" in done.text, done.text)
    require(not (OUT / "none.raucb").exists(), "a bundle was left behind")

shutil.rmtree(os.environ["TMPDIR"])
finish()
