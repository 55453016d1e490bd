-- Version 12. Organisations that are suspended. docs/organisations.md.

-- Since when nobody of it may do anything; NULL where it may.
ALTER TABLE organisation ADD COLUMN suspended_at INTEGER;
