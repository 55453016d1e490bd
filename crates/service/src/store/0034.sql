-- Version 34. Messages that their devices encrypted for their owner. docs/cose.md.

-- For which key it was encrypted, where it was.
ALTER TABLE message ADD COLUMN encrypted INTEGER;

-- Topics on which they must encrypt besides; one filter per line.
ALTER TABLE signed_topics ADD COLUMN encrypted TEXT NOT NULL DEFAULT '';

-- Keys that devices encrypt for. Of an organisation one is the present one; those before it are accepted for a
-- time, then destroyed.
CREATE TABLE message_key (
    id             INTEGER PRIMARY KEY,
    organisation   INTEGER NOT NULL REFERENCES organisation (id),
    key            INTEGER NOT NULL UNIQUE REFERENCES key (id),
    fingerprint    BLOB NOT NULL UNIQUE CHECK (length(fingerprint) = 32),
    ca             INTEGER NOT NULL REFERENCES ca (id),
    certificate    BLOB NOT NULL,
    made_at        INTEGER NOT NULL,
    made_by        TEXT NOT NULL,
    reason         TEXT NOT NULL,
    -- of a former one: until when what is encrypted for it is taken
    accepted_until INTEGER,
    destroyed_at   INTEGER
) STRICT;
CREATE UNIQUE INDEX message_key_present ON message_key (organisation) WHERE accepted_until IS NULL;
CREATE INDEX message_key_organisation ON message_key (organisation, id);
