-- Version 18. Threat models of products, what people decided about threats, impact assessments.
-- docs/threat-model.md.

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

-- Where a guided form of a product stands. `version` counts its changes. It was concluded for the answers
-- of a digest: other answers reopen it.
CREATE TABLE impact_form (
    id               INTEGER PRIMARY KEY,
    organisation     INTEGER NOT NULL REFERENCES organisation (id),
    product          INTEGER NOT NULL REFERENCES product (id),
    form             TEXT NOT NULL,
    version          INTEGER NOT NULL,
    by               TEXT NOT NULL,
    at               INTEGER NOT NULL,
    concluded_by     TEXT,
    concluded_at     INTEGER,
    concluded_digest BLOB CHECK (length(concluded_digest) = 32),
    CHECK ((concluded_by IS NULL) = (concluded_at IS NULL)),
    CHECK ((concluded_by IS NULL) = (concluded_digest IS NULL))
) STRICT;
CREATE UNIQUE INDEX impact_form_by_product ON impact_form (product, form);

-- Answers to its questions; the newest counts. `answer` is NULL where the one before was taken back. Of
-- those that were replaced, the rows of the newest 200 versions stay.
CREATE TABLE impact_answer (
    id           INTEGER PRIMARY KEY,
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    product      INTEGER NOT NULL REFERENCES product (id),
    form         TEXT NOT NULL,
    question     TEXT NOT NULL,
    version      INTEGER NOT NULL,
    answer       TEXT,
    by           TEXT NOT NULL,
    at           INTEGER NOT NULL,
    replaced     INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX impact_answer_version ON impact_answer (product, form, question, version);
CREATE INDEX impact_answer_current ON impact_answer (product) WHERE replaced = 0;
CREATE INDEX impact_answer_by_product ON impact_answer (product, form, id);
