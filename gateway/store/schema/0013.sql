-- What shows that somebody broke a rule, and which feed ends by it; records that rest on such.

CREATE TABLE evidence (        -- one of a kind against one thing of one organisation: the earliest
    id BLOB PRIMARY KEY,
    encoded BLOB NOT NULL,
    kind INTEGER NOT NULL,
    organisation BLOB NOT NULL,
    node BLOB,                 -- null where it is the organisation's root that signed
    in_group BLOB,             -- the id of the group of the feed, null where it is about none
    thing BLOB NOT NULL,       -- the feed, or the consortium
    seq INTEGER NOT NULL,      -- from which record on, or the roster's number
    origin INTEGER NOT NULL,   -- 0 found here, 1 heard of a peer, 2 in a record
    since_ms INTEGER,          -- since when it is seen, by the monotonic clock of this boot
    UNIQUE (kind, organisation, thing)
) STRICT, WITHOUT ROWID;

CREATE TABLE testimony (       -- the earliest that records of a group show of it, and how many do
    in_group BLOB NOT NULL,
    kind INTEGER NOT NULL,
    organisation BLOB NOT NULL,
    thing BLOB NOT NULL,
    seq INTEGER NOT NULL,
    own INTEGER NOT NULL,      -- how many of these records are this node's
    PRIMARY KEY (in_group, kind, organisation, thing)
) STRICT, WITHOUT ROWID;

CREATE TABLE unheard (         -- records of evidence that could not be read or judged yet
    place INTEGER PRIMARY KEY
) STRICT;

CREATE TABLE frozen (
    feed BLOB PRIMARY KEY,     -- an id: the feed itself may not be held
    seq INTEGER NOT NULL       -- its records count below this number
) STRICT, WITHOUT ROWID;

CREATE TABLE contested (       -- records from there on, and those that rest on them by their deps
    place INTEGER PRIMARY KEY
) STRICT;

CREATE TABLE answers (         -- which records name which in their deps
    dep BLOB NOT NULL,
    place INTEGER NOT NULL,
    PRIMARY KEY (dep, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX answers_by_place ON answers (place);

CREATE TABLE impossible (      -- what peers said, in their proven name, that no honest one says
    node BLOB NOT NULL,
    code TEXT NOT NULL,
    count INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,  -- Unix ms, 0 where no clock was set
    PRIMARY KEY (node, code)
) STRICT, WITHOUT ROWID;
