-- Version 18. Threat models of products, and what people decided about threats. docs/threat-model.md.

-- Every version of a model; the newest counts. `text` is the file as it was handed in, NULL where it
-- was dropped because there are many newer ones: its digest stays.
CREATE TABLE threat_model (
    id           INTEGER PRIMARY KEY,
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    product      INTEGER NOT NULL REFERENCES product (id),
    version      INTEGER NOT NULL,
    digest       BLOB NOT NULL CHECK (length(digest) = 32),
    text         TEXT,
    note         TEXT,
    by           TEXT NOT NULL,
    at           INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX threat_model_by_product ON threat_model (product, version);

-- What was decided about a threat, by its stable id; the newest counts. `version` counts the decisions
-- about one threat. `verdict` is NULL where the one before was taken back. `measures` is JSON.
CREATE TABLE threat_decision (
    id           INTEGER PRIMARY KEY,
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    product      INTEGER NOT NULL REFERENCES product (id),
    threat       TEXT NOT NULL,
    version      INTEGER NOT NULL,
    verdict      TEXT,
    reason       TEXT NOT NULL,
    until        TEXT,
    likelihood   INTEGER,
    impact       INTEGER,
    measures     TEXT NOT NULL,
    by           TEXT NOT NULL,
    at           INTEGER NOT NULL,
    replaced     INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX threat_decision_version ON threat_decision (product, threat, version);
CREATE INDEX threat_decision_current ON threat_decision (product) WHERE replaced = 0;
CREATE INDEX threat_decision_by_product ON threat_decision (product, id);
