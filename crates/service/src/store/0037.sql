-- Version 37. Connections outside of usage descriptions, of all devices of an owner. docs/mud.md.

-- `product`: the device's product line. `version`: of the maker's file that did not allow it when it was told of
-- last; without: told of before this version of the store.
ALTER TABLE mud_outside ADD COLUMN product INTEGER REFERENCES product (id);
ALTER TABLE mud_outside ADD COLUMN version INTEGER;
UPDATE mud_outside
    SET product = (SELECT device.product FROM device WHERE device.id = mud_outside.device);
CREATE INDEX mud_outside_of_owner ON mud_outside (owner, id);
CREATE INDEX mud_outside_of_line ON mud_outside (owner, product, id);

-- How often such connections of an owner's devices of a product line were told of on a day (UTC, days since
-- 1970), by whose word: the newest 30 days.
CREATE TABLE mud_outside_day (
    owner   INTEGER NOT NULL REFERENCES organisation (id),
    product INTEGER NOT NULL REFERENCES product (id),
    told_by INTEGER NOT NULL CHECK (told_by IN (1, 2)),
    day     INTEGER NOT NULL,
    times   INTEGER NOT NULL,
    PRIMARY KEY (owner, product, told_by, day)
) STRICT, WITHOUT ROWID;
