"""The log as an outsider sees it: pymerkle recomputes roots and proofs from the public tiles."""

import time

import pymerkle
import tlog
from lib import OUT, Failure, case, finish, require
from tegata import Platform


def checkpoint(platform, vkey, at_least=0):
    """The newest checkpoint, once it covers so many entries."""
    for _ in range(100):
        found = tlog.Checkpoint(platform.public("log/checkpoint"), vkey)
        if found.size >= at_least:
            return found
        time.sleep(0.1)
    raise Failure(f"the log stays at {found.size} entries, below {at_least}")


def tree(platform, size):
    leaves = [
        entry
        for path in tlog.bundles(size)
        for entry in tlog.entries(platform.public(f"log/{path}"))
    ]
    require(len(leaves) == size, f"{len(leaves)} entries, not {size}")
    require(all(len(leaf) == 32 for leaf in leaves), "an entry is not a commitment")
    built = pymerkle.InmemoryTree("sha256")
    built.append_entries(leaves)
    return built


with Platform(OUT / "platform") as platform:
    vkey = platform.call("passport", "trust", "--out", OUT / "trust.json")["log_key"]
    first = checkpoint(platform, vkey, 1)
    for number in range(5):
        device = platform.register(f"SN-LOG-{number}")
        platform.enrol(device, f"SN-LOG-{number}", OUT / f"{number}.pem")
    last = checkpoint(platform, vkey, first.size + 5)
    built = tree(platform, last.size)

    with case("checkpoint: signed, of one origin, and growing"):
        require(first.origin == last.origin, f"origins {first.origin} and {last.origin}")
        require(first.size < last.size, "it did not grow")

    with case("pymerkle: recomputes both roots from the entries"):
        for seen in [first, last]:
            require(built.get_root(seen.size) == seen.root, f"root at size {seen.size} differs")

    with case("pymerkle: every leaf's inclusion proof is ours"):
        for index in range(last.size):
            theirs = built.prove_inclusion(index + 1, last.size)
            pymerkle.verify_inclusion(theirs.path[0], last.root, theirs)
            ours = platform.call("log", "proof", index)
            require(ours["size"] >= last.size, "the proof is for an older tree")
            if ours["size"] == last.size:
                hashes = [bytes.fromhex(one) for one in ours["hashes"]]
                require(hashes == theirs.path[1:], f"the proof of leaf {index} differs")

    with case("pymerkle: consistency proofs are ours"):
        pairs = {(first.size, last.size), (1, last.size), (last.size - 1, last.size)}
        for old, new in sorted(pairs):
            theirs = built.prove_consistency(old, new)
            pymerkle.verify_consistency(
                built.get_root(old), built.get_root(new), theirs, old, new
            )
            ours = platform.call("log", "consistency", old, new)
            hashes = [bytes.fromhex(one) for one in ours["hashes"]]
            # pymerkle's own proofs carry more hashes than RFC 9162 asks for, so its tree gives
            # the roots of the ranges that the RFC names.
            expected = [
                built._get_root(start, end) for start, end in tlog.consistency_ranges(old, new)
            ]
            require(hashes == expected, f"the proof from {old} to {new} differs")

    with case("tegata log check: log and store agree"):
        platform.stop()
        platform.tegata("log", "check", "--dir", platform.dir)
        platform.start()

    with case("tegata log check: a changed entry is found"):
        platform.stop()
        last = tlog.Checkpoint((platform.dir / "checkpoint").read_bytes(), vkey)
        newest = list(tlog.bundles(last.size))[-1]
        (bundle,) = platform.dir.rglob(newest)
        content = bytearray(bundle.read_bytes())
        content[10] ^= 1
        bundle.chmod(0o600)
        bundle.write_bytes(content)
        done = platform.tegata("log", "check", "--dir", platform.dir, expect=None)
        require(done.returncode != 0, f"it did not notice {newest}: {done.text}")
finish()
