-- Records that came before those in front of them: one run a feed, the newest, beyond its head.

CREATE TABLE islands (
    feed INTEGER PRIMARY KEY REFERENCES feeds (number),
    start INTEGER NOT NULL,    -- records [start, stop) are held, and [head, start) are not
    stop INTEGER NOT NULL,
    bytes INTEGER NOT NULL,    -- of these records and their bodies
    last BLOB NOT NULL         -- the id of the last one
) STRICT;
