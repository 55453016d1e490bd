-- Version 30. What data of devices is for, and what owners agree to. docs/consent.md.

CREATE TABLE purpose (
    id      INTEGER PRIMARY KEY,
    product INTEGER NOT NULL REFERENCES product (id),
    name    TEXT NOT NULL,
    UNIQUE (product, name)
) STRICT;

-- Texts; a version does not change, and the newest counts. `legal_basis`: why no consent is needed; without:
-- it is. `ended`: the maker has ended the purpose with this version, and nobody can agree to it any more.
-- `topics`, `recipients`: one per line.
CREATE TABLE purpose_version (
    purpose        INTEGER NOT NULL REFERENCES purpose (id),
    version        INTEGER NOT NULL,
    title_en       TEXT NOT NULL,
    title_ja       TEXT NOT NULL,
    explanation_en TEXT NOT NULL,
    explanation_ja TEXT NOT NULL,
    topics         TEXT NOT NULL,
    legal_basis    TEXT,
    recipients     TEXT NOT NULL,
    retention_days INTEGER NOT NULL,
    ended          INTEGER NOT NULL CHECK (ended IN (0, 1)),
    made_by        TEXT NOT NULL,
    made_at        INTEGER NOT NULL,
    PRIMARY KEY (purpose, version)
) STRICT, WITHOUT ROWID;

-- What owners decided; rows are only added. `device`: for one; without: for all the organisation's devices of
-- the product line. `decision`: 1 given, 2 withdrawn, 3 as the organisation says.
CREATE TABLE purpose_decision (
    id           INTEGER PRIMARY KEY,
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    device       INTEGER REFERENCES device (id),
    purpose      INTEGER NOT NULL REFERENCES purpose (id),
    version      INTEGER NOT NULL,
    decision     INTEGER NOT NULL CHECK (decision BETWEEN 1 AND 3),
    reason       TEXT,
    decided_by   TEXT NOT NULL,
    decided_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX purpose_decision_of ON purpose_decision (organisation, purpose, device, id);
CREATE INDEX purpose_decision_of_organisation ON purpose_decision (organisation, id);
CREATE INDEX purpose_decision_of_device ON purpose_decision (device, id) WHERE device IS NOT NULL;

-- Which product lines an organisation has devices of.
CREATE INDEX device_by_owner_and_product ON device (owner, product);

-- A route that serves one purpose of its product line; messages that it did not send for want of consent.
ALTER TABLE route ADD COLUMN purpose TEXT;
ALTER TABLE route_state ADD COLUMN withheld INTEGER NOT NULL DEFAULT 0;
