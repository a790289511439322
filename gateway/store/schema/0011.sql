-- How far each feed is agreed, and how far its witnesses stand for it: a status is a comparison.

CREATE TABLE standing (
    feed INTEGER PRIMARY KEY REFERENCES feeds (number),
    agreed INTEGER NOT NULL,   -- below it every organisation that must has receipted
    cosigned INTEGER NOT NULL  -- below it is under a head that a quorum of witnesses cosigned
) STRICT;
