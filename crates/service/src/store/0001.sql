-- Version 1. Times are seconds since 1970 (UTC); identifiers of other rows are row numbers, so that
-- indexes stay small and new rows go to the end of their trees. docs/store.md explains each table.
--
-- Tables that get a row with every event or certificate (event, intent, certificate, key_use) have no
-- foreign keys: what their rows name is read in the transaction that writes them, organisations,
-- devices, CAs and keys are never deleted, and each constraint is a look-up of its own.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE organisation (
    id         INTEGER PRIMARY KEY,
    slug       TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    roles      INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- Who may call, by the fingerprint of a client certificate.
CREATE TABLE member (
    id           INTEGER PRIMARY KEY,
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    fingerprint  BLOB NOT NULL UNIQUE CHECK (length(fingerprint) = 32),
    name         TEXT NOT NULL,
    roles        TEXT NOT NULL,
    certificate  BLOB NOT NULL,
    not_after    INTEGER NOT NULL,
    added_at     INTEGER NOT NULL,
    removed_at   INTEGER
) STRICT;
CREATE INDEX member_by_organisation ON member (organisation, id);

-- Keys with which organisations sign life events. Retired ones stay: they explain old signatures.
CREATE TABLE signer (
    id           INTEGER PRIMARY KEY,
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    fingerprint  BLOB NOT NULL UNIQUE CHECK (length(fingerprint) = 32),
    spki         BLOB NOT NULL,
    certificate  BLOB NOT NULL,
    not_before   INTEGER NOT NULL,
    not_after    INTEGER NOT NULL,
    retired_at   INTEGER
) STRICT;
CREATE INDEX signer_by_organisation ON signer (organisation, id);

-- The platform's own private keys, sealed; `sealed` is NULL once a key is destroyed.
CREATE TABLE key (
    id           INTEGER PRIMARY KEY,
    purpose      INTEGER NOT NULL,
    fingerprint  BLOB NOT NULL UNIQUE CHECK (length(fingerprint) = 32),
    algorithm    TEXT NOT NULL,
    sealed       BLOB,
    created_at   INTEGER NOT NULL,
    not_after    INTEGER NOT NULL,
    retired_at   INTEGER,
    destroyed_at INTEGER
) STRICT;

-- Every use of such a key: one row each for certificates and other rare uses …
CREATE TABLE key_use (
    id      INTEGER PRIMARY KEY,
    key     INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    what    INTEGER NOT NULL,
    subject BLOB NOT NULL,
    by      TEXT NOT NULL
) STRICT;

-- … and a count per hour for what happens many times a second.
CREATE TABLE key_count (
    key   INTEGER NOT NULL REFERENCES key (id),
    what  INTEGER NOT NULL,
    hour  INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (key, what, hour)
) STRICT, WITHOUT ROWID;

CREATE TABLE root (
    fingerprint BLOB PRIMARY KEY CHECK (length(fingerprint) = 32),
    certificate BLOB NOT NULL,
    added_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE product (
    id            INTEGER PRIMARY KEY,
    organisation  INTEGER NOT NULL REFERENCES organisation (id),
    slug          TEXT NOT NULL,
    name          TEXT NOT NULL,
    model         TEXT NOT NULL,
    kind          INTEGER NOT NULL,
    root_of_trust INTEGER NOT NULL,
    support_end   INTEGER,
    ldevid_s      INTEGER,
    created_at    INTEGER NOT NULL,
    UNIQUE (organisation, slug)
) STRICT;

-- An issuing CA, its key and its OCSP signer. `certificate` is NULL until the ceremony answered.
CREATE TABLE ca (
    id               INTEGER PRIMARY KEY,
    slug             TEXT NOT NULL UNIQUE,
    organisation     INTEGER NOT NULL REFERENCES organisation (id),
    product          INTEGER REFERENCES product (id),
    kind             INTEGER NOT NULL,
    name             TEXT NOT NULL,
    key              INTEGER NOT NULL REFERENCES key (id),
    years            INTEGER NOT NULL,
    certificate      BLOB,
    ocsp_key         INTEGER REFERENCES key (id),
    ocsp_certificate BLOB,
    crl_number       INTEGER NOT NULL DEFAULT 0,
    created_at       INTEGER NOT NULL,
    retired_at       INTEGER
) STRICT;
CREATE INDEX ca_by_organisation ON ca (organisation, id);

CREATE TABLE device (
    id            INTEGER PRIMARY KEY,
    device_id     BLOB NOT NULL UNIQUE CHECK (length(device_id) = 16),
    management    TEXT NOT NULL UNIQUE,
    product       INTEGER REFERENCES product (id),
    serial_number TEXT NOT NULL,
    kind          INTEGER NOT NULL,
    maker         INTEGER NOT NULL REFERENCES organisation (id),
    owner         INTEGER NOT NULL REFERENCES organisation (id),
    phase         INTEGER NOT NULL,
    standing      INTEGER NOT NULL,
    state         BLOB,
    sequence      INTEGER NOT NULL,
    head          BLOB,
    last_leaf     INTEGER,
    created_at    INTEGER NOT NULL,
    UNIQUE (product, serial_number)
) STRICT;
CREATE INDEX device_by_owner ON device (owner, id);
CREATE INDEX device_by_maker ON device (maker, id);

-- The leaves of the ledger, in order: outbox and sequence in one. Tiles are derived from it.
CREATE TABLE leaf (
    idx        INTEGER PRIMARY KEY,
    commitment BLOB NOT NULL CHECK (length(commitment) = 32)
) STRICT;

-- Life events by their leaf. A device's row names the leaf of its newest event, each event that of the
-- one before: an index by device would be a page of its own for every event, written wherever the
-- device's entry lies. `salt` and `cose` are NULL once erased; then `state_after` holds what the
-- history added up to after the event, so that the rest can still be replayed.
CREATE TABLE event (
    leaf        INTEGER PRIMARY KEY,
    device      INTEGER NOT NULL,
    sequence    INTEGER NOT NULL,
    previous    INTEGER,
    kind        INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    reporter    INTEGER NOT NULL,
    salt        BLOB,
    cose        BLOB,
    state_after BLOB
) STRICT;
-- Long histories are entered in their middle, too.
CREATE UNIQUE INDEX event_milestone ON event (device, sequence) WHERE sequence % 64 = 63;

-- What is about to be signed: from the commit of the intent to that of the certificate. There are as
-- many rows as certificates under way.
CREATE TABLE intent (
    id           INTEGER PRIMARY KEY,
    ca           INTEGER NOT NULL,
    serial       BLOB NOT NULL,
    profile      INTEGER NOT NULL,
    organisation INTEGER NOT NULL,
    device       INTEGER,
    subject_key  INTEGER NOT NULL,
    not_before   INTEGER NOT NULL,
    not_after    INTEGER NOT NULL,
    tbs          BLOB NOT NULL
) STRICT;
CREATE INDEX intent_by_key ON intent (subject_key);

-- Certificates, and intents that came to nothing (status 4; `der` holds what was to be signed).
CREATE TABLE certificate (
    id           INTEGER PRIMARY KEY,
    ca           INTEGER NOT NULL,
    serial       BLOB NOT NULL,
    status       INTEGER NOT NULL CHECK (status > 0),
    profile      INTEGER NOT NULL,
    organisation INTEGER NOT NULL,
    device       INTEGER,
    subject_key  INTEGER NOT NULL,
    not_before   INTEGER NOT NULL,
    not_after    INTEGER NOT NULL,
    der          BLOB NOT NULL,
    fingerprint  INTEGER,
    UNIQUE (ca, serial)
) STRICT;
CREATE INDEX certificate_by_device ON certificate (device) WHERE device IS NOT NULL;
CREATE INDEX certificate_by_key ON certificate (subject_key);
CREATE INDEX certificate_by_fingerprint ON certificate (fingerprint)
    WHERE fingerprint IS NOT NULL;
CREATE INDEX certificate_by_expiry ON certificate (not_after) WHERE not_after < 253402300799;

-- What is revoked or suspended: the set that every door keeps in memory.
CREATE TABLE revocation (
    ca     INTEGER NOT NULL REFERENCES ca (id),
    serial BLOB NOT NULL,
    reason INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (ca, serial)
) STRICT, WITHOUT ROWID;

-- The highest counter that each key of a device has proved its possession with.
CREATE TABLE proof_counter (
    device  INTEGER NOT NULL REFERENCES device (id),
    key     BLOB NOT NULL CHECK (length(key) = 32),
    counter INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    proof   BLOB NOT NULL,
    PRIMARY KEY (device, key)
) STRICT, WITHOUT ROWID;

-- Which part sits in which device. Two rows for one part are an alarm, not an error.
CREATE TABLE part (
    part  BLOB NOT NULL CHECK (length(part) = 16),
    whole INTEGER NOT NULL REFERENCES device (id),
    since INTEGER NOT NULL,
    PRIMARY KEY (part, whole)
) STRICT, WITHOUT ROWID;
CREATE INDEX part_by_whole ON part (whole);

CREATE TABLE share (
    device       INTEGER NOT NULL REFERENCES device (id),
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    until        INTEGER NOT NULL,
    PRIMARY KEY (device, organisation)
) STRICT, WITHOUT ROWID;
CREATE INDEX share_by_organisation ON share (organisation, device);

-- Tokens and enrolment codes are kept as hashes.
CREATE TABLE token (
    digest       BLOB PRIMARY KEY CHECK (length(digest) = 32),
    organisation TEXT NOT NULL,
    member       TEXT NOT NULL,
    certificate  BLOB NOT NULL CHECK (length(certificate) = 32),
    roles        TEXT NOT NULL,
    granted_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX token_by_expiry ON token (expires_at);
CREATE INDEX token_by_certificate ON token (certificate);

CREATE TABLE enrolment_code (
    device       INTEGER PRIMARY KEY REFERENCES device (id),
    organisation TEXT NOT NULL,
    product      TEXT NOT NULL,
    salt         BLOB NOT NULL CHECK (length(salt) = 16),
    hash         BLOB NOT NULL CHECK (length(hash) = 32),
    released_by  TEXT NOT NULL,
    released_at  INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    used_at      INTEGER,
    withdrawn_at INTEGER
) STRICT;

-- What a buyer said it bought: such a device may join without a code.
CREATE TABLE purchase (
    product       INTEGER NOT NULL REFERENCES product (id),
    serial_number TEXT NOT NULL,
    owner         INTEGER NOT NULL REFERENCES organisation (id),
    at            INTEGER NOT NULL,
    PRIMARY KEY (product, serial_number, owner)
) STRICT, WITHOUT ROWID;

-- Security events, each committing to the one before.
CREATE TABLE audit (
    seq          INTEGER PRIMARY KEY,
    at           INTEGER NOT NULL,
    organisation TEXT,
    kind         TEXT NOT NULL,
    event        BLOB NOT NULL,
    hash         BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE INDEX audit_by_organisation ON audit (organisation, seq);

-- Heads of that chain which became leaves.
CREATE TABLE audit_leaf (
    leaf INTEGER PRIMARY KEY REFERENCES leaf (idx),
    seq  INTEGER NOT NULL REFERENCES audit (seq),
    salt BLOB NOT NULL CHECK (length(salt) = 32)
) STRICT;
