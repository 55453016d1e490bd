-- Version 5. Registration of authorities by two people; evidence for claims on parts.

-- Roles that an organisation is registered for and has not got yet: an authority has power over
-- everybody's devices, so that a second administrator of the platform confirms it.
ALTER TABLE organisation ADD COLUMN proposed INTEGER NOT NULL DEFAULT 0;

-- Who registered such an organisation, in words and by name; without a name it was a command on the
-- machine itself. `certificate` is NULL for who came without one.
CREATE TABLE authority_proposal (
    organisation INTEGER PRIMARY KEY REFERENCES organisation (id),
    by           TEXT NOT NULL,
    name         TEXT,
    certificate  BLOB CHECK (length(certificate) = 32),
    at           INTEGER NOT NULL
) STRICT;

-- Whether whoever reported that a part was built in had it in its hands, as the part's own history
-- says. A claim without that evidence raises no alarm on others.
ALTER TABLE part ADD COLUMN vouched INTEGER NOT NULL DEFAULT 1;
