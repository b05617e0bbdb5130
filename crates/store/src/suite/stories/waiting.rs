//! What waits is found without loading an execution: due times, hot executions, news, activity tasks.

use crate::suite::{DAWN, chunk, key, landed, own};
use crate::{ActivityTask, Commit, ExecutionKey, Fence, OpenChange, Store};

type Subject = Box<dyn Store>;

const PACK: &str = "arn:aws:states:us-east-1:000000000000:activity:pack";

async fn set(store: &dyn Store, fence: Fence, number: u64, seq: u32, open: OpenChange) {
    let of = ExecutionKey { shard: fence.shard, number };
    let mut commit = Commit::new(of, seq, chunk(1 + u64::from(seq), 1, "turn"));
    commit.open = open;
    landed(store, fence, commit).await;
}

fn due_at(at: i64) -> OpenChange {
    OpenChange::Set { next_due: Some(at), hot: false }
}

fn task(number: u64, task: u64) -> ActivityTask {
    ActivityTask { activity: PACK.to_owned(), key: key(number), task, scheduled_at: DAWN + 5 }
}

async fn add(store: &dyn Store, fence: Fence, seq: u32, tasks: &[ActivityTask]) {
    let mut commit = Commit::new(key(1), seq, chunk(1 + u64::from(seq), 1, "add"));
    commit.add_tasks = tasks.to_vec();
    landed(store, fence, commit).await;
}

pub async fn what_is_due_comes_in_order(store: Subject) {
    let store = &*store;
    let fence = own(store, 0).await;
    assert_eq!(store.next_due(&fence).await, Ok(None));
    for (number, at) in [(1, DAWN + 30), (2, DAWN + 10), (3, DAWN + 20), (4, -5)] {
        set(store, fence, number, 0, due_at(at)).await;
    }
    assert_eq!(store.next_due(&fence).await, Ok(Some(-5)));
    let due = store.due(&fence, DAWN + 20, 9).await;
    let (second, third) = ((key(2), DAWN + 10), (key(3), DAWN + 20));
    assert_eq!(due, Ok(vec![(key(4), -5), second, third]));
    let due = store.due(&fence, i64::MAX, 2).await;
    assert_eq!(due, Ok(vec![(key(4), -5), second]));
    // A later turn moves it, keeps it, or takes it away.
    set(store, fence, 4, 1, due_at(DAWN + 40)).await;
    set(store, fence, 2, 1, OpenChange::Keep).await;
    set(store, fence, 3, 1, OpenChange::Delete).await;
    let due = store.due(&fence, i64::MAX, 9).await;
    let expected = vec![second, (key(1), DAWN + 30), (key(4), DAWN + 40)];
    assert_eq!(due, Ok(expected));
    assert_eq!(store.next_due(&fence).await, Ok(Some(DAWN + 10)));
}

pub async fn what_is_hot_is_found(store: Subject) {
    let store = &*store;
    let fence = own(store, 0).await;
    for number in 1..=9 {
        let open = OpenChange::Set { next_due: (number % 2 == 0).then_some(DAWN), hot: number % 3 != 0 };
        set(store, fence, number, 0, open).await;
    }
    let all: Vec<_> = [1, 2, 4, 5, 7, 8].map(key).into();
    assert_eq!(store.hot(&fence, None, 99).await, Ok(all.clone()));
    assert_eq!(store.hot(&fence, None, 2).await, Ok(all[..2].to_vec()));
    let rest = store.hot(&fence, Some(key(2)), 99).await;
    assert_eq!(rest, Ok(all[2..].to_vec()));
    let rest = store.hot(&fence, Some(key(3)), 2).await;
    assert_eq!(rest, Ok(all[2..4].to_vec()));
    // Cooled down, it stays due.
    set(store, fence, 2, 1, due_at(DAWN)).await;
    let hot = store.hot(&fence, None, 99).await.expect("hot");
    assert!(!hot.contains(&key(2)));
    let due = store.due(&fence, DAWN, 99).await.expect("due");
    assert!(due.contains(&(key(2), DAWN)));
}

pub async fn what_only_waits_to_be_called_has_no_row(store: Subject) {
    let store = &*store;
    let fence = own(store, 0).await;
    let hot = OpenChange::Set { next_due: Some(DAWN), hot: true };
    set(store, fence, 1, 0, hot).await;
    let cold = OpenChange::Set { next_due: None, hot: false };
    set(store, fence, 1, 1, cold).await;
    assert_eq!(store.hot(&fence, None, 9).await, Ok(vec![]));
    assert_eq!(store.next_due(&fence).await, Ok(None));
    assert_eq!(store.due(&fence, i64::MAX, 9).await, Ok(vec![]));
}

pub async fn shards_are_apart(store: Subject) {
    let store = &*store;
    let fences = [own(store, 0).await, own(store, 1).await, own(store, 7).await];
    for (fence, at) in fences.iter().zip([30, 10, 20]) {
        let open = OpenChange::Set { next_due: Some(at), hot: true };
        let number = 100 - u64::from(fence.shard);
        set(store, *fence, number, 0, open).await;
    }
    for (fence, at) in fences.iter().zip([30, 10, 20]) {
        let only = ExecutionKey { shard: fence.shard, number: 100 - u64::from(fence.shard) };
        assert_eq!(store.due(fence, 99, 9).await, Ok(vec![(only, at)]));
        assert_eq!(store.next_due(fence).await, Ok(Some(at)));
        assert_eq!(store.hot(fence, None, 9).await, Ok(vec![only]));
        assert_eq!(store.last_number(fence).await, Ok(only.number));
    }
    let empty = own(store, 3).await;
    assert_eq!(store.last_number(&empty).await, Ok(0));
    assert_eq!(store.due(&empty, 99, 9).await, Ok(vec![]));
}

