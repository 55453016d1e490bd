-- Version 35. Trust between devices: what owners chose, and which bundle a device was given last.
-- docs/device-to-device.md.

-- Without a row an organisation's devices are given no trust bundles. `makers`, `organisations` and
-- `products` (MAKER/PRODUCT): one per line.
CREATE TABLE peer_trust (
    organisation  INTEGER PRIMARY KEY REFERENCES organisation (id),
    life_s        INTEGER NOT NULL,
    makers        TEXT NOT NULL,
    organisations TEXT NOT NULL,
    products      TEXT NOT NULL,
    set_by        TEXT NOT NULL,
    set_at        INTEGER NOT NULL
) STRICT;

-- `number` grows for ever, whoever owns the device: it is raised before anything is signed. What follows is
-- of the newest bundle that was signed, whose number is `signed`.
CREATE TABLE trust_bundle (
    device     INTEGER PRIMARY KEY REFERENCES device (id),
    number     INTEGER NOT NULL,
    signed     INTEGER,
    owner      INTEGER,
    issued_at  INTEGER,
    expires    INTEGER,
    contents   BLOB CHECK (contents IS NULL OR length(contents) = 32),
    statement  BLOB,
    signer     BLOB,
    fetched_at INTEGER
) STRICT;
CREATE INDEX trust_bundle_of_owner ON trust_bundle (owner, device);
