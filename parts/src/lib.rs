//! The parts of the engine that are measured from inside, as one table: each is a name and a piece of work that is done
//! again and again. `benches/parts.rs` times them, `main.rs` counts their instructions.

mod heart;
mod house;
mod language;
mod log;

/// Something that is done again and again. What it needs is made before, once.
pub type Work = Box<dyn FnMut()>;

pub struct Part {
    pub name: &'static str,
    pub make: fn() -> Work,
    /// Whether its instructions are kept: not where threads wait for each other, and the count is chance.
    pub counted: bool,
}

const fn part(name: &'static str, make: fn() -> Work) -> Part {
    Part { name, make, counted: true }
}

pub static PARTS: &[Part] = &[
    part("jsonpath, compiled", language::path_compiled),
    part("jsonpath, a field", language::path_field),
    part("jsonpath, a filter over 20", language::path_filter),
    part("definition of 10 states, loaded", language::definition),
    part("turn, 10 Pass states", heart::turn_passes),
    part("turn, Map of 100 items", heart::turn_map),
    part("turn, a token comes back", heart::turn_callback),
    part("chunk of 10 Pass states, encoded", log::encoded),
    part("log of 1,000 events, folded", log::folded),
    part("commit, in memory", log::commit_in_memory),
    Part { counted: false, ..part("commit, SQLite and fsync", log::commit_on_disk) },
    part("history page of 100 events", house::history_page),
    part("request, DescribeExecution", house::describe),
    part("request, StartExecution of 10 Pass states", house::start),
];

/// The part of this name.
pub fn find(name: &str) -> Option<&'static Part> {
    PARTS.iter().find(|part| part.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_does_its_work_more_than_once() {
        for part in PARTS {
            let mut work = (part.make)();
            for _ in 0..3 {
                work();
            }
            assert!(std::ptr::eq(find(part.name).unwrap(), part), "{} is there once", part.name);
        }
    }
}
