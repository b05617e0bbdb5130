//! Paging tokens: where a listing goes on, sealed by the engine, so that nobody but this installation can make one.
//!
//! A token is good for the query that it was given for and for no other, and for a day, as AWS's are. Everything else
//! is `InvalidToken`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use engine::Engine;

use crate::decode::{Integer, Text};
use crate::exception::Exception;

/// How long a token is good. AWS: 24 hours.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Items on a page where the caller does not say, or says zero.
const DEFAULT_PAGE: usize = 100;

/// One kind of listing, with all that shapes it but the size of a page.
pub struct Pages<'a> {
    engine: &'a Engine,
    query: &'a [&'a str],
}

impl<'a> Pages<'a> {
    pub fn new(engine: &'a Engine, query: &'a [&'a str]) -> Pages<'a> {
        Pages { engine, query }
    }

    /// Where the page after this token begins.
    pub fn after(&self, token: &Option<Text<'_>>) -> Result<Option<String>, Exception> {
        let Some(token) = token else { return Ok(None) };
        self.open(token, now()).map(Some).ok_or_else(Exception::invalid_token)
    }

    /// The token of the page that begins there.
    pub fn token(&self, next: Option<String>) -> Option<String> {
        let until = now() + LIFETIME.as_millis() as u64;
        next.map(|next| self.engine.seal_page(&format!("{until}\n{}\n{next}", self.name())))
    }

    fn open(&self, token: &str, now: u64) -> Option<String> {
        let text = self.engine.open_page(token)?;
        let (until, rest) = text.split_once('\n')?;
        let next = rest.strip_prefix(self.name().as_str())?.strip_prefix('\n')?;
        (now < until.parse().ok()?).then(|| next.to_owned())
    }

    /// A name of each query. None of its parts has a space but the last one.
    fn name(&self) -> String {
        self.query.join(" ")
    }
}

pub fn page_size(max_results: Option<Integer>) -> usize {
    match max_results {
        Some(Integer(number)) if number > 0 => number as usize,
        _ => DEFAULT_PAGE,
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;
    use engine::port::{Answer, Connector, Followed, Job, TaskRequest, Unreachable};
    use store::MemoryStore;

    use super::*;

    /// No task is ever started here.
    struct Nobody;

    #[async_trait]
    impl Connector for Nobody {
        async fn start(&self, _: TaskRequest) -> Answer {
            unreachable!("no task")
        }

        async fn follow(&self, _: &Job) -> Result<Followed, Unreachable> {
            Err(Unreachable("nobody".into()))
        }

        async fn cancel(&self, _: &Job) -> Result<(), Unreachable> {
            Err(Unreachable("nobody".into()))
        }
    }

    #[tokio::test]
    async fn a_token_is_good_for_a_day_and_for_its_query() {
        let open = Engine::open(engine::Settings::default(), Arc::new(MemoryStore::new()), Arc::new(Nobody));
        let engine = open.await.expect("an engine");
        let (query, other) = (["List", "m", ""], ["List", "m", "FAILED"]);
        let pages = Pages::new(&engine, &query);
        let token = pages.token(Some("here".into())).expect("a token");
        assert_eq!(pages.open(&token, now()).as_deref(), Some("here"));
        let day = LIFETIME.as_millis() as u64;
        assert_eq!(pages.open(&token, now() + day - 60_000).as_deref(), Some("here"));
        assert_eq!(pages.open(&token, now() + day), None, "expired");
        assert_eq!(Pages::new(&engine, &other).open(&token, now()), None, "another query");
        assert_eq!(pages.open(&engine.seal_page("here"), now()), None, "sealed, but no paging token");
        assert_eq!(pages.token(None), None, "the last page");
    }
}
