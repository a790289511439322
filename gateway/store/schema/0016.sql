-- Activities: which there are, which records say something in them, and what belongs to them.

CREATE TABLE activities (
    place INTEGER PRIMARY KEY, -- of the record that opened it
    id BLOB NOT NULL UNIQUE,   -- of that record
    in_group INTEGER NOT NULL REFERENCES groups (number)
) STRICT;

CREATE TABLE entries (         -- records that an activity is folded from
    place INTEGER PRIMARY KEY,
    activity BLOB NOT NULL,    -- an id: the record that opened it may not be held
    read INTEGER               -- counts up in the order in which they could be read; null: sealed
) STRICT;
CREATE UNIQUE INDEX entries_read ON entries (activity, read);
CREATE INDEX entries_placed ON entries (activity, place);

CREATE TABLE bound_readings (  -- observations and gaps that belong to an activity
    activity BLOB NOT NULL,
    place INTEGER NOT NULL,
    PRIMARY KEY (activity, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE bindings (        -- devices that a node said belong to an activity, until it is closed
    activity BLOB NOT NULL,
    node BLOB NOT NULL,
    device TEXT NOT NULL,
    PRIMARY KEY (node, activity, device)
) STRICT, WITHOUT ROWID;

CREATE TABLE attached (        -- pieces of files that belong to an activity
    place INTEGER PRIMARY KEY,
    activity BLOB NOT NULL,
    whole BLOB NOT NULL,       -- the hash of all of the file
    node BLOB NOT NULL,
    name TEXT NOT NULL,
    content_type TEXT NOT NULL,
    size INTEGER NOT NULL,     -- of all of it
    start INTEGER NOT NULL,    -- of this piece
    stop INTEGER NOT NULL
) STRICT;
CREATE INDEX attached_of ON attached (activity, whole, node, start);
