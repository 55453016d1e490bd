"""A reader of tlog-tiles logs and signed notes, written from the C2SP specifications alone."""

import base64
import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TILE = 256


def tile_number(number):
    """`x001/x234/067` for 1234067."""
    parts = [f"{number % 1000:03}"]
    while number >= 1000:
        number //= 1000
        parts.append(f"x{number % 1000:03}")
    return "/".join(reversed(parts))


def bundles(size):
    """Paths of the entry bundles of a log of this size."""
    for number in range((size + TILE - 1) // TILE):
        width = min(TILE, size - number * TILE)
        partial = "" if width == TILE else f".p/{width}"
        yield f"tile/entries/{tile_number(number)}{partial}"


def entries(bundle):
    """Entries of a bundle: each behind its length in two bytes."""
    at = 0
    while at < len(bundle):
        length = int.from_bytes(bundle[at : at + 2], "big")
        at += 2
        assert at + length <= len(bundle), "bundle ends inside an entry"
        yield bundle[at : at + length]
        at += length


class Checkpoint:
    """A checkpoint whose signature by the log has been verified."""

    def __init__(self, note, vkey):
        text, _, signatures = note.decode().partition("\n\n")
        text += "\n"
        # The key is base64 and may contain a plus sign: only the first two separate.
        name, key_id, key = vkey.strip().split("+", 2)
        key = base64.b64decode(key)
        assert key[0] == 1, "the log key is Ed25519"
        expected_id = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
        assert bytes.fromhex(key_id) == expected_id, "the vkey's id is its hash"
        verified = False
        for line in signatures.strip().split("\n"):
            dash, signer, signature = line.split(" ")
            assert dash == "\u2014"
            signature = base64.b64decode(signature)
            if signer == name and signature[:4] == expected_id:
                Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature[4:], text.encode())
                verified = True
        assert verified, "no signature by the log"
        self.origin, size, root = text.split("\n")[:3]
        self.size = int(size)
        self.root = base64.b64decode(root)


def inclusion_ranges(index, size):
    """Leaf ranges whose roots are an inclusion proof, from the leaf up (RFC 9162 2.1.3.1)."""

    def path(m, start, end):
        if end - start == 1:
            return []
        k = 1 << (end - start - 1).bit_length() - 1
        if m < k:
            return path(m, start, start + k) + [(start + k, end)]
        return path(m - k, start + k, end) + [(start, start + k)]

    return path(index, 0, size)


def consistency_ranges(old, new):
    """Leaf ranges whose roots are a consistency proof (RFC 9162 2.1.4.1)."""

    def subproof(m, start, end, complete):
        if m == end - start:
            return [] if complete else [(start, end)]
        k = 1 << (end - start - 1).bit_length() - 1
        if m <= k:
            return subproof(m, start, start + k, complete) + [(start + k, end)]
        return subproof(m - k, start + k, end, False) + [(start, start + k)]

    return subproof(old, 0, new, True) if 0 < old < new else []
