-- Version 15. Directors: what one device shall run, signed for it alone. docs/director.md.

-- `life_s`: for how long what is signed is good, in seconds.
CREATE TABLE director (
    organisation INTEGER PRIMARY KEY REFERENCES organisation (id),
    life_s       INTEGER NOT NULL,
    created_at   INTEGER NOT NULL
) STRICT;

-- Keys that work online: role 1 targets, 2 snapshot, 3 timestamp.
CREATE TABLE director_key (
    key          INTEGER PRIMARY KEY REFERENCES key (id),
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    role         INTEGER NOT NULL,
    created_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX director_key_by_organisation ON director_key (organisation);

-- Every root, as it was signed offline: clients follow them one after the other.
CREATE TABLE director_root (
    id           INTEGER PRIMARY KEY,
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    version      INTEGER NOT NULL,
    contents     BLOB NOT NULL,
    published_at INTEGER NOT NULL,
    UNIQUE (organisation, version)
) STRICT;

-- What a device was given last: the version is durable before the signature is made. `digest` is over
-- what was said and under which root; with it the same bytes can be signed again.
CREATE TABLE director_given (
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    device       INTEGER NOT NULL REFERENCES device (id),
    version      INTEGER NOT NULL,
    digest       BLOB NOT NULL CHECK (length(digest) = 32),
    expires      INTEGER NOT NULL,
    issued_at    INTEGER NOT NULL,
    PRIMARY KEY (organisation, device)
) STRICT, WITHOUT ROWID;

-- Versions of the image repositories' timestamps and since when each is given out: who still sees an
-- older one later is fed by a mirror that stands still.
CREATE TABLE timestamp_served (
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    version      INTEGER NOT NULL,
    since        INTEGER NOT NULL,
    PRIMARY KEY (organisation, version)
) STRICT, WITHOUT ROWID;

-- Devices that are fed older metadata than are given out, as they said themselves. `director`: of the
-- organisation's director, else of its image repository. `version` is what the device saw, `newest` what
-- was given out, `behind_since` since when there is something newer than `version`.
CREATE TABLE device_frozen (
    device       INTEGER NOT NULL REFERENCES device (id),
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    director     INTEGER NOT NULL,
    owner        INTEGER NOT NULL REFERENCES organisation (id),
    version      INTEGER NOT NULL,
    newest       INTEGER NOT NULL,
    behind_since INTEGER NOT NULL,
    noted_at     INTEGER NOT NULL,
    PRIMARY KEY (device, organisation, director)
) STRICT, WITHOUT ROWID;
