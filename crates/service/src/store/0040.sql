-- Version 40. Where messages of devices are is written down a few devices at a time, so that nobody waits long
-- behind it: up to message `up_to` that is done for all devices, and up to `coming` for those whose row is not
-- above `done`.

ALTER TABLE message_settled ADD COLUMN coming INTEGER NOT NULL DEFAULT 0;
ALTER TABLE message_settled ADD COLUMN done INTEGER NOT NULL DEFAULT 0;
