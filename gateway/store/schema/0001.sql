-- The first schema. Numbers stand for long ids inside this file only; bytes are kept as signed.

CREATE TABLE rosters (
    hash BLOB PRIMARY KEY,
    encoded BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE groups (          -- what may be shown of a group: never its secret
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE, -- what routes on this gateway call it
    founding BLOB NOT NULL,
    founder BLOB NOT NULL,     -- CBOR [node, run, encryption certificate]
    roster BLOB NOT NULL REFERENCES rosters (hash)
) STRICT;

CREATE TABLE feeds (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    in_group INTEGER NOT NULL REFERENCES groups (number),
    node BLOB NOT NULL,
    organisation BLOB NOT NULL,
    run_key BLOB NOT NULL
) STRICT;
CREATE INDEX feeds_of_group ON feeds (in_group);

CREATE TABLE heads (           -- apart from records, so that an append rewrites no large row
    feed INTEGER PRIMARY KEY REFERENCES feeds (number),
    size INTEGER NOT NULL,     -- records held without a gap, from 0
    frontier BLOB NOT NULL,    -- the complete subtrees' roots, largest first
    last BLOB NOT NULL
) STRICT;

CREATE TABLE successions (     -- the earlier feeds of its node that a feed's genesis names
    earlier BLOB NOT NULL,     -- an id: the feed itself may not be held
    later INTEGER NOT NULL REFERENCES feeds (number),
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    PRIMARY KEY (earlier, later)
) STRICT, WITHOUT ROWID;

CREATE TABLE records (         -- (feed number, seq) is the key: feed << 32 | seq
    place INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    id BLOB NOT NULL,
    encoded BLOB NOT NULL,
    body BLOB                  -- null where it is not held: not yet, or shredded
) STRICT;
CREATE INDEX records_by_id ON records (id);

CREATE TABLE tiles (           -- roots of complete subtrees of 256, 65536, ... records
    feed INTEGER NOT NULL,
    level INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (feed, level, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE observations (    -- which records speak of a device, and of when
    place INTEGER NOT NULL,
    device TEXT NOT NULL,
    first_ms INTEGER,          -- null where the clock was unset
    last_ms INTEGER,
    readings INTEGER NOT NULL,
    PRIMARY KEY (device, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX observations_by_time ON observations (device, last_ms);

CREATE TABLE quarantine (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    origin TEXT NOT NULL,
    heard_ms INTEGER NOT NULL,
    code TEXT NOT NULL,
    reason TEXT NOT NULL,
    payload BLOB NOT NULL
) STRICT;

CREATE TABLE unacknowledged (  -- committed, and perhaps not yet acknowledged as far as a broker knows
    number INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    deliveries BLOB NOT NULL   -- in order: packet id (2 bytes) and digest (16 bytes) of each
) STRICT;
CREATE INDEX unacknowledged_of_source ON unacknowledged (source);

CREATE TABLE positions (       -- how far a framed device has been heard
    source TEXT PRIMARY KEY,
    boot BLOB NOT NULL,
    sequence INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE acks (            -- what a peer has signed that it holds: the outbox's cursor
    feed INTEGER NOT NULL REFERENCES feeds (number),
    node BLOB NOT NULL,
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    encoded BLOB NOT NULL,     -- the signed ACK
    PRIMARY KEY (feed, node)
) STRICT, WITHOUT ROWID;

CREATE TABLE peers (           -- certificates of peers' runs, to check their ACKs by
    kid BLOB NOT NULL,
    node BLOB NOT NULL,
    heard INTEGER NOT NULL,    -- counts up: which run was heard last
    certificates BLOB NOT NULL, -- CBOR [node, run, encryption certificate]
    PRIMARY KEY (node, kid)
) STRICT, WITHOUT ROWID;
CREATE INDEX peers_by_kid ON peers (kid);

CREATE TABLE totals (          -- running counts, so that status needs no scan
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO totals VALUES ('records', 0), ('readings', 0);
