-- Version 2. People who sign in: passkeys, sessions, invitations, approvals.

-- A handle is never given to another person again: it names who did what in the audit log.
CREATE TABLE person (
    id            INTEGER PRIMARY KEY,
    person_id     BLOB NOT NULL UNIQUE CHECK (length(person_id) = 16),
    organisation  INTEGER NOT NULL REFERENCES organisation (id),
    handle        TEXT NOT NULL,
    display_name  TEXT NOT NULL,
    roles         TEXT NOT NULL,
    language      TEXT,
    theme         TEXT,
    -- since when it is an administrator, where it is one
    administrator_since INTEGER,
    added_at      INTEGER NOT NULL,
    registered_at INTEGER,
    removed_at    INTEGER,
    UNIQUE (organisation, handle)
) STRICT;

-- Public keys of passkeys. The counter is the highest that a passkey has shown.
CREATE TABLE passkey (
    id           INTEGER PRIMARY KEY,
    person       INTEGER NOT NULL REFERENCES person (id),
    credential   BLOB NOT NULL UNIQUE,
    passkey      TEXT NOT NULL,
    counter      INTEGER NOT NULL,
    name         TEXT NOT NULL,
    added_at     INTEGER NOT NULL,
    last_used_at INTEGER
) STRICT;
CREATE INDEX passkey_by_person ON passkey (person);

-- One-time links, as hashes. `person` is NULL for the first administrator, whom nobody named yet.
CREATE TABLE invitation (
    id           INTEGER PRIMARY KEY,
    digest       BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    purpose      INTEGER NOT NULL,
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    person       INTEGER REFERENCES person (id),
    created_by   TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    ended_at     INTEGER
) STRICT;
CREATE INDEX invitation_open ON invitation (organisation) WHERE ended_at IS NULL;

-- Sessions by the hash of their cookie's secret; one that ended is deleted.
CREATE TABLE session (
    digest           BLOB PRIMARY KEY CHECK (length(digest) = 32),
    person           INTEGER NOT NULL REFERENCES person (id),
    created_at       INTEGER NOT NULL,
    last_seen        INTEGER NOT NULL,
    authenticated_at INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL,
    label            TEXT NOT NULL,
    network          TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_by_person ON session (person);
CREATE INDEX session_by_expiry ON session (expires_at);

-- Acts that wait, or waited, for a second person. `digest` is over act and arguments. `decision`: 1
-- approved, 2 rejected, 3 withdrawn. `finished_at` is set in the transaction of the act itself.
CREATE TABLE approval (
    id            INTEGER PRIMARY KEY,
    approval_id   BLOB NOT NULL UNIQUE CHECK (length(approval_id) = 16),
    organisation  INTEGER NOT NULL REFERENCES organisation (id),
    act           TEXT NOT NULL,
    arguments     TEXT NOT NULL,
    digest        BLOB NOT NULL CHECK (length(digest) = 32),
    summary       TEXT NOT NULL,
    requester     TEXT NOT NULL,
    requester_of  INTEGER NOT NULL REFERENCES organisation (id),
    person        BLOB,
    certificate   BLOB,
    requested_at  INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    decision      INTEGER,
    decided_by    TEXT,
    decided_at    INTEGER,
    -- who decided, as it is known to the program: its right is looked at again when the act is done
    decider       BLOB,
    decider_certificate BLOB,
    -- whether approval itself carries the act out
    carried_out   INTEGER NOT NULL,
    finished_at   INTEGER,
    outcome       TEXT
) STRICT;
CREATE INDEX approval_by_organisation ON approval (organisation, id);
CREATE INDEX approval_open ON approval (digest) WHERE finished_at IS NULL;

-- What the other person sees of an open request besides: the devices (rows, 8 bytes each), the name
-- of the person whose traces are erased. Deleted when the request ends.
CREATE TABLE approval_attachment (
    approval INTEGER PRIMARY KEY REFERENCES approval (id),
    devices  BLOB NOT NULL,
    name     TEXT
) STRICT;

-- Which acts need a second person, where the organisation has chosen.
CREATE TABLE approval_policy (
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    act          TEXT NOT NULL,
    required     INTEGER NOT NULL,
    PRIMARY KEY (organisation, act)
) STRICT, WITHOUT ROWID;
