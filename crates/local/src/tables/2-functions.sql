
-- Invocations that nobody waits for. A row goes when the function has done it, or when the last try has failed.
CREATE TABLE lambda_events (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id     TEXT NOT NULL,
    function       TEXT NOT NULL,
    payload        BLOB NOT NULL,
    client_context TEXT,
    attempts       INTEGER NOT NULL DEFAULT 0,
    accepted_at    INTEGER NOT NULL,
    due_at         INTEGER NOT NULL
) STRICT;
CREATE INDEX lambda_events_due ON lambda_events (due_at, id);
