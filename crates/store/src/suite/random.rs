//! Long random histories, done to the store under test and to [`MemoryStore`] side by side: every answer must be the same,
//! and everything that can be read must be the same at the end. What differs is shrunk to the shortest such history.
//!
//! Few keys, names and times, so that histories collide often. Numbers that a store makes itself (revisions, places in a
//! queue) may differ, and are compared by what they lead to. The run counts what happened and fails if something never
//! did: a test that no longer reaches a case says so.

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::{DAWN, Subject, runtime};
use crate::{
    ActivityTask, Changed, Chunk, Commit, EventRange, ExecutionKey, Expect, Fence, Inbox, Item, ItemChange, ItemKind,
    ListOf, ListQuery, Listing, ListingChange, MemoryStore, OpenChange, Outcome, Status, Store,
};

/// Histories in one run (`PROPTEST_CASES` sets another number), and operations in the longest of them.
const HISTORIES: u32 = 96;
const LONGEST: usize = 60;

const SHARDS: u16 = 2;
const NUMBERS: u64 = 6;
const ARNS: [&str; 3] = ["arn:a", "arn:b", "arn:c"];

#[derive(Clone, Debug)]
enum Operation {
    Acquire(u16),
    Commit(Vec<Turn>),
    Deliver(ExecutionKey, Vec<u8>),
    Claim {
        activity: usize,
        now: i64,
    },
    Items(Vec<Change>),
    PutDefinition(u8),
    DropDefinitions,
    DeleteEnded(i64),
    Secret(u8, u8),
    /// Close the store and open it again, if it is durable.
    Reopen,
}

#[derive(Clone, Debug)]
struct Turn {
    key: ExecutionKey,
    /// Its number, counted from the next free one: 0 lands, less collides.
    behind: u32,
    fence: FenceChoice,
    listing: ListingChoice,
    open: OpenChange,
    events: u32,
    bytes: usize,
    add: Vec<(usize, u64)>,
    remove: Vec<u64>,
    /// Places in the inbox as it is.
    consume: Vec<usize>,
}

#[derive(Clone, Copy, Debug)]
enum FenceChoice {
    Newest,
    Old,
    Foreign,
}

#[derive(Clone, Copy, Debug)]
enum ListingChoice {
    None,
    Start { machine: usize, name: u8, status: Status, marks: u8 },
    End(Status, i64),
    Redrive(u32, Option<i64>),
}

#[derive(Clone, Debug)]
struct Change {
    name: u8,
    put: Option<(u8, bool)>,
    expect: ExpectChoice,
}

#[derive(Clone, Copy, Debug)]
enum ExpectChoice {
    Absent,
    Current,
    Stale,
    Any,
}

