-- Policy sets of organisations for the doors, and messages in other devices' spaces. docs/policies.md.

-- Versions of an organisation's policies; a version does not change. `failures`: cases that did not come
-- out as expected, when it was tested last.
CREATE TABLE policy_set (
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    version      INTEGER NOT NULL,
    policies     TEXT NOT NULL,
    cases        TEXT NOT NULL,
    digest       BLOB NOT NULL CHECK (length(digest) = 32),
    reason       TEXT NOT NULL,
    made_by      TEXT NOT NULL,
    made_at      INTEGER NOT NULL,
    case_count   INTEGER NOT NULL,
    tested_by    TEXT,
    tested_at    INTEGER,
    failures     INTEGER,
    PRIMARY KEY (organisation, version)
) STRICT, WITHOUT ROWID;

-- What was put in force when, by whom and why. The newest row of an organisation says what is in force;
-- without a version: nothing but the rule of the own space.
CREATE TABLE policy_activation (
    id           INTEGER PRIMARY KEY,
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    version      INTEGER,
    reason       TEXT NOT NULL,
    activated_by TEXT NOT NULL,
    activated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX policy_activation_of_organisation ON policy_activation (organisation, id);

-- The device in whose space a message was published, where that is not its sender's own.
ALTER TABLE message ADD COLUMN space INTEGER REFERENCES device (id);
-- The policies that refused it, where policies did.
ALTER TABLE message_refused ADD COLUMN last_policies TEXT;
