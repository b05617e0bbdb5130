//! Items change only as their writer expects; definitions and secrets are kept once.

use crate::suite::{DAWN, MACHINE, key, landed, listing, own, start};
use crate::{Changed, Expect, Item, ItemChange, ItemKind, Put, Removed, Store};

type Subject = Box<dyn Store>;

const SCOPE: &str = "000000000000/us-east-1";

fn item(name: &str, body: &str) -> Item {
    Item {
        kind: ItemKind::Machine,
        scope: SCOPE.to_owned(),
        name: name.to_owned(),
        created_at: DAWN,
        body: body.as_bytes().to_vec(),
        definition: None,
    }
}

async fn put(store: &dyn Store, item: Item, expect: Expect) -> Put {
    let put = store.put_item(item, expect, Vec::new()).await;
    put.expect("put")
}

async fn revision(store: &dyn Store, item: Item, expect: Expect) -> u64 {
    match put(store, item, expect).await {
        Put::Done { revision } => revision,
        conflict => panic!("{conflict:?}"),
    }
}

pub async fn an_item_is_put_and_found(store: Subject) {
    let store = &*store;
    let orders = item("orders", "body");
    let revision = revision(store, orders.clone(), Expect::Absent).await;
    let found = store.item(ItemKind::Machine, SCOPE, "orders").await;
    assert_eq!(found, Ok(Some((orders, revision))));
    for (kind, scope, name) in [
        (ItemKind::Alias, SCOPE, "orders"),
        (ItemKind::Machine, "another", "orders"),
        (ItemKind::Machine, SCOPE, "Orders"),
    ] {
        assert_eq!(store.item(kind, scope, name).await, Ok(None));
    }
    for kind in ItemKind::ALL {
        let other = Item { kind, ..item("", "the empty name") };
        let put = put(store, other.clone(), Expect::Absent).await;
        assert!(matches!(put, Put::Done { .. }), "{kind:?}");
        let found = store.item(kind, SCOPE, "").await.expect("item");
        assert_eq!(found.expect("it is there").0, other);
    }
}

pub async fn expectations_are_kept(store: Subject) {
    let store = &*store;
    let (one, two) = (item("orders", "one"), item("orders", "two"));
    let expected = Expect::Revision(1 << 40);
    assert_eq!(put(store, one.clone(), expected).await, Put::Conflict(None));
    let first = revision(store, one.clone(), Expect::Absent).await;
    let conflict = Put::Conflict(Some((one.clone(), first)));
    assert_eq!(put(store, two.clone(), Expect::Absent).await, conflict);
    let stale = Expect::Revision(first + 1);
    assert_eq!(put(store, two.clone(), stale).await, conflict);
    let second = revision(store, two.clone(), Expect::Revision(first)).await;
    assert!(second > first);
    let third = revision(store, one.clone(), Expect::Any).await;
    assert!(third > second);

    let delete = async |expect| {
        let removed = store.delete_item(ItemKind::Machine, SCOPE, "orders", expect);
        removed.await.expect("delete")
    };
    let stale = delete(Expect::Revision(second)).await;
    assert_eq!(stale, Removed::Conflict((one.clone(), third)));
    assert_eq!(delete(Expect::Revision(third)).await, Removed::Done);
    assert_eq!(delete(Expect::Any).await, Removed::Absent);
    assert_eq!(delete(Expect::Revision(third)).await, Removed::Absent);
    // What is made anew has a revision that was never seen.
    let fourth = revision(store, one, Expect::Absent).await;
    assert!(fourth > third);
    assert_eq!(delete(Expect::Any).await, Removed::Done);
    let found = store.item(ItemKind::Machine, SCOPE, "orders").await;
    assert_eq!(found, Ok(None));
}

