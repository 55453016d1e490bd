-- Version 14. Files of releases that are sealed or deltas, for whom they are sealed, and what devices
-- say of themselves. docs/sealed.md, docs/agent.md.

-- What a file of a release is beside its bytes: `header` of a sealed image (92 bytes), `delta` names
-- base and result (96 bytes). `plain` is what lies in a slot once it is installed; of a delta NULL.
-- `content_key` is sealed under the platform's key, and NULL where the maker keeps it. `tickets` and
-- `group_tickets` count the rows of artifact_ticket; `tickets_of` is the organisation
-- that brought them, once there are any.
CREATE TABLE artifact_form (
    artifact     INTEGER PRIMARY KEY REFERENCES artifact (id) ON DELETE CASCADE,
    header       BLOB CHECK (length(header) = 92),
    delta        BLOB CHECK (length(delta) = 96),
    plain        BLOB CHECK (length(plain) = 32),
    plain_length INTEGER,
    content_key  BLOB,
    tickets_of   INTEGER REFERENCES organisation (id),
    tickets      INTEGER NOT NULL DEFAULT 0,
    group_tickets INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX artifact_form_with_tickets ON artifact_form (tickets_of, tickets) WHERE tickets > 0;
CREATE INDEX artifact_form_by_plain ON artifact_form (plain) WHERE plain IS NOT NULL;

-- Tickets that the maker brought, by the fingerprint of the recipient's key; `is_group` is 1 where
-- several devices share that key.
CREATE TABLE artifact_ticket (
    artifact   INTEGER NOT NULL REFERENCES artifact_form (artifact) ON DELETE CASCADE,
    recipient  BLOB NOT NULL CHECK (length(recipient) = 32),
    is_group   INTEGER NOT NULL,
    ticket     BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (artifact, recipient)
) STRICT, WITHOUT ROWID;
CREATE INDEX artifact_ticket_of_groups ON artifact_ticket (artifact) WHERE is_group = 1;

-- The encryption key that a device's present identity states: `certificate` is the one whose key
-- signed the statement.
CREATE TABLE device_encryption_key (
    device      INTEGER PRIMARY KEY REFERENCES device (id),
    owner       INTEGER NOT NULL REFERENCES organisation (id),
    certificate BLOB NOT NULL CHECK (length(certificate) = 32),
    recipient   BLOB NOT NULL CHECK (length(recipient) = 32),
    statement   BLOB NOT NULL,
    until       INTEGER NOT NULL,
    stated_at   INTEGER NOT NULL
) STRICT;

-- What a device found when it last tested itself; `findings` is JSON. `told`: security events about it
-- in the hour from `told_from` on; `untold` is 1 where there were too many to tell the last change.
CREATE TABLE device_self_test (
    device   INTEGER PRIMARY KEY REFERENCES device (id),
    owner    INTEGER NOT NULL REFERENCES organisation (id),
    passed   INTEGER NOT NULL,
    findings TEXT NOT NULL,
    heard_at INTEGER NOT NULL,
    told_from INTEGER NOT NULL,
    told     INTEGER NOT NULL,
    untold   INTEGER NOT NULL
) STRICT;
