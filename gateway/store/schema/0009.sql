-- What members signed that they hold beyond what is held here, and when each was heard: so that an
-- answer can say what is missing from it, and on whose word.

CREATE TABLE claims (
    in_group INTEGER NOT NULL REFERENCES groups (number),
    node BLOB NOT NULL,        -- who signed it
    feed BLOB NOT NULL,        -- an id: the feed itself may not be held, and may be nowhere
    size INTEGER NOT NULL,
    heard_ms INTEGER NOT NULL, -- Unix ms, 0 where no clock was set
    PRIMARY KEY (in_group, node, feed)
) STRICT, WITHOUT ROWID;
CREATE INDEX claims_by_feed ON claims (feed);

CREATE TABLE hearings (        -- when a member was last heard in a group, in its own signed words
    in_group INTEGER NOT NULL REFERENCES groups (number),
    node BLOB NOT NULL,
    heard_ms INTEGER NOT NULL, -- Unix ms, 0 where no clock was set
    PRIMARY KEY (in_group, node)
) STRICT, WITHOUT ROWID;

-- Which records' bodies are not held, found among all others.
CREATE INDEX records_without_body ON records (place) WHERE body IS NULL;
