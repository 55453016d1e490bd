-- Version 10. Vulnerabilities: what software is made of, what is known against it, what was said about it.
-- docs/vulnerability.md.

-- One version of a product line's software: what SBOMs, findings and statements are about.
CREATE TABLE software (
    id       INTEGER PRIMARY KEY,
    product  INTEGER NOT NULL REFERENCES product (id),
    version  TEXT NOT NULL,
    added_at INTEGER NOT NULL,
    UNIQUE (product, version)
) STRICT;

-- Bills of materials as received; of those of one name the newest counts. `state`: 0 its components
-- are being put in, 1 all are in, 2 replaced by a newer one that is not judged to its end, 3 replaced.
-- `indexed`: components that are in.
CREATE TABLE sbom (
    id         INTEGER PRIMARY KEY,
    software   INTEGER NOT NULL REFERENCES software (id),
    name       TEXT NOT NULL,
    digest     BLOB NOT NULL CHECK (length(digest) = 32),
    form       TEXT NOT NULL,
    bytes      BLOB NOT NULL,
    components INTEGER NOT NULL,
    nameless   INTEGER NOT NULL,
    versionless INTEGER NOT NULL,
    remarks    INTEGER NOT NULL,
    indexed    INTEGER NOT NULL,
    state      INTEGER NOT NULL,
    added_by   TEXT NOT NULL,
    added_at   INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX sbom_by_name ON sbom (software, name) WHERE state < 2;
CREATE INDEX sbom_by_software ON sbom (software);
CREATE INDEX sbom_unfinished ON sbom (id) WHERE state = 0;
CREATE INDEX sbom_replaced ON sbom (id) WHERE state = 2;

-- Where components and advisories meet, for both directions.
CREATE TABLE component_key (
    key       TEXT NOT NULL,
    sbom      INTEGER NOT NULL,
    component INTEGER NOT NULL,
    PRIMARY KEY (key, sbom, component)
) STRICT, WITHOUT ROWID;
CREATE INDEX component_key_by_sbom ON component_key (sbom);

CREATE TABLE advisory_key (
    key      TEXT NOT NULL,
    advisory INTEGER NOT NULL,
    PRIMARY KEY (key, advisory)
) STRICT, WITHOUT ROWID;
CREATE INDEX advisory_key_by_advisory ON advisory_key (advisory);

-- Components that are to be judged (again). `round` grows with each new cause, so that one which
-- comes while the component is being judged is not lost.
CREATE TABLE match_work (
    sbom      INTEGER NOT NULL,
    component INTEGER NOT NULL,
    round     INTEGER NOT NULL,
    PRIMARY KEY (sbom, component)
) STRICT, WITHOUT ROWID;

-- Counts what came to be known of vulnerabilities by their ids. Such news finds the components that a
-- vulnerability is known in; one that is being judged at that moment is not among them yet, so that a
-- judgement which began before the news is made again. `organisation` is 0 for what concerns everybody:
-- what only one of them says keeps nobody else's judgements waiting.
CREATE TABLE match_news (
    organisation INTEGER PRIMARY KEY,
    count        INTEGER NOT NULL
) STRICT;

-- Advisories and catalogues as received. The platform's are for everybody, an organisation's own
-- for its own products. `bytes` is NULL once nothing in it counts any more.
CREATE TABLE advisory_document (
    id           INTEGER PRIMARY KEY,
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    digest       BLOB NOT NULL CHECK (length(digest) = 32),
    form         TEXT NOT NULL,
    length       INTEGER NOT NULL,
    bytes        BLOB,
    source       TEXT NOT NULL,
    added_by     TEXT NOT NULL,
    added_at     INTEGER NOT NULL,
    UNIQUE (organisation, digest)
) STRICT;

-- What a document says about one vulnerability: `part` is its place in the document. `tracking` is
-- a CSAF document's id, else empty.
CREATE TABLE advisory (
    id           INTEGER PRIMARY KEY,
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    name         TEXT NOT NULL,
    tracking     TEXT NOT NULL,
    document     INTEGER NOT NULL REFERENCES advisory_document (id),
    part         INTEGER NOT NULL,
    modified     INTEGER,
    withdrawn    INTEGER,
    summary      TEXT NOT NULL,
    remarks      INTEGER NOT NULL,
    UNIQUE (organisation, name, tracking)
) STRICT;
CREATE INDEX advisory_by_document ON advisory (document);
CREATE INDEX advisory_by_tracking ON advisory (organisation, tracking) WHERE tracking <> '';

-- Vulnerabilities that are known to be exploited, and the catalogue that says so.
CREATE TABLE exploited (
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    name         TEXT NOT NULL,
    since        INTEGER,
    due          INTEGER,
    ransomware   INTEGER NOT NULL,
    PRIMARY KEY (organisation, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE exploited_catalogue (
    organisation INTEGER PRIMARY KEY REFERENCES organisation (id),
    document     INTEGER NOT NULL REFERENCES advisory_document (id),
    released     INTEGER
) STRICT;

-- Files of the watched folder: what they were like when they were read, and why one was not.
CREATE TABLE advisory_file (
    number   INTEGER PRIMARY KEY,
    path     TEXT NOT NULL UNIQUE,
    length   INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    trouble  TEXT,
    read_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX advisory_file_in_trouble ON advisory_file (number) WHERE trouble IS NOT NULL;

-- A vulnerability in one version of a product's software. `status`: 1 affected, 2 under
-- investigation, 3 fixed, 4 not affected. `verdict`: 1 undecided, 2 affected. `basis` says on what
-- the finding rests, `judged_basis` on what it rested when `judgement` was made.
CREATE TABLE exposure (
    id           INTEGER PRIMARY KEY,
    software     INTEGER NOT NULL REFERENCES software (id),
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    name         TEXT NOT NULL,
    status       INTEGER NOT NULL,
    judged       INTEGER NOT NULL,
    verdict      INTEGER NOT NULL,
    tenths       INTEGER,
    exploited    INTEGER NOT NULL,
    private      INTEGER NOT NULL,
    facts        TEXT NOT NULL,
    basis        BLOB NOT NULL,
    judgement    BLOB,
    judged_basis BLOB,
    reopened_at  INTEGER,
    reopened_why TEXT,
    first_seen   INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL,
    closed_at    INTEGER,
    UNIQUE (software, name)
) STRICT;
CREATE INDEX exposure_by_name ON exposure (organisation, name);

-- Every id under which an exposure is known.
CREATE TABLE exposure_id (
    id       TEXT NOT NULL,
    exposure INTEGER NOT NULL REFERENCES exposure (id),
    PRIMARY KEY (id, exposure)
) STRICT, WITHOUT ROWID;
CREATE INDEX exposure_id_by_exposure ON exposure_id (exposure);

-- The components that bring it in.
CREATE TABLE exposure_component (
    exposure  INTEGER NOT NULL REFERENCES exposure (id),
    sbom      INTEGER NOT NULL,
    component INTEGER NOT NULL,
    label     TEXT NOT NULL,
    finding   TEXT NOT NULL,
    PRIMARY KEY (exposure, sbom, component)
) STRICT, WITHOUT ROWID;
CREATE INDEX exposure_component_by_component ON exposure_component (sbom, component);

-- What became of an exposure; only appended to.
CREATE TABLE exposure_log (
    id       INTEGER PRIMARY KEY,
    exposure INTEGER NOT NULL REFERENCES exposure (id),
    at       INTEGER NOT NULL,
    what     TEXT NOT NULL,
    detail   TEXT NOT NULL
) STRICT;
CREATE INDEX exposure_log_by_exposure ON exposure_log (exposure);

-- A vulnerability in all of a maker's software: the sum of its exposures, for lists. `rank`: open
-- before judged, exploited first, then the score.
CREATE TABLE vulnerability (
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    name         TEXT NOT NULL,
    rank         INTEGER NOT NULL,
    open         INTEGER NOT NULL,
    exposures    INTEGER NOT NULL,
    reopened     INTEGER NOT NULL,
    first_seen   INTEGER NOT NULL,
    settled_at   INTEGER,
    PRIMARY KEY (organisation, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX vulnerability_by_rank ON vulnerability (organisation, rank, name);

-- VEX documents as received, and statements. One made here has its terms in `terms`, one of a
-- document its place there. `software` is NULL for every version. `due`: when it begins or ceases
-- to hold next.
CREATE TABLE vex_document (
    id           INTEGER PRIMARY KEY,
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    digest       BLOB NOT NULL CHECK (length(digest) = 32),
    form         TEXT NOT NULL,
    bytes        BLOB NOT NULL,
    added_by     TEXT NOT NULL,
    added_at     INTEGER NOT NULL
) STRICT;
CREATE INDEX vex_document_by_organisation ON vex_document (organisation);
CREATE TABLE vex_statement (
    id           INTEGER PRIMARY KEY,
    reference    BLOB NOT NULL UNIQUE CHECK (length(reference) = 16),
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    product      INTEGER NOT NULL REFERENCES product (id),
    software     INTEGER REFERENCES software (id),
    origin       INTEGER NOT NULL,
    document     INTEGER REFERENCES vex_document (id),
    part         INTEGER,
    name         TEXT NOT NULL,
    status       TEXT NOT NULL,
    terms        TEXT NOT NULL,
    author       TEXT NOT NULL,
    said_by      TEXT NOT NULL,
    said_at      INTEGER NOT NULL,
    expires      INTEGER,
    due          INTEGER,
    withdrawn_by TEXT,
    withdrawn_at INTEGER
) STRICT;
CREATE INDEX vex_statement_by_product ON vex_statement (product) WHERE withdrawn_at IS NULL;
CREATE INDEX vex_statement_by_organisation ON vex_statement (organisation, id);
CREATE INDEX vex_statement_due ON vex_statement (due) WHERE due IS NOT NULL;

-- Cases that must be reported (Regulation (EU) 2024/2847, article 14), what was written for the
-- reports, and who did what. `remind_at`: when somebody is to be reminded next.
CREATE TABLE cra_case (
    id           INTEGER PRIMARY KEY,
    reference    BLOB NOT NULL UNIQUE CHECK (length(reference) = 16),
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    kind         TEXT NOT NULL,
    name         TEXT,
    title        TEXT NOT NULL,
    aware_at     INTEGER NOT NULL,
    corrected_at INTEGER,
    warned_at    INTEGER,
    notified_at  INTEGER,
    reported_at  INTEGER,
    remind_at    INTEGER,
    opened_by    TEXT NOT NULL,
    opened_at    INTEGER NOT NULL,
    closed_at    INTEGER,
    closed_why   TEXT
) STRICT;
CREATE INDEX cra_case_by_organisation ON cra_case (organisation, id);
CREATE INDEX cra_case_open ON cra_case (organisation, name) WHERE closed_at IS NULL;
CREATE INDEX cra_case_to_remind ON cra_case (remind_at)
    WHERE remind_at IS NOT NULL AND closed_at IS NULL;

CREATE TABLE cra_item (
    cra_case INTEGER NOT NULL REFERENCES cra_case (id),
    item     TEXT NOT NULL,
    language TEXT NOT NULL,
    text     TEXT NOT NULL,
    by       TEXT NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (cra_case, item, language)
) STRICT, WITHOUT ROWID;

CREATE TABLE cra_log (
    id       INTEGER PRIMARY KEY,
    cra_case INTEGER NOT NULL REFERENCES cra_case (id),
    at       INTEGER NOT NULL,
    by       TEXT NOT NULL,
    what     TEXT NOT NULL,
    detail   TEXT NOT NULL
) STRICT;
CREATE INDEX cra_log_by_case ON cra_log (cra_case);

-- From a version to the devices that run it.
CREATE INDEX device_software_by_version ON device_software (version, device);

-- Devices that run an affected version, and devices of the products concerned, as of the end of a
-- day. `stands`: 1 devices that the organisation owns, 2 those that it made.
CREATE TABLE vulnerability_day (
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    stands       INTEGER NOT NULL,
    name         TEXT NOT NULL,
    day          INTEGER NOT NULL,
    affected     INTEGER NOT NULL,
    devices      INTEGER NOT NULL,
    PRIMARY KEY (organisation, stands, name, day)
) STRICT, WITHOUT ROWID;
CREATE TABLE vulnerability_counted (
    organisation INTEGER PRIMARY KEY REFERENCES organisation (id),
    at           INTEGER NOT NULL
) STRICT;

-- How many devices run each version, as their owner's (1) and as their maker's (2): what lists would
-- otherwise count anew. Kept by the triggers below, in the statement that changes a device or what it
-- runs; phases 8 and 9 are retired and disposed.
CREATE TABLE running (
    stands       INTEGER NOT NULL,
    organisation INTEGER NOT NULL,
    product      INTEGER NOT NULL,
    version      TEXT NOT NULL,
    devices      INTEGER NOT NULL,
    PRIMARY KEY (stands, organisation, product, version)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER running_begins AFTER INSERT ON device_software WHEN NEW.version NOTNULL BEGIN
    INSERT INTO running SELECT 1, owner, product, NEW.version, 1 FROM device
        WHERE id = NEW.device AND product NOTNULL AND phase NOT IN (8, 9)
        ON CONFLICT DO UPDATE SET devices = devices + 1;
    INSERT INTO running SELECT 2, maker, product, NEW.version, 1 FROM device
        WHERE id = NEW.device AND product NOTNULL AND phase NOT IN (8, 9)
        ON CONFLICT DO UPDATE SET devices = devices + 1;
END;

CREATE TRIGGER running_changes AFTER UPDATE OF version ON device_software
WHEN OLD.version IS NOT NEW.version BEGIN
    UPDATE running SET devices = devices - 1
        WHERE stands = 1 AND version = OLD.version AND (organisation, product) =
            (SELECT owner, product FROM device WHERE id = OLD.device AND phase NOT IN (8, 9));
    UPDATE running SET devices = devices - 1
        WHERE stands = 2 AND version = OLD.version AND (organisation, product) =
            (SELECT maker, product FROM device WHERE id = OLD.device AND phase NOT IN (8, 9));
    INSERT INTO running SELECT 1, owner, product, NEW.version, 1 FROM device
        WHERE id = NEW.device AND product NOTNULL AND phase NOT IN (8, 9) AND NEW.version NOTNULL
        ON CONFLICT DO UPDATE SET devices = devices + 1;
    INSERT INTO running SELECT 2, maker, product, NEW.version, 1 FROM device
        WHERE id = NEW.device AND product NOTNULL AND phase NOT IN (8, 9) AND NEW.version NOTNULL
        ON CONFLICT DO UPDATE SET devices = devices + 1;
END;

CREATE TRIGGER running_moves AFTER UPDATE OF owner, maker, product, phase ON device
WHEN OLD.owner <> NEW.owner OR OLD.maker <> NEW.maker OR OLD.product IS NOT NEW.product
    OR (OLD.phase IN (8, 9)) <> (NEW.phase IN (8, 9)) BEGIN
    UPDATE running SET devices = devices - 1
        WHERE stands = 1 AND organisation = OLD.owner AND product = OLD.product
            AND OLD.phase NOT IN (8, 9)
            AND version = (SELECT version FROM device_software WHERE device = OLD.id);
    UPDATE running SET devices = devices - 1
        WHERE stands = 2 AND organisation = OLD.maker AND product = OLD.product
            AND OLD.phase NOT IN (8, 9)
            AND version = (SELECT version FROM device_software WHERE device = OLD.id);
    INSERT INTO running SELECT 1, NEW.owner, NEW.product, version, 1 FROM device_software
        WHERE device = NEW.id AND version NOTNULL AND NEW.product NOTNULL
            AND NEW.phase NOT IN (8, 9)
        ON CONFLICT DO UPDATE SET devices = devices + 1;
    INSERT INTO running SELECT 2, NEW.maker, NEW.product, version, 1 FROM device_software
        WHERE device = NEW.id AND version NOTNULL AND NEW.product NOTNULL
            AND NEW.phase NOT IN (8, 9)
        ON CONFLICT DO UPDATE SET devices = devices + 1;
END;