pub async fn changes_are_made_together_or_not_at_all(store: Subject) {
    let store = &*store;
    let a = revision(store, item("a", "one"), Expect::Absent).await;
    let change = |name: &str, body: &str, expect| ItemChange::Put { item: item(name, body), expect };
    let delete = |name: &str, expect| ItemChange::Delete {
        kind: ItemKind::Machine,
        scope: SCOPE.to_owned(),
        name: name.to_owned(),
        expect,
    };
    let refused = store
        .change_items(
            vec![
                change("b", "new", Expect::Absent),
                change("a", "two", Expect::Any),
                delete("a", Expect::Revision(a)),
                change("c", "new", Expect::Absent),
            ],
            vec![([3; 32], "{}".to_owned())],
        )
        .await;
    // The third sees the second, which has changed the revision.
    match refused.expect("change") {
        Changed::Conflict { index: 2, existing: Some((existing, revision)) } => {
            assert_eq!(existing, item("a", "two"));
            assert!(revision > a);
        }
        other => panic!("{other:?}"),
    }
    let found = store.item(ItemKind::Machine, SCOPE, "a").await;
    assert_eq!(found, Ok(Some((item("a", "one"), a))));
    assert_eq!(store.item(ItemKind::Machine, SCOPE, "b").await, Ok(None));
    assert_eq!(store.definition([3; 32]).await, Ok(None));

    let done = store
        .change_items(
            vec![change("b", "new", Expect::Absent), delete("a", Expect::Revision(a)), delete("nothing", Expect::Any)],
            vec![([3; 32], "{}".to_owned())],
        )
        .await;
    match done.expect("change") {
        Changed::Done(revisions) => {
            assert_eq!(revisions[1..], [a, 0]);
            let found = store.item(ItemKind::Machine, SCOPE, "b").await;
            assert_eq!(found, Ok(Some((item("b", "new"), revisions[0]))));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(store.item(ItemKind::Machine, SCOPE, "a").await, Ok(None));
    let definition = store.definition([3; 32]).await;
    assert_eq!(definition, Ok(Some("{}".to_owned())));
}

pub async fn items_are_listed_by_name_and_by_creation(store: Subject) {
    let store = &*store;
    for (name, age) in [("b", 1), ("B", 5), ("a", 3), ("é", 2), ("c", 3), ("", 9)] {
        let item = Item { created_at: DAWN - age, ..item(name, "body") };
        revision(store, item, Expect::Absent).await;
    }
    let elsewhere = Item { scope: "another".to_owned(), ..item("bb", "body") };
    revision(store, elsewhere, Expect::Absent).await;

    let by_name = ["", "B", "a", "b", "c", "é"];
    let newest = ["b", "é", "c", "a", "B", ""];
    for limit in 1..=7 {
        let (mut names, mut after) = (Vec::new(), None);
        loop {
            let page = store.items(ItemKind::Machine, SCOPE, after, limit).await;
            let page = page.expect("items");
            assert!(page.items.len() == limit || !page.more);
            names.extend(page.items.iter().map(|(item, _)| item.name.clone()));
            after = names.last().cloned();
            if !page.more {
                break;
            }
        }
        assert_eq!(names, by_name, "pages of {limit}");

        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = store.items_newest(ItemKind::Machine, SCOPE, after, limit).await.expect("items");
            after = page.items.last().map(|(item, _)| (item.created_at, item.name.clone()));
            found.extend(page.items.into_iter().map(|(item, _)| item.name));
            if !page.more {
                break;
            }
        }
        assert_eq!(found, newest, "pages of {limit}, newest first");
    }
    let none = store.items(ItemKind::Alias, SCOPE, None, 5).await;
    assert_eq!(none.expect("items").items, []);
}

pub async fn definitions_are_kept_once(store: Subject) {
    let store = &*store;
    assert_eq!(store.definition([1; 32]).await, Ok(None));
    // An execution may name what comes later.
    let fence = own(store, 0).await;
    landed(store, fence, start(listing(key(1), MACHINE, "one"))).await;
    assert_eq!(store.definition([1; 32]).await, Ok(None));
    let text = "{\"StartAt\": \"ä\"}".repeat(60_000);
    assert_eq!(store.put_definition([1; 32], &text).await, Ok(()));
    assert_eq!(store.put_definition([1; 32], "other").await, Ok(()));
    assert_eq!(store.definition([1; 32]).await, Ok(Some(text)));
    assert_eq!(store.put_definition([2; 32], "").await, Ok(()));
    let empty = store.definition([2; 32]).await;
    assert_eq!(empty, Ok(Some(String::new())));
}

pub async fn unused_definitions_go(store: Subject) {
    let store = &*store;
    let fence = own(store, 0).await;
    // 1 by an execution, 2 by an item, 3 by nobody, 4 by an item until it is deleted.
    for byte in 1..=4 {
        let put = store.put_definition([byte; 32], "{}").await;
        assert_eq!(put, Ok(()));
    }
    landed(store, fence, start(listing(key(1), MACHINE, "one"))).await;
    for (name, byte) in [("two", 2), ("four", 4)] {
        let item = Item { definition: Some([byte; 32]), ..item(name, "body") };
        revision(store, item, Expect::Absent).await;
    }
    assert_eq!(store.drop_unused_definitions().await, Ok(1));
    let kept = async |store: &dyn Store| {
        let mut kept = Vec::new();
        for byte in 1..=4 {
            if store.definition([byte; 32]).await.expect("read").is_some() {
                kept.push(byte);
            }
        }
        kept
    };
    assert_eq!(kept(store).await, [1, 2, 4]);
    let removed = store.delete_item(ItemKind::Machine, SCOPE, "four", Expect::Any).await;
    assert_eq!(removed, Ok(Removed::Done));
    assert_eq!(store.drop_unused_definitions().await, Ok(1));
    assert_eq!(kept(store).await, [1, 2]);
    assert_eq!(store.drop_unused_definitions().await, Ok(0));
    // What went can come back.
    assert_eq!(store.put_definition([3; 32], "{}").await, Ok(()));
    assert_eq!(kept(store).await, [1, 2, 3]);
}

pub async fn a_secret_is_made_once(store: Subject) {
    let store = &*store;
    let kept = store.secret("token/1", b"first").await;
    assert_eq!(kept, Ok(b"first".to_vec()));
    let kept = store.secret("token/1", b"second").await;
    assert_eq!(kept, Ok(b"first".to_vec()));
    let kept = store.secret("token/2", &[0; 32]).await;
    assert_eq!(kept, Ok(vec![0; 32]));
}
