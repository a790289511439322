-- Journals of this node's runs; checkpoints of all runs, cosigned, and which heads are under them.

CREATE INDEX feeds_of_node ON feeds (node);

CREATE TABLE journals (
    number INTEGER PRIMARY KEY,
    run BLOB NOT NULL UNIQUE,  -- the id of its key
    size INTEGER NOT NULL,
    frontier BLOB NOT NULL     -- the complete subtrees' roots, largest first
) STRICT;

CREATE TABLE journal_hashes (  -- every complete subtree, so that a path is a few look-ups
    journal INTEGER NOT NULL REFERENCES journals (number),
    level INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (journal, level, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE journal_entries ( -- which heads its leaves are
    feed INTEGER NOT NULL REFERENCES feeds (number),
    journal INTEGER NOT NULL REFERENCES journals (number),
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    position INTEGER NOT NULL, -- of the leaf
    PRIMARY KEY (feed, journal, size)
) STRICT, WITHOUT ROWID;
CREATE INDEX journal_leaves ON journal_entries (journal, position);

CREATE TABLE checkpoints (
    number INTEGER PRIMARY KEY,
    run BLOB NOT NULL,         -- this node's, or another's
    size INTEGER NOT NULL,
    encoded BLOB NOT NULL,     -- the note, with its run's line alone
    UNIQUE (run, size)
) STRICT;

CREATE TABLE cosignatures (
    checkpoint INTEGER NOT NULL REFERENCES checkpoints (number) ON DELETE CASCADE,
    name TEXT NOT NULL,        -- of the witness
    line TEXT NOT NULL,
    PRIMARY KEY (checkpoint, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE noted (           -- heads under cosigned checkpoints, of this node's journals and others'
    feed INTEGER NOT NULL REFERENCES feeds (number),
    checkpoint INTEGER NOT NULL REFERENCES checkpoints (number),
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    position INTEGER NOT NULL,
    path BLOB NOT NULL,        -- the hashes in one
    PRIMARY KEY (feed, checkpoint)
) STRICT, WITHOUT ROWID;
CREATE INDEX noted_under ON noted (checkpoint);
