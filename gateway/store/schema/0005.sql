-- Which records gave which sender key, and what cannot be read here for want of one.

CREATE TABLE announcements (
    feed BLOB NOT NULL,        -- whose key it is
    number INTEGER NOT NULL,
    place INTEGER NOT NULL,    -- of the record: in that feed it announces, in another it shares
    key_hash BLOB NOT NULL,
    PRIMARY KEY (feed, number, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE unread (          -- observations and gaps whose body is sealed under a key not held
    place INTEGER PRIMARY KEY
) STRICT;
