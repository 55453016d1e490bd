-- A message is appended and nothing else: an index by device is a page for each message of a large
-- fleet, and was most of what keeping one cost. Where a device's messages are is written down for many
-- at once, a moment later; what came since is found at the end of the table.
DROP INDEX message_of_device;

-- The messages of each device, up to `message_settled`.
CREATE TABLE message_place (
    device INTEGER NOT NULL,
    id     INTEGER NOT NULL,
    PRIMARY KEY (device, id)
) STRICT, WITHOUT ROWID;

-- Up to which message places and `message_kept` are written down.
CREATE TABLE message_settled (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    up_to INTEGER NOT NULL
) STRICT;

INSERT INTO message_place SELECT device, id FROM message ORDER BY device, id;
INSERT INTO message_settled SELECT 1, coalesce(max(id), 0) FROM message;
