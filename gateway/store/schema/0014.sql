-- Receipt records: what each covers, who must receipt what, and what is worth a receipt.

ALTER TABLE heads ADD COLUMN spoken INTEGER NOT NULL DEFAULT 0; -- up to the last record that is more than a receipt or an announcement
UPDATE heads SET spoken = size;

CREATE TABLE receipted (       -- the entries of receipt records held
    about BLOB NOT NULL,       -- a feed's id: the feed itself may not be held
    place INTEGER NOT NULL,    -- of the receipt record
    size INTEGER NOT NULL,
    whole INTEGER NOT NULL,    -- up to where no body is owed; 0 where the root is not ours
    root BLOB,                 -- null once it was compared with ours
    PRIMARY KEY (about, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX receipted_ahead ON receipted (about, size) WHERE root IS NOT NULL;

CREATE TABLE covers (          -- up to where each node has receipted a feed, by all that counts of it
    feed INTEGER NOT NULL REFERENCES feeds (number),
    node BLOB NOT NULL,
    organisation BLOB NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY (feed, node)
) STRICT, WITHOUT ROWID;

CREATE TABLE stated (          -- views in which something was said, and who must receipt that
    number INTEGER PRIMARY KEY,
    in_group INTEGER NOT NULL REFERENCES groups (number),
    names BLOB NOT NULL,       -- of membership records: sorted ids
    known INTEGER NOT NULL,    -- whether the next is as of now
    required BLOB,             -- organisations: sorted ids; null: nothing is agreed for now
    UNIQUE (in_group, names)
) STRICT;

CREATE TABLE spans (           -- from where on records of a feed were said in a view
    feed INTEGER NOT NULL REFERENCES feeds (number),
    start INTEGER NOT NULL,
    view INTEGER NOT NULL REFERENCES stated (number),
    PRIMARY KEY (feed, start)
) STRICT, WITHOUT ROWID;

-- The fold reads receipts only of those who were removed: they are found by what they are about.
DROP INDEX records_of_membership;
CREATE INDEX records_of_membership ON records (place) WHERE kind <= 2;
