-- Version 33. Messages that their devices signed, whoever carried them. docs/cose.md.

-- SHA-256 of the certificate by whose key the device signed it; the device that carried it, where that is
-- another.
ALTER TABLE message ADD COLUMN signed BLOB CHECK (signed IS NULL OR length(signed) = 32);
ALTER TABLE message ADD COLUMN carrier INTEGER;

-- Topics on which a product line's devices must sign; one filter per line.
CREATE TABLE signed_topics (
    product INTEGER PRIMARY KEY REFERENCES product (id),
    topics  TEXT NOT NULL,
    set_by  TEXT NOT NULL,
    set_at  INTEGER NOT NULL
) STRICT;
