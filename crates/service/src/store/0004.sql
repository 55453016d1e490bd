-- Version 4. What the public page shows of a product, and who looked at which device.

-- What a maker tells buyers about a product line, beside what `product` says.
CREATE TABLE product_public (
    product         INTEGER PRIMARY KEY REFERENCES product (id),
    gtin            TEXT CHECK (length(gtin) = 14),
    name_ja         TEXT,
    name_en         TEXT,
    contact_url     TEXT,
    firmware        TEXT,
    firmware_digest BLOB CHECK (length(firmware_digest) = 32),
    changed_at      INTEGER NOT NULL
) STRICT;

CREATE TABLE product_label (
    product     INTEGER NOT NULL REFERENCES product (id),
    place       INTEGER NOT NULL,
    scheme      INTEGER NOT NULL,
    level       TEXT,
    number      TEXT,
    url         TEXT,
    valid_until INTEGER,
    PRIMARY KEY (product, place)
) STRICT, WITHOUT ROWID;

-- Look-ups of printed numbers, for 30 days. `network` is a hash of a coarse network under a salt that
-- lives in memory only, for a day; `epoch` tells one salt from the next. Places are tenths of degrees.
CREATE TABLE scan (
    id        INTEGER PRIMARY KEY,
    device    INTEGER NOT NULL REFERENCES device (id),
    at        INTEGER NOT NULL,
    epoch     INTEGER NOT NULL,
    network   INTEGER NOT NULL,
    latitude  INTEGER,
    longitude INTEGER
) STRICT;
CREATE INDEX scan_by_device ON scan (device, at);
CREATE INDEX scan_by_time ON scan (at);

-- Devices whose look-ups are a concern to their owners.
CREATE TABLE scan_concern (
    device  INTEGER PRIMARY KEY REFERENCES device (id),
    concern TEXT NOT NULL,
    since   INTEGER NOT NULL,
    last    INTEGER NOT NULL
) STRICT;
CREATE INDEX scan_concern_by_time ON scan_concern (last);
