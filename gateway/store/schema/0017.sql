-- Orders to machines: what was asked, what people said about it, what became of it; and mandates.
-- Nothing here is a source but the records: rows are made of them, as they come in, in any order.

CREATE TABLE orders (
    number INTEGER PRIMARY KEY, -- in the order in which they came
    hash BLOB NOT NULL UNIQUE, -- of the signed order
    encoded BLOB NOT NULL,     -- the signed order
    name BLOB NOT NULL,        -- its id, which its signer chose
    activity BLOB NOT NULL,
    target BLOB NOT NULL,      -- the node that is asked
    mandate BLOB,              -- the hash of the one it is under, null where a person signed it
    ended INTEGER NOT NULL,    -- whether its target said what became of it
    waits TEXT                 -- why its target, this node, does not decide yet
) STRICT;
CREATE INDEX orders_open ON orders (target) WHERE ended = 0;
CREATE INDEX orders_by_name ON orders (name);
CREATE INDEX orders_of_mandate ON orders (mandate) WHERE mandate IS NOT NULL;

CREATE TABLE sightings (       -- records in which an order stands: perhaps several
    hash BLOB NOT NULL,
    place INTEGER NOT NULL,
    certificate BLOB,          -- of the person who signed, null where the author's run did
    PRIMARY KEY (hash, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE words (           -- approvals, refusals and cancellations
    place INTEGER PRIMARY KEY,
    about BLOB NOT NULL,       -- the hash of an order or mandate, or the id of a record
    encoded BLOB NOT NULL,     -- what the person signed
    certificate BLOB NOT NULL
) STRICT;
CREATE INDEX words_by_about ON words (about);

CREATE TABLE executions (      -- starts and ends, by whoever wrote them: only the target's count
    place INTEGER PRIMARY KEY,
    hash BLOB NOT NULL,        -- of the order
    outcome INTEGER,           -- null: a start
    value BLOB,                -- CBOR: what was written, or what was read back
    reason TEXT,
    ended INTEGER NOT NULL     -- of a start: whether an end that answers it is here
) STRICT;
CREATE INDEX executions_by_hash ON executions (hash);
CREATE INDEX executions_begun ON executions (place) WHERE ended = 0;

CREATE TABLE mandates (
    place INTEGER PRIMARY KEY,
    hash BLOB NOT NULL,
    encoded BLOB NOT NULL,
    activity BLOB NOT NULL,
    certificate BLOB NOT NULL
) STRICT;
CREATE INDEX mandates_by_hash ON mandates (hash);
