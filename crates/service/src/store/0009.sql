-- Version 9. What goes on after its request. docs/fleet.md.

-- The devices of a job that is being filled in: row numbers of eight bytes each, in their order.
-- Gone once all of them are items.
CREATE TABLE job_selection (
    job     INTEGER PRIMARY KEY REFERENCES job (id),
    devices BLOB NOT NULL
) STRICT;
