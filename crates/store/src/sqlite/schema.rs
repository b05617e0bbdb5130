//! The tables, as a list of steps from one format of the data to the next.
//!
//! A step is never changed once it has been released: a new format is a new step at the end, and a golden file of the
//! format before it stays a loading test. The file says its format in `user_version`, and in a row of `meta` beside it.
//!
//! Each index must earn its place, because every start pays for it. ARNs and definitions are kept once and named by small
//! numbers, an execution's key is one integer (see `key.rs`), and the listing has one index by state machine, status and
//! time: a list without a status filter merges six ranges of it. The log is in the order of writing, not of executions,
//! so that the turns of a group lie side by side whatever execution they belong to.

/// `Swel` in ASCII: what `application_id` of the file says.
pub const APPLICATION_ID: i64 = 0x5377_656c;

/// What the `meta` row `format` is called.
pub const FORMAT: &str = "format";

/// `STEPS[n]` brings data of format `n` to format `n + 1`.
pub const STEPS: &[&str] = &[FORMAT_1, FORMAT_2];

/// The format that this program writes.
pub const NEWEST: i64 = STEPS.len() as i64;

const FORMAT_1: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;

-- last_number: the highest execution number of what was deleted.
CREATE TABLE shards (
  shard INTEGER PRIMARY KEY, owner TEXT NOT NULL, epoch INTEGER NOT NULL, last_number INTEGER NOT NULL
) STRICT;

CREATE TABLE arns (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL UNIQUE) STRICT;

-- text is NULL while something names a definition that was not put yet.
CREATE TABLE definitions (
  id INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB NOT NULL UNIQUE, text TEXT
) STRICT;

-- machine, version, alias, map_run: arns.id; definition: definitions.id
CREATE TABLE executions (
  id INTEGER PRIMARY KEY, machine INTEGER NOT NULL, name TEXT NOT NULL, status INTEGER NOT NULL,
  started_at INTEGER NOT NULL, stopped_at INTEGER, definition INTEGER NOT NULL,
  version INTEGER, alias INTEGER, map_run INTEGER,
  redrive_count INTEGER NOT NULL, redriven_at INTEGER
) STRICT;
CREATE UNIQUE INDEX executions_by_name ON executions (machine, name);
CREATE INDEX executions_by_machine ON executions (machine, status, started_at);
CREATE INDEX executions_by_version ON executions (version, status, started_at) WHERE version IS NOT NULL;
CREATE INDEX executions_by_alias ON executions (alias, status, started_at) WHERE alias IS NOT NULL;
CREATE INDEX executions_by_map_run ON executions (map_run, status, started_at) WHERE map_run IS NOT NULL;
CREATE INDEX executions_by_end ON executions (stopped_at) WHERE stopped_at IS NOT NULL;

CREATE TABLE open (
  execution INTEGER PRIMARY KEY, shard INTEGER NOT NULL, next_due INTEGER, hot INTEGER NOT NULL
) STRICT;
CREATE INDEX open_by_due ON open (shard, next_due) WHERE next_due IS NOT NULL;
CREATE INDEX open_by_hot ON open (execution) WHERE hot = 1;

CREATE TABLE log (
  id INTEGER PRIMARY KEY, execution INTEGER NOT NULL, seq INTEGER NOT NULL,
  first_event INTEGER NOT NULL, events INTEGER NOT NULL, records BLOB NOT NULL, payloads BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX log_by_execution ON log (execution, seq);

-- Executions that are gone, and whose chunks are still to go.
CREATE TABLE deleted (execution INTEGER PRIMARY KEY) STRICT;

-- activity: arns.id
CREATE TABLE activity_tasks (
  activity INTEGER NOT NULL, seq INTEGER NOT NULL, execution INTEGER NOT NULL, task INTEGER NOT NULL,
  scheduled_at INTEGER NOT NULL, claimed_until INTEGER,
  PRIMARY KEY (activity, seq)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX activity_tasks_by_id ON activity_tasks (execution, task);

CREATE TABLE inbox (
  shard INTEGER NOT NULL, seq INTEGER NOT NULL, execution INTEGER NOT NULL, input BLOB NOT NULL,
  PRIMARY KEY (shard, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE items (
  kind INTEGER NOT NULL, scope TEXT NOT NULL, name TEXT NOT NULL, created_at INTEGER NOT NULL,
  revision INTEGER NOT NULL, definition INTEGER, body BLOB NOT NULL,
  PRIMARY KEY (kind, scope, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX items_by_creation ON items (kind, scope, created_at, name);
CREATE INDEX items_by_definition ON items (definition) WHERE definition IS NOT NULL;
";

/// Each chunk has a checksum, see `sound.rs`; NULL in those that were written before.
const FORMAT_2: &str = "ALTER TABLE log ADD COLUMN checksum INTEGER;";