pub async fn news_stays_until_it_is_consumed(store: Subject) {
    let store = &*store;
    let fence = own(store, 0).await;
    let other = own(store, 1).await;
    for text in ["one", "two", "three"] {
        let delivered = store.deliver(0, text.into(), key(4)).await;
        assert_eq!(delivered, Ok(()));
    }
    let elsewhere = ExecutionKey { shard: 1, number: 9 };
    let delivered = store.deliver(1, vec![0, 255], elsewhere).await;
    assert_eq!(delivered, Ok(()));

    let news = store.take_inbox(&fence, 9).await.expect("inbox");
    let texts: Vec<&[u8]> = news.iter().map(|news| &*news.input).collect();
    assert_eq!(texts, [&b"one"[..], b"two", b"three"]);
    assert!(news.iter().all(|news| news.execution == key(4)));
    assert!(news.is_sorted_by_key(|news| news.seq));
    assert_eq!(store.take_inbox(&fence, 2).await, Ok(news[..2].to_vec()));

    let mut commit = Commit::new(key(4), 0, chunk(1, 1, "took"));
    commit.consumed_inbox = vec![news[0].seq, news[2].seq];
    // A refused turn consumes nothing.
    let stale = Fence { shard: 0, epoch: 0 };
    let refused = store.commit(vec![(stale, commit.clone())]).await;
    assert!(refused.is_ok());
    assert_eq!(store.take_inbox(&fence, 9).await, Ok(news.clone()));
    landed(store, fence, commit).await;
    let left = store.take_inbox(&fence, 9).await;
    assert_eq!(left, Ok(vec![news[1].clone()]));
    let foreign = store.take_inbox(&other, 9).await.expect("inbox");
    assert_eq!(foreign.len(), 1);
    assert_eq!(foreign[0].execution, elsewhere);
}

pub async fn activity_tasks_come_in_order(store: Subject) {
    let store = &*store;
    let fence = own(store, 0).await;
    assert_eq!(store.activity_tasks(PACK, None, 9).await, Ok(vec![]));
    assert_eq!(store.activities_waiting().await, Ok(vec![]));
    let tasks = [task(1, 7), task(1, 3), task(2, 3)];
    let mut other = task(1, 9);
    other.activity = "arn:a".to_owned();
    add(store, fence, 0, &tasks).await;
    add(store, fence, 1, &[other.clone()]).await;
    // What is there already is not added twice.
    add(store, fence, 2, &[task(2, 3)]).await;

    let found = store.activity_tasks(PACK, None, 9).await.expect("tasks");
    let (seqs, found): (Vec<u64>, Vec<ActivityTask>) = found.into_iter().unzip();
    assert_eq!(found, tasks);
    assert!(seqs.is_sorted_by(|one, next| one < next));
    let rest = store.activity_tasks(PACK, Some(seqs[0]), 1).await;
    assert_eq!(rest, Ok(vec![(seqs[1], tasks[1].clone())]));
    let rest = store.activity_tasks(PACK, Some(u64::MAX), 1).await;
    assert_eq!(rest, Ok(vec![]));
    let waiting = store.activities_waiting().await;
    assert_eq!(waiting, Ok(vec!["arn:a".to_owned(), PACK.to_owned()]));

    let mut commit = Commit::new(key(1), 3, chunk(9, 1, "done"));
    commit.remove_tasks = vec![tasks[0].id(), other.id(), task(9, 9).id()];
    landed(store, fence, commit).await;
    let left = store.activity_tasks(PACK, None, 9).await.expect("tasks");
    let left: Vec<ActivityTask> = left.into_iter().map(|(_, task)| task).collect();
    assert_eq!(left, tasks[1..]);
    assert_eq!(store.activities_waiting().await, Ok(vec![PACK.to_owned()]));
}

pub async fn a_claim_runs_out(store: Subject) {
    let store = &*store;
    let fence = own(store, 0).await;
    let (first, second) = (task(1, 7), task(1, 8));
    add(store, fence, 0, &[first.clone(), second.clone()]).await;
    let claim = async |now| {
        let claimed = store.claim_activity(PACK, now, now + 10).await;
        claimed.expect("claim")
    };
    assert_eq!(claim(100).await, Some(first.clone()));
    assert_eq!(claim(101).await, Some(second.clone()));
    assert_eq!(claim(109).await, None);
    assert_eq!(claim(110).await, Some(first.clone()));
    // A claimed task is still listed, until the turn that hands it out removes it.
    let listed = store.activity_tasks(PACK, None, 9).await.expect("tasks");
    assert_eq!(listed.len(), 2);
    let mut commit = Commit::new(key(1), 1, chunk(9, 1, "handed out"));
    commit.remove_tasks = vec![second.id()];
    landed(store, fence, commit).await;
    assert_eq!(claim(111).await, None);
    assert_eq!(claim(120).await, Some(first));
    assert_eq!(store.claim_activity("unknown", 0, 9).await, Ok(None));
}

pub async fn claims_are_given_once(store: Subject) {
    let fence = own(&*store, 0).await;
    let tasks: Vec<ActivityTask> = (1..=40).map(|number| task(number, 1)).collect();
    add(&*store, fence, 0, &tasks).await;
    let store: std::sync::Arc<dyn Store> = store.into();
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut claimed = Vec::new();
                while let Some(task) = store.claim_activity(PACK, 0, 1).await.expect("claim") {
                    claimed.push(task);
                }
                claimed
            })
        })
        .collect();
    let mut claimed = Vec::new();
    for worker in workers {
        claimed.extend(worker.await.expect("no panic"));
    }
    claimed.sort_by_key(ActivityTask::id);
    assert_eq!(claimed, tasks);
}
