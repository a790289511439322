-- Not only observations wait for their key: activities, orders and mandates do too.

ALTER TABLE unread ADD COLUMN kind INTEGER NOT NULL DEFAULT 4;
UPDATE unread SET kind = (SELECT kind FROM records r WHERE r.place = unread.place);
-- What came of those kinds before this version is looked at when the agent starts.
INSERT OR IGNORE INTO unread SELECT place, kind FROM records
    WHERE kind BETWEEN 5 AND 14 AND body IS NOT NULL;
