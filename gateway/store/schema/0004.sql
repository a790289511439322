-- Groups whose members change, the keys that seal their bodies, and alarms.

ALTER TABLE rosters ADD COLUMN consortium BLOB;            -- the hash of its roster 0
ALTER TABLE rosters ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
UPDATE rosters SET consortium = hash;

CREATE TABLE views (           -- a group's membership as folded from all its records held
    in_group INTEGER PRIMARY KEY REFERENCES groups (number),
    roster BLOB NOT NULL,      -- the hash of the newest roster of its consortium
    newest BLOB NOT NULL       -- the membership records that no other has in its past: sorted ids
) STRICT;

CREATE TABLE members (         -- the members by that fold
    in_group INTEGER NOT NULL REFERENCES groups (number),
    node BLOB NOT NULL,
    organisation BLOB NOT NULL,
    encryption BLOB NOT NULL,  -- the certificate of the key to which is sealed
    roles BLOB NOT NULL,       -- a byte each, sorted
    PRIMARY KEY (in_group, node)
) STRICT, WITHOUT ROWID;

CREATE TABLE cuts (            -- how far feeds of the removed count
    in_group INTEGER NOT NULL REFERENCES groups (number),
    node BLOB NOT NULL,
    feed BLOB NOT NULL,        -- empty: every feed that is not named
    size INTEGER NOT NULL,
    PRIMARY KEY (in_group, node, feed)
) STRICT, WITHOUT ROWID;

CREATE TABLE sender_keys (     -- opened sender keys, this node's own and others'
    feed BLOB NOT NULL,
    number INTEGER NOT NULL,
    key BLOB NOT NULL,
    PRIMARY KEY (feed, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE rings (           -- what this node's own feeds announced last
    feed BLOB PRIMARY KEY,
    number INTEGER NOT NULL,   -- the key that seals now; 0 in a clear group
    view BLOB NOT NULL,        -- SHA-256 of the view under which it was announced
    monotonic_ms INTEGER NOT NULL,
    seq INTEGER NOT NULL       -- of the announcement
) STRICT, WITHOUT ROWID;

CREATE TABLE revoked (         -- nodes and persons: what is certified up to this counter begins nothing
    subject BLOB PRIMARY KEY,
    counter INTEGER NOT NULL,
    encoded BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE alarms (          -- two runs of one node that both went on
    node BLOB NOT NULL,
    older BLOB NOT NULL,       -- key ids of the runs
    newer BLOB NOT NULL,
    heard_ms INTEGER NOT NULL, -- Unix ms, 0 where no clock was set
    PRIMARY KEY (node, older, newer)
) STRICT, WITHOUT ROWID;
