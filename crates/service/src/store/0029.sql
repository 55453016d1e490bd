-- Version 29. What the log of a device may cost (LG-5). docs/device-log.md.

-- Entries of a device by when they came, whoever owned it: the oldest go, the newest says where the log
-- goes on.
CREATE INDEX device_log_entry_as_it_came ON device_log_entry (device, id);

-- Entries that were kept, and stretches that began, in the hour that `hour` says.
ALTER TABLE device_log ADD COLUMN came INTEGER NOT NULL DEFAULT 0;
ALTER TABLE device_log ADD COLUMN begun INTEGER NOT NULL DEFAULT 0;