/// Compare a store with the model in random histories.
pub fn random_histories(make: &dyn Fn() -> Subject) {
    let seen = RefCell::new(BTreeMap::new());
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let config = Config { cases: cases.unwrap_or(HISTORIES), failure_persistence: None, ..Config::default() };
    let runtime = runtime();
    let outcome = TestRunner::new(config).run(&prop::collection::vec(operation(), 1..LONGEST), |operations| {
        let subject = make();
        let store = (subject.open)();
        let mut pair =
            Pair { subject, store: Some(store), model: MemoryStore::new(), fences: BTreeMap::new(), seen: &seen };
        runtime.block_on(pair.live(operations))
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    let seen = seen.into_inner();
    for needed in [
        "committed",
        "name taken",
        "seq taken",
        "fenced",
        "claimed",
        "nothing to claim",
        "changed",
        "conflict",
        "consumed",
        "definition dropped",
        "execution deleted",
        "listed",
        "task listed",
    ] {
        assert!(seen.contains_key(needed), "never happened: {needed} ({seen:?})");
    }
}

struct Pair<'a> {
    subject: Subject,
    store: Option<Box<dyn Store>>,
    model: MemoryStore,
    /// All fences that were given, the newest last: the store's and the model's.
    fences: BTreeMap<u16, Vec<(Fence, Fence)>>,
    seen: &'a RefCell<BTreeMap<&'static str, usize>>,
}

/// Ask both and compare the answers.
macro_rules! same {
    ($pair:expr, $store:ident => $ask:expr) => {{
        let (ours, theirs) = both!($pair, $store => $ask);
        prop_assert_eq!(&ours, &theirs, "the store is left, the model is right");
        ours
    }};
}

macro_rules! both {
    ($pair:expr, $store:ident => $ask:expr) => {{
        let ours = {
            let $store = $pair.store();
            $ask
        };
        let theirs = {
            let $store: &dyn Store = &$pair.model;
            $ask
        };
        (ours, theirs)
    }};
}

type Test<T = ()> = Result<T, TestCaseError>;

impl Pair<'_> {
    fn store(&self) -> &dyn Store {
        self.store.as_deref().expect("the store is open")
    }

    fn saw(&self, what: &'static str) {
        *self.seen.borrow_mut().entry(what).or_default() += 1;
    }

    async fn live(&mut self, operations: Vec<Operation>) -> Test {
        for shard in 0..SHARDS {
            self.acquire(shard).await?;
        }
        for operation in operations {
            self.act(operation).await?;
        }
        self.compare().await
    }

    async fn act(&mut self, operation: Operation) -> Test {
        match operation {
            Operation::Acquire(shard) => self.acquire(shard).await?,
            Operation::Commit(turns) => self.commit(turns).await?,
            Operation::Deliver(key, input) => {
                let _ = same!(self, store => store.deliver(key.shard, input.clone(), key).await);
            }
            Operation::Claim { activity, now } => {
                let activity = ARNS[activity];
                let claimed = same!(self, store => store.claim_activity(activity, now, now + 3).await);
                self.saw(match claimed {
                    Ok(Some(_)) => "claimed",
                    _ => "nothing to claim",
                });
            }
            Operation::Items(changes) => self.change(changes).await?,
            Operation::PutDefinition(byte) => {
                let text = format!("definition {byte}");
                let _ = same!(self, store => store.put_definition([byte; 32], &text).await);
            }
            Operation::DropDefinitions => {
                let (ours, theirs) = both!(self, store => store.drop_unused_definitions().await);
                prop_assert!(ours.is_ok());
                if theirs.is_ok_and(|dropped| dropped > 0) {
                    self.saw("definition dropped");
                }
            }
            Operation::DeleteEnded(before) => {
                // Stores may take different steps to the same end.
                while self.store().delete_ended(before, 2).await.expect("delete") > 0 {}
                let gone = self.model.delete_ended(before, usize::MAX).await;
                if gone.is_ok_and(|gone| gone > 0) {
                    self.saw("execution deleted");
                }
            }
            Operation::Secret(name, make) => {
                let _ = same!(self, store => store.secret(&name.to_string(), &[make]).await);
            }
            Operation::Reopen => {
                if self.subject.durable {
                    self.store = None;
                    self.store = Some((self.subject.open)());
                }
            }
        }
        Ok(())
    }

    async fn acquire(&mut self, shard: u16) -> Test {
        let (ours, theirs) = both!(self, store => store.acquire(shard, "random").await);
        let (Ok(Some(ours)), Ok(Some(theirs))) = (ours, theirs) else {
            return Err(TestCaseError::fail("a shard was not given"));
        };
        self.fences.entry(shard).or_default().push((ours, theirs));
        Ok(())
    }

    fn fence(&self, turn: &Turn) -> (Fence, Fence) {
        let newest = |shard: u16| *self.fences[&shard].last().expect("taken at the beginning");
        match turn.fence {
            FenceChoice::Newest => newest(turn.key.shard),
            FenceChoice::Old => self.fences[&turn.key.shard][0],
            FenceChoice::Foreign => newest((turn.key.shard + 1) % SHARDS),
        }
    }

    async fn commit(&mut self, turns: Vec<Turn>) -> Test {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        // The next number of each execution's log, if all turns of this call land.
        let mut ends: BTreeMap<ExecutionKey, u32> = BTreeMap::new();
        for turn in &turns {
            let (our_fence, their_fence) = self.fence(turn);
            let end = match ends.get(&turn.key) {
                Some(end) => *end,
                None => self.end(turn.key).await?,
            };
            let commit = turn.commit(end);
            if turn.behind == 0 {
                ends.insert(turn.key, commit.seq + 1);
            }
            let (our_news, their_news) = both!(self, store => store.take_inbox(&our_fence, 99).await.expect("inbox"));
            let (mut our_commit, mut their_commit) = (commit.clone(), commit);
            for place in &turn.consume {
                if let (Some(ours), Some(theirs)) = (our_news.get(*place), their_news.get(*place)) {
                    our_commit.consumed_inbox.push(ours.seq);
                    their_commit.consumed_inbox.push(theirs.seq);
                    self.saw("consumed");
                }
            }
            ours.push((our_fence, our_commit));
            theirs.push((their_fence, their_commit));
        }
        let ours = self.store().commit(ours).await;
        let theirs = self.model.commit(theirs).await;
        prop_assert_eq!(&ours, &theirs);
        for outcome in ours.unwrap_or_default() {
            self.saw(match outcome {
                Outcome::Committed => "committed",
                Outcome::NameTaken(_) => "name taken",
                Outcome::SeqTaken => "seq taken",
                Outcome::Fenced => "fenced",
                Outcome::Gone => "gone",
            });
        }
        Ok(())
    }

    /// The next free number of a log.
    async fn end(&self, key: ExecutionKey) -> Test<u32> {
        let ends = same!(self, store => store.load_ends(key).await);
        Ok(ends.expect("ends").pop().map_or(0, |last| last.seq + 1))
    }

    async fn change(&mut self, changes: Vec<Change>) -> Test {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for change in &changes {
            let (our_item, their_item) = both!(self, store => {
                let found = store.item(ItemKind::Machine, "scope", &change.name.to_string()).await;
                found.expect("item")
            });
            prop_assert_eq!(our_item.as_ref().map(|(item, _)| item), their_item.as_ref().map(|(item, _)| item));
            ours.push(change.item_change(our_item.map(|(_, revision)| revision)));
            theirs.push(change.item_change(their_item.map(|(_, revision)| revision)));
        }
        let texts = vec![([9; 32], "with an item".to_owned())];
        let ours = self.store().change_items(ours, texts.clone()).await;
        let theirs = self.model.change_items(theirs, texts).await;
        let told = |changed: Changed| match changed {
            Changed::Done(revisions) => {
                let kinds: Vec<bool> = revisions.iter().map(|revision| *revision > 0).collect();
                (kinds, None)
            }
            Changed::Conflict { index, existing } => {
                let existing = existing.map(|(item, _)| item);
                (Vec::new(), Some((index, existing)))
            }
        };
        let (ours, theirs) = (ours.map(told), theirs.map(told));
        prop_assert_eq!(&ours, &theirs);
        let is_conflict = ours.is_ok_and(|(_, conflict)| conflict.is_some());
        self.saw(if is_conflict { "conflict" } else { "changed" });
        Ok(())
    }

    /// Read everything that can be read.
    async fn compare(&self) -> Test {
        for shard in 0..SHARDS {
            for number in 0..=NUMBERS {
                self.compare_execution(ExecutionKey { shard, number }).await?;
            }
            self.compare_shard(shard).await?;
        }
        for arn in ARNS {
            self.compare_lists(arn).await?;
            let (ours, theirs) = both!(self, store => {
                let tasks = store.activity_tasks(arn, None, 99).await.expect("tasks");
                tasks.into_iter().map(|(_, task)| task).collect::<Vec<_>>()
            });
            prop_assert_eq!(&ours, &theirs);
            if !ours.is_empty() {
                self.saw("task listed");
            }
        }
        let _ = same!(self, store => store.activities_waiting().await);
        for byte in 0..10 {
            let _ = same!(self, store => store.definition([byte; 32]).await);
        }
        let (ours, theirs) = both!(self, store => {
            let by_name = store.items(ItemKind::Machine, "scope", None, 99).await.expect("items");
            let newest = store.items_newest(ItemKind::Machine, "scope", None, 99).await.expect("items");
            let both = by_name.items.into_iter().chain(newest.items);
            both.map(|(item, _)| item).collect::<Vec<_>>()
        });
        prop_assert_eq!(ours, theirs);
        Ok(())
    }

    async fn compare_execution(&self, key: ExecutionKey) -> Test {
        let _ = same!(self, store => store.listing(key).await);
        for from in [0, 2] {
            let _ = same!(self, store => store.load(key, from).await);
        }
        let _ = same!(self, store => store.load_seqs(key, &[3, 0]).await);
        for (first, last) in [(1, 14), (11, 11), (20, 999)] {
            for newest_first in [false, true] {
                let range = EventRange { first, last, newest_first, max_bytes: 200 };
                let _ = same!(self, store => store.load_events(key, range).await);
            }
        }
        Ok(())
    }

    async fn compare_shard(&self, shard: u16) -> Test {
        let (fence, _) = *self.fences[&shard].last().expect("taken at the beginning");
        for (until, limit) in [(DAWN + 5, 99), (i64::MAX, 2), (i64::MAX, 99)] {
            let _ = same!(self, store => store.due(&fence, until, limit).await);
        }
        let _ = same!(self, store => store.next_due(&fence).await);
        let middle = ExecutionKey { shard, number: 3 };
        for after in [None, Some(middle)] {
            let _ = same!(self, store => store.hot(&fence, after, 99).await);
        }
        let _ = same!(self, store => store.last_number(&fence).await);
        let (ours, theirs) = both!(self, store => {
            let news = store.take_inbox(&fence, 99).await.expect("inbox");
            news.into_iter().map(|news| Inbox { seq: 0, ..news }).collect::<Vec<_>>()
        });
        prop_assert_eq!(ours, theirs);
        Ok(())
    }

    async fn compare_lists(&self, arn: &str) -> Test {
        let arn = arn.to_owned();
        let _ = same!(self, store => store.has_running(&arn).await);
        for name in 0..4u8 {
            let _ = same!(self, store => store.find(&arn, &name.to_string()).await);
        }
        for of in [
            ListOf::Machine(arn.clone()),
            ListOf::Version(arn.clone()),
            ListOf::Alias(arn.clone()),
            ListOf::MapRun(arn.clone()),
        ] {
            for (status, redriven) in
                [(None, None), (None, Some(true)), (Some(Status::Failed), None), (Some(Status::Running), Some(false))]
            {
                let query = ListQuery { of: of.clone(), status, redriven };
                let mut after = None;
                for _ in 0..=2 * NUMBERS {
                    let page = same!(self, store => store.list(&query, after, 2).await);
                    let page = page.expect("list");
                    after = page.items.last().map(Listing::position);
                    if after.is_some() {
                        self.saw("listed");
                    }
                    if !page.more {
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Turn {
    fn commit(&self, next_seq: u32) -> Commit {
        let seq = next_seq.saturating_sub(self.behind);
        let chunk = Chunk {
            // Numbers grow with the chunks even where a refused turn has left a gap.
            first_event: 1 + 10 * u64::from(seq),
            events: self.events,
            records: vec![seq as u8; self.bytes],
            payloads: vec![0xee; self.bytes / 3],
        };
        let mut commit = Commit::new(self.key, seq, chunk);
        let started_at = DAWN + i64::try_from(self.key.number / 2).unwrap_or_default();
        commit.listing = match self.listing {
            ListingChoice::None => None,
            ListingChoice::Start { machine, name, status, marks } => {
                let mark = |bit: u8| (marks & bit != 0).then(|| ARNS[usize::from(bit) % 3].to_owned());
                Some(ListingChange::Start(Listing {
                    key: self.key,
                    machine: ARNS[machine].to_owned(),
                    name: name.to_string(),
                    status,
                    started_at,
                    stopped_at: (status != Status::Running).then_some(started_at + 1),
                    version: mark(1),
                    alias: mark(2),
                    map_run: mark(4),
                    definition: [marks; 32],
                    redrive_count: 0,
                    redriven_at: None,
                }))
            }
            ListingChoice::End(status, after) => Some(ListingChange::End { status, stopped_at: DAWN + after }),
            ListingChoice::Redrive(redrive_count, ended) => Some(ListingChange::Redrive {
                status: ended.map_or(Status::Running, |_| Status::Failed),
                stopped_at: ended.map(|after| DAWN + after),
                redrive_count,
                redriven_at: DAWN + 9,
            }),
        };
        commit.open = self.open;
        commit.add_tasks = self
            .add
            .iter()
            .map(|(activity, task)| ActivityTask {
                activity: ARNS[*activity].to_owned(),
                key: self.key,
                task: *task,
                scheduled_at: DAWN,
            })
            .collect();
        commit.remove_tasks =
            self.remove.iter().map(|task| crate::ActivityTaskId { key: self.key, task: *task }).collect();
        commit
    }
}

impl Change {
    fn item_change(&self, current: Option<u64>) -> ItemChange {
        let expect = match self.expect {
            ExpectChoice::Absent => Expect::Absent,
            ExpectChoice::Current => current.map_or(Expect::Absent, Expect::Revision),
            ExpectChoice::Stale => Expect::Revision(u64::MAX >> 2),
            ExpectChoice::Any => Expect::Any,
        };
        let (scope, name) = ("scope".to_owned(), self.name.to_string());
        match self.put {
            Some((body, with_definition)) => ItemChange::Put {
                item: Item {
                    kind: ItemKind::Machine,
                    scope,
                    name,
                    created_at: DAWN + i64::from(body / 2),
                    body: vec![body],
                    definition: with_definition.then_some([body; 32]),
                },
                expect,
            },
            None => ItemChange::Delete { kind: ItemKind::Machine, scope, name, expect },
        }
    }
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        1 => (0..SHARDS).prop_map(Operation::Acquire),
        12 => prop::collection::vec(turn(), 1..4).prop_map(Operation::Commit),
        2 => (key(), prop::collection::vec(any::<u8>(), 0..4))
            .prop_map(|(key, input)| Operation::Deliver(key, input)),
        2 => (0..ARNS.len(), 0..9i64).prop_map(|(activity, now)| Operation::Claim { activity, now }),
        3 => prop::collection::vec(change(), 1..4).prop_map(Operation::Items),
        1 => (0..10u8).prop_map(Operation::PutDefinition),
        1 => Just(Operation::DropDefinitions),
        1 => (0..9i64).prop_map(|after| Operation::DeleteEnded(DAWN + after)),
        1 => (0..2u8, any::<u8>()).prop_map(|(name, make)| Operation::Secret(name, make)),
        1 => Just(Operation::Reopen),
    ]
}

fn key() -> impl Strategy<Value = ExecutionKey> {
    (0..SHARDS, 1..=NUMBERS).prop_map(|(shard, number)| ExecutionKey { shard, number })
}

fn turn() -> impl Strategy<Value = Turn> {
    let open = prop_oneof![
        2 => Just(OpenChange::Keep),
        3 => (prop::option::of(DAWN..DAWN + 9), any::<bool>())
            .prop_map(|(next_due, hot)| OpenChange::Set { next_due, hot }),
        2 => Just(OpenChange::Delete),
    ];
    let fence = prop_oneof![
        18 => Just(FenceChoice::Newest),
        1 => Just(FenceChoice::Old),
        1 => Just(FenceChoice::Foreign),
    ];
    let listing = prop_oneof![
        2 => Just(ListingChoice::None),
        4 => (0..ARNS.len(), 0..4u8, status(), 0..8u8).prop_map(|(machine, name, status, marks)| {
            ListingChoice::Start { machine, name, status, marks }
        }),
        2 => (status(), 0..9i64).prop_map(|(status, after)| ListingChoice::End(status, after)),
        1 => (1..3u32, prop::option::of(0..9i64)).prop_map(|(count, ended)| ListingChoice::Redrive(count, ended)),
    ];
    let behind = prop_oneof![9 => Just(0u32), 1 => 1..3u32];
    let bytes = prop_oneof![6 => 0..40usize, 1 => 1000..30_000usize];
    let tasks = (
        prop::collection::vec((0..ARNS.len(), 0..4u64), 0..3),
        prop::collection::vec(0..4u64, 0..2),
        prop::collection::vec(0..2usize, 0..2),
    );
    (key(), behind, fence, listing, open, 0..4u32, bytes, tasks).prop_map(
        |(key, behind, fence, listing, open, events, bytes, (add, remove, consume))| Turn {
            key,
            behind,
            fence,
            listing,
            open,
            events,
            bytes,
            add,
            remove,
            consume,
        },
    )
}

fn status() -> impl Strategy<Value = Status> {
    prop::sample::select(Status::ALL.to_vec())
}

fn change() -> impl Strategy<Value = Change> {
    let expect = prop::sample::select(vec![
        ExpectChoice::Absent,
        ExpectChoice::Current,
        ExpectChoice::Current,
        ExpectChoice::Stale,
        ExpectChoice::Any,
        ExpectChoice::Any,
    ]);
    let put = prop::option::weighted(0.7, (0..10u8, any::<bool>()));
    (0..4u8, put, expect).prop_map(|(name, put, expect)| Change { name, put, expect })
}
