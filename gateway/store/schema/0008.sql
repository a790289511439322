-- Bodies too long to travel with their records: which there are, which are owed, what came of them.

CREATE TABLE apart (
    place INTEGER PRIMARY KEY, -- of the record
    in_group INTEGER NOT NULL REFERENCES groups (number),
    hash BLOB NOT NULL,
    length INTEGER NOT NULL,
    held INTEGER NOT NULL      -- 0: the body is owed, and never was here
) STRICT;
CREATE INDEX apart_by_hash ON apart (hash);
CREATE INDEX apart_owed ON apart (in_group, place) WHERE held = 0;

CREATE TABLE pieces (          -- of bodies that are owed; piece n begins at byte 49,152 n
    place INTEGER NOT NULL,
    number INTEGER NOT NULL,
    piece BLOB NOT NULL,
    PRIMARY KEY (place, number)
) STRICT;

CREATE TABLE partial_acks (    -- what a peer signed beyond its cursor, but for bodies that it owes
    feed INTEGER NOT NULL REFERENCES feeds (number),
    node BLOB NOT NULL,
    size INTEGER NOT NULL,
    ranges BLOB NOT NULL,      -- CBOR [[from, to]...], the first from the cursor on
    owed INTEGER NOT NULL,     -- how many records they are
    encoded BLOB NOT NULL,     -- the signed ACK
    PRIMARY KEY (feed, node)
) STRICT, WITHOUT ROWID;
