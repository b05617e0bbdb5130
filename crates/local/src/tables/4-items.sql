
CREATE TABLE dynamodb_tables (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    account    TEXT NOT NULL,
    region     TEXT NOT NULL,
    name       TEXT NOT NULL,
    document   TEXT NOT NULL,
    tags       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (account, region, name)
) STRICT;

-- Keys are bytes in DynamoDB's order; a table without a sort key has an empty one.
CREATE TABLE dynamodb_items (
    owner   INTEGER NOT NULL REFERENCES dynamodb_tables (id) ON DELETE CASCADE,
    hash    BLOB NOT NULL,
    range   BLOB NOT NULL,
    item    TEXT NOT NULL,
    expires INTEGER,
    PRIMARY KEY (owner, hash, range)
) STRICT, WITHOUT ROWID;
CREATE INDEX dynamodb_items_expires ON dynamodb_items (expires) WHERE expires IS NOT NULL;

-- Where an item lies in a secondary index.
CREATE TABLE dynamodb_index_items (
    owner      INTEGER NOT NULL,
    name       TEXT NOT NULL,
    hash       BLOB NOT NULL,
    range      BLOB NOT NULL,
    item_hash  BLOB NOT NULL,
    item_range BLOB NOT NULL,
    PRIMARY KEY (owner, name, hash, range, item_hash, item_range),
    FOREIGN KEY (owner, item_hash, item_range) REFERENCES dynamodb_items (owner, hash, range) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX dynamodb_index_items_item ON dynamodb_index_items (owner, item_hash, item_range);

-- Transactions that were answered, by the token of their caller, for ten minutes.
CREATE TABLE dynamodb_tokens (
    account    TEXT NOT NULL,
    token      TEXT NOT NULL,
    request    BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (account, token)
) STRICT, WITHOUT ROWID;
