-- Version 11. The hawkBit DDI door. docs/ddi.md.

-- How an organisation's devices come through it. Without a row: by certificate only, and "closed with
-- success" says that the new software was booted.
CREATE TABLE update_door (
    organisation     INTEGER PRIMARY KEY REFERENCES organisation (id),
    tokens           INTEGER NOT NULL,
    closed_confirms  INTEGER NOT NULL,
    poll_s           INTEGER NOT NULL
) STRICT;

-- Tokens of devices without a certificate. Kinds: 1 for one device, 2 for a gateway that speaks for a
-- set of them. Only digests are here.
CREATE TABLE update_token (
    digest       BLOB PRIMARY KEY CHECK (length(digest) = 32),
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    kind         INTEGER NOT NULL,
    name         TEXT NOT NULL,
    granted_at   INTEGER NOT NULL,
    granted_by   TEXT NOT NULL,
    expires_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX update_token_by_organisation ON update_token (organisation, digest);

CREATE TABLE update_token_device (
    digest BLOB NOT NULL REFERENCES update_token (digest) ON DELETE CASCADE,
    device INTEGER NOT NULL REFERENCES device (id),
    PRIMARY KEY (digest, device)
) STRICT, WITHOUT ROWID;
CREATE INDEX update_token_device_by_device ON update_token_device (device);
