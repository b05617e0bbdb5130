
-- Event buses that were made; the default bus of each account and region needs no row.
CREATE TABLE event_buses (
    arn        TEXT PRIMARY KEY,
    account    TEXT NOT NULL,
    region     TEXT NOT NULL,
    name       TEXT NOT NULL,
    document   TEXT NOT NULL,
    tags       TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE event_rules (
    arn      TEXT PRIMARY KEY,
    account  TEXT NOT NULL,
    region   TEXT NOT NULL,
    bus      TEXT NOT NULL,
    name     TEXT NOT NULL,
    pattern  TEXT NOT NULL,
    enabled  INTEGER NOT NULL,
    document TEXT NOT NULL,
    tags     TEXT NOT NULL,
    UNIQUE (account, region, bus, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE event_targets (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    rule     TEXT NOT NULL REFERENCES event_rules (arn) ON DELETE CASCADE,
    id       TEXT NOT NULL,
    arn      TEXT NOT NULL,
    document TEXT NOT NULL,
    UNIQUE (rule, id)
) STRICT;
CREATE INDEX event_targets_arn ON event_targets (arn);

-- Executions that have to be started. A row goes when the execution has been started, or when the last try has failed.
CREATE TABLE event_deliveries (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    rule        TEXT NOT NULL,
    machine     TEXT NOT NULL,
    name        TEXT NOT NULL,
    input       TEXT NOT NULL,
    target      TEXT NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    accepted_at INTEGER NOT NULL,
    due_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX event_deliveries_due ON event_deliveries (due_at, id);
