//! The spans of any execution: each state that was entered has one, each lies within the one around it, no name is given
//! twice, and all have ended when the execution has.

use machine::record::Body;
use machine::spans::Span;
use machine::{Execution, Record, history};

pub fn check(log: &[Record], story: impl Fn() -> String) {
    let mut execution = Execution::begin(true);
    log.iter().for_each(|record| execution.apply(record));
    let spans = execution.spans.expect("asked for").ended;
    let of = |event: u64| spans.iter().filter(|span| span.key.event == event).collect::<Vec<_>>();
    for event in history::events(log, 1) {
        match (&event.record.body, &of(event.id)[..]) {
            (Body::StateEntered { .. }, [span]) => {
                let opened = (span.key.frame, span.state, span.from);
                assert_eq!(
                    opened,
                    (Some(event.record.frame), Some(event.record.state), event.record.at),
                    "{}",
                    story()
                );
            }
            (Body::StateEntered { .. }, _) => panic!("event {} has no span of its own\n{}", event.id, story()),
            (Body::ExecutionStarted(_), [run]) => assert_eq!(run.state, None),
            // It opens one for itself, and one for each state that goes on.
            (Body::ExecutionRedriven { .. }, opened) => assert!(opened.iter().any(|span| span.state.is_none())),
            (Body::IterationResumed { .. }, _) | (_, []) => {}
            (body, opened) => panic!("{body:?} opens {opened:?}\n{}", story()),
        }
    }
    for (place, span) in spans.iter().enumerate() {
        let again = spans[..place].iter().any(|other| other.key == span.key);
        assert!(!again && span.from <= span.until, "{span:?}\n{}", story());
        let around = span.parent.map(|parent| spans.iter().find(|other| other.key == parent));
        let lies_within = |around: &Span| around.from <= span.from && span.until <= around.until;
        let is_right = match around {
            Some(around) => around.is_some_and(lies_within),
            None => span.state.is_none(),
        };
        assert!(is_right, "{span:?} is not within its parent {around:?}\n{}", story());
    }
}
