-- A revocation is the word of one organisation about whom it certified, and about nobody else.

CREATE TABLE revocations (
    issuer BLOB NOT NULL,
    subject BLOB NOT NULL,     -- a node or person: what is certified up to this counter begins nothing
    counter INTEGER NOT NULL,
    encoded BLOB NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;
-- Who issued an earlier one is in its encoded claims, from which it is read.
INSERT INTO revocations SELECT x'', subject, counter, encoded FROM revoked;
DROP TABLE revoked;
