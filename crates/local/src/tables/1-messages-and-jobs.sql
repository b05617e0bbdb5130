-- SQS, SNS and Batch. Times are milliseconds since 1970; documents are JSON text.

CREATE TABLE sequences (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE sqs_queues (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    account     TEXT NOT NULL,
    region      TEXT NOT NULL,
    name        TEXT NOT NULL,
    attributes  TEXT NOT NULL,
    tags        TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    purged_at   INTEGER,
    UNIQUE (account, region, name)
) STRICT;

CREATE TABLE sqs_messages (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    queue            INTEGER NOT NULL REFERENCES sqs_queues (id) ON DELETE CASCADE,
    message_id       TEXT NOT NULL,
    body             TEXT NOT NULL,
    attributes       TEXT NOT NULL,
    system           TEXT NOT NULL,
    sent_at          INTEGER NOT NULL,
    visible_at       INTEGER NOT NULL,
    receive_count    INTEGER NOT NULL DEFAULT 0,
    first_receive_at INTEGER,
    receipt          INTEGER NOT NULL DEFAULT 0,
    message_group    TEXT
) STRICT;
CREATE INDEX sqs_messages_visible ON sqs_messages (queue, visible_at);
CREATE INDEX sqs_messages_group ON sqs_messages (queue, message_group, id) WHERE message_group IS NOT NULL;
CREATE INDEX sqs_messages_sent ON sqs_messages (queue, sent_at);

CREATE TABLE sqs_deduplication (
    queue            INTEGER NOT NULL REFERENCES sqs_queues (id) ON DELETE CASCADE,
    scope            TEXT NOT NULL,
    deduplication_id TEXT NOT NULL,
    message_id       TEXT NOT NULL,
    sequence_number  TEXT NOT NULL,
    expires_at       INTEGER NOT NULL,
    PRIMARY KEY (queue, scope, deduplication_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE sns_topics (
    arn        TEXT PRIMARY KEY,
    attributes TEXT NOT NULL,
    tags       TEXT NOT NULL,
    deleted_subscriptions INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sns_subscriptions (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    arn        TEXT NOT NULL UNIQUE,
    topic      TEXT NOT NULL REFERENCES sns_topics (arn) ON DELETE CASCADE,
    protocol   TEXT NOT NULL,
    endpoint   TEXT NOT NULL,
    attributes TEXT NOT NULL,
    token      TEXT,
    pending    INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sns_subscriptions_topic ON sns_subscriptions (topic, id);

CREATE TABLE sns_deduplication (
    topic            TEXT NOT NULL REFERENCES sns_topics (arn) ON DELETE CASCADE,
    scope            TEXT NOT NULL,
    deduplication_id TEXT NOT NULL,
    message_id       TEXT NOT NULL,
    sequence_number  TEXT NOT NULL,
    expires_at       INTEGER NOT NULL,
    PRIMARY KEY (topic, scope, deduplication_id)
) STRICT, WITHOUT ROWID;

-- What has to be posted to an HTTP endpoint. A row goes when the endpoint took it, or when the last try has failed.
CREATE TABLE sns_deliveries (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription TEXT NOT NULL,
    topic        TEXT NOT NULL,
    url          TEXT NOT NULL,
    headers      TEXT NOT NULL,
    body         TEXT NOT NULL,
    policy       TEXT NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    due_at       INTEGER NOT NULL
) STRICT;
CREATE INDEX sns_deliveries_due ON sns_deliveries (due_at);

-- Job definitions, job queues and compute environments: documents under their ARN, in the order they came.
CREATE TABLE batch_resources (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    arn        TEXT NOT NULL UNIQUE,
    kind       TEXT NOT NULL,
    account    TEXT NOT NULL,
    region     TEXT NOT NULL,
    name       TEXT NOT NULL,
    document   TEXT NOT NULL
) STRICT;
CREATE INDEX batch_resources_name ON batch_resources (kind, account, region, name);

CREATE TABLE batch_jobs (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    id        TEXT NOT NULL UNIQUE,
    account   TEXT NOT NULL,
    region    TEXT NOT NULL,
    queue     TEXT NOT NULL,
    name      TEXT NOT NULL,
    status    TEXT NOT NULL,
    -- What DescribeJobs shows.
    detail    TEXT NOT NULL,
    -- The process that runs it, while one does.
    process   TEXT,
    -- Why it is to be ended, once somebody has asked.
    terminate TEXT,
    created_at INTEGER NOT NULL,
    stopped_at INTEGER
) STRICT;
CREATE INDEX batch_jobs_status ON batch_jobs (status, seq);
CREATE INDEX batch_jobs_queue ON batch_jobs (queue, status, seq);
