-- A device's proof that it has erased its keys, as it came: COSE_Sign1 (docs/command.md).
ALTER TABLE command ADD COLUMN proof BLOB;
