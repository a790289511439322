-- What is known of each device's life, over restarts. Times are Unix ms, null where no clock was set.

CREATE TABLE devices (
    source TEXT NOT NULL,
    device TEXT NOT NULL,
    first_ms INTEGER,               -- first heard
    born_ms INTEGER,                -- came to life last: first heard, or heard again after a death
    heard_ms INTEGER,               -- heard last
    boot BLOB NOT NULL,             -- heard last, by the monotonic clock of this boot
    monotonic_ms INTEGER NOT NULL,
    died_ms INTEGER,                -- died last: found silent for too long
    alive INTEGER NOT NULL,
    births INTEGER NOT NULL,
    PRIMARY KEY (source, device)
) STRICT, WITHOUT ROWID;
