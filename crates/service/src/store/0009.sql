-- Version 9. Campaigns, what devices make of them, what runs on devices. docs/campaign.md.

-- `state`, `paused` and the rest up to `starts` are where the campaign stands; `terms` is what was
-- proposed, as JSON: plan, search, releases.
CREATE TABLE campaign (
    id           INTEGER PRIMARY KEY,
    reference    BLOB NOT NULL UNIQUE CHECK (length(reference) = 16),
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    product      INTEGER NOT NULL REFERENCES product (id),
    release      INTEGER NOT NULL REFERENCES release (id),
    back         INTEGER REFERENCES release (id),
    name         TEXT NOT NULL,
    terms        TEXT NOT NULL,
    state        INTEGER NOT NULL,
    paused       INTEGER,
    stage        INTEGER NOT NULL,
    reached_at   INTEGER,
    minute       INTEGER NOT NULL,
    starts       INTEGER NOT NULL,
    members      INTEGER NOT NULL,
    root         BLOB NOT NULL CHECK (length(root) = 32),
    seed         BLOB NOT NULL CHECK (length(seed) = 32),
    created_at   INTEGER NOT NULL,
    created_by   TEXT NOT NULL,
    started_at   INTEGER,
    started_by   TEXT,
    over_at      INTEGER,
    swept        INTEGER NOT NULL
) STRICT;
CREATE INDEX campaign_by_organisation ON campaign (organisation, id);
-- Running, paused, rolling back.
CREATE INDEX campaign_under_way ON campaign (organisation) WHERE state IN (2, 3, 4);

CREATE TABLE campaign_stage (
    campaign     INTEGER NOT NULL REFERENCES campaign (id),
    stage        INTEGER NOT NULL,
    total        INTEGER NOT NULL,
    open         INTEGER NOT NULL,
    succeeded    INTEGER NOT NULL,
    failed       INTEGER NOT NULL,
    skipped      INTEGER NOT NULL,
    cancelled    INTEGER NOT NULL,
    rolling_back INTEGER NOT NULL,
    rolled_back  INTEGER NOT NULL,
    stranded     INTEGER NOT NULL,
    waived       INTEGER NOT NULL,
    opened_at    INTEGER,
    PRIMARY KEY (campaign, stage)
) STRICT, WITHOUT ROWID;

-- How a campaign's members stood over time, all stages together: taken with a step of a device, at
-- most every tenth second and every 120th part of the time since the start.
CREATE TABLE campaign_moment (
    campaign     INTEGER NOT NULL REFERENCES campaign (id),
    at           INTEGER NOT NULL,
    open         INTEGER NOT NULL,
    succeeded    INTEGER NOT NULL,
    failed       INTEGER NOT NULL,
    skipped      INTEGER NOT NULL,
    cancelled    INTEGER NOT NULL,
    rolling_back INTEGER NOT NULL,
    rolled_back  INTEGER NOT NULL,
    stranded     INTEGER NOT NULL,
    PRIMARY KEY (campaign, at)
) STRICT, WITHOUT ROWID;

-- The members, 64 to a row, by ascending row number of the device: 8 bytes of that, 16 of the device
-- id, one for the stage. `root` is the Merkle tree over these 64.
CREATE TABLE campaign_slice (
    id       INTEGER PRIMARY KEY,
    campaign INTEGER NOT NULL,
    first    INTEGER NOT NULL,
    slice    INTEGER NOT NULL,
    members  BLOB NOT NULL,
    root     BLOB NOT NULL CHECK (length(root) = 32)
) STRICT;
CREATE UNIQUE INDEX campaign_slice_by_device ON campaign_slice (campaign, first);

-- What the log was told of a campaign, in order.
CREATE TABLE campaign_statement (
    campaign INTEGER NOT NULL REFERENCES campaign (id),
    number   INTEGER NOT NULL,
    leaf     INTEGER NOT NULL,
    release  INTEGER,
    PRIMARY KEY (campaign, number)
) STRICT, WITHOUT ROWID;

-- One assignment of one device: its number is what doors and devices name it by.
CREATE TABLE action (
    id         INTEGER PRIMARY KEY,
    campaign   INTEGER NOT NULL REFERENCES campaign (id),
    device     INTEGER NOT NULL REFERENCES device (id),
    stage      INTEGER NOT NULL,
    purpose    INTEGER NOT NULL,
    step       INTEGER NOT NULL,
    offered_at INTEGER NOT NULL,
    deadline   INTEGER NOT NULL,
    downloads  INTEGER NOT NULL,
    installs   INTEGER NOT NULL,
    heard_at   INTEGER,
    progress   INTEGER,
    detail     TEXT,
    outcome    INTEGER,
    reason     INTEGER,
    over_at    INTEGER,
    leaf       INTEGER
) STRICT;
-- A device has at most one open action, whatever campaigns it is in.
CREATE UNIQUE INDEX action_open ON action (device) WHERE outcome IS NULL;
CREATE INDEX action_due ON action (deadline) WHERE outcome IS NULL;
CREATE INDEX action_of_member ON action (campaign, device);
CREATE INDEX action_by_outcome ON action (campaign, outcome);

-- What a device says that it runs, and since when.
CREATE TABLE device_software (
    device           INTEGER PRIMARY KEY REFERENCES device (id),
    hardware_id      TEXT,
    version          TEXT,
    release_counter  INTEGER,
    security_version INTEGER,
    digest           BLOB,
    confirmed        INTEGER NOT NULL,
    since            INTEGER NOT NULL,
    seen_at          INTEGER NOT NULL
) STRICT;

-- Owners who let a maker update their devices of a product line.
CREATE TABLE update_consent (
    owner   INTEGER NOT NULL REFERENCES organisation (id),
    product INTEGER NOT NULL REFERENCES product (id),
    since   INTEGER NOT NULL,
    PRIMARY KEY (owner, product)
) STRICT, WITHOUT ROWID;
