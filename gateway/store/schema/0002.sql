-- The quarantine is bounded: running counts of what it holds and has let go of, and why.

INSERT INTO totals
    SELECT 'quarantined', count(*) FROM quarantine
    UNION ALL SELECT 'quarantined_bytes', coalesce(sum(
        length(payload) + length(CAST(origin AS BLOB)) + length(CAST(reason AS BLOB))
        + length(CAST(source AS BLOB))), 0) FROM quarantine
    UNION ALL VALUES ('quarantine_dropped_for_count', 0), ('quarantine_dropped_for_bytes', 0);
