-- Version 31. What devices usually do (docs/behaviour.md).

-- What is ordinary for the devices of a product line of one owner: a profile, as `behaviour` writes it.
-- `line` is MAKER/PRODUCT, or `-` for devices of no product.
CREATE TABLE behaviour_product (
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    line         TEXT NOT NULL,
    body         TEXT NOT NULL,
    -- when learning ends by itself
    ends_at      INTEGER,
    PRIMARY KEY (organisation, line)
) STRICT, WITHOUT ROWID;
CREATE INDEX behaviour_product_ends ON behaviour_product (ends_at) WHERE ends_at IS NOT NULL;

-- What is ordinary for one device, as long as it is that owner's.
CREATE TABLE behaviour_device (
    device       INTEGER PRIMARY KEY REFERENCES device (id),
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    line         TEXT NOT NULL,
    body         TEXT NOT NULL,
    last_at      INTEGER NOT NULL,
    -- whether something is expected of it each hour, and nobody was told that nothing comes
    hourly       INTEGER NOT NULL CHECK (hourly IN (0, 1)),
    -- of its deviations, when the last was
    deviated_at  INTEGER
) STRICT;
CREATE INDEX behaviour_device_of ON behaviour_device (organisation, line, device);
CREATE INDEX behaviour_device_seen ON behaviour_device (last_at);
CREATE INDEX behaviour_device_hourly ON behaviour_device (last_at) WHERE hourly = 1;
