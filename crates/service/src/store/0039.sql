-- Version 39. What IDevIDs of a product line say of its usage description (RFC 8520 section 11). docs/mud.md.

-- Without a row they say nothing. `url`: where the file is; `signer`: name of who signs it, in DER.
CREATE TABLE product_mud (
    product INTEGER PRIMARY KEY REFERENCES product (id),
    url     TEXT NOT NULL,
    signer  BLOB,
    set_by  TEXT NOT NULL,
    set_at  INTEGER NOT NULL
) STRICT;
