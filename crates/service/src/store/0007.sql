-- Version 9. What goes on after its request. docs/fleet.md.

-- The devices of a job that is being filled in: row numbers of eight bytes each, in their order.
-- Gone once all of them are items.
CREATE TABLE job_selection (
    job     INTEGER PRIMARY KEY REFERENCES job (id),
    devices BLOB NOT NULL
) STRICT;

-- How far the search for what was reported in a person's name has come: among the events of this
-- reporter, from this leaf on, before that one.
CREATE TABLE job_search (
    job      INTEGER PRIMARY KEY REFERENCES job (id),
    reporter INTEGER NOT NULL REFERENCES organisation (id),
    next     INTEGER NOT NULL,
    until    INTEGER NOT NULL
) STRICT;
CREATE INDEX event_by_reporter ON event (reporter);
