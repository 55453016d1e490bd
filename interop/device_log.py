"""A device's log, written from docs/device-log.md alone, with cbor2."""

import hashlib

import cbor2

START, ENTRY = b"tegata/device-log-start/v1\0", b"tegata/device-log/v1\0"


def encoded(item):
    return cbor2.dumps(item, canonical=True)


class Log:
    def __init__(self, id):
        self.id, self.entries = id, []
        self.places = [(hashlib.sha256(START + id).digest(), 0)]

    def add(self, time, kind, severity, outcome, more=None):
        hash, before = self.places[-1]
        entry = [time - before, kind, severity, outcome] + ([more] if more else [])
        counted = (len(self.places)).to_bytes(8, "big") + time.to_bytes(8, "big", signed=True)
        self.places.append((hashlib.sha256(ENTRY + hash + counted + encoded(entry)).digest(), time))
        self.entries.append(entry)

    def segment(self, first, last, dropped=0):
        item = {0: 1, 1: self.id, 2: first, 5: self.entries[first - 1 : last]}
        if first > 1:
            item |= {3: self.places[first - 1][0], 4: self.places[first - 1][1]}
        if dropped:
            item[6] = dropped
        return item
