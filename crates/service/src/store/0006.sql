-- Version 6. The audit log by kind and time; requests of CAs that wait for the ceremony.

-- Both grow at their right edge only: an event costs two appends. The times are for finding where a
-- day begins; equal kinds stand together, newest last.
CREATE INDEX audit_by_kind ON audit (kind, seq);
CREATE INDEX audit_by_time ON audit (at);

-- What a ceremony signs, for when the file was lost. The key itself lies sealed in `key`.
CREATE TABLE ca_request (
    ca  INTEGER PRIMARY KEY REFERENCES ca (id),
    csr BLOB NOT NULL
) STRICT;
