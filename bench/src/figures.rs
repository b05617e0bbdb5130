//! The figures: what is measured, what it must be and what it aims at, as one table; and the printed page.
//!
//! "Must" is ahead of the best peer, durable or not, with the history on disk; "aim" is what the design should reach. A
//! figure without a must is there to explain the others (the floor of the machine, the worst case). What each stretch of
//! work cost stands in a second table: wall time, the server's CPU for each transition, its peak of memory, and apart from
//! all that the driver's own CPU.

use serde_json::{Value, json};

use crate::drive::Spent;

/// Which way is better.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Better {
    Higher,
    Lower,
    /// Shown, not judged.
    Told,
}

/// One row of the table.
pub struct Figure {
    pub id: &'static str,
    pub title: &'static str,
    pub unit: &'static str,
    pub must: f64,
    pub aim: f64,
    pub better: Better,
}

const fn row(id: &'static str, title: &'static str, unit: &'static str, better: Better, must: f64, aim: f64) -> Figure {
    Figure { id, title, unit, must, aim, better }
}

use Better::{Higher, Lower, Told};

pub const FIGURES: &[Figure] = &[
    row("floor.plain.rate", "floor: answers, runs nothing", "requests/s", Told, 0.0, 0.0),
    row("floor.log.rate", "floor: 20 events logged, group fdatasync", "requests/s", Told, 0.0, 0.0),
    row("floor.log.p50", "floor: one caller alone, p50", "ms", Told, 0.0, 0.0),
    row("w1.rate", "W1 10 Pass states, 32 in flight", "executions/s", Higher, 7_000.0, 12_000.0),
    row("w1.cpu", "W1 CPU per 1,000 transitions", "s", Lower, 0.015, 0.006),
    // Once and a half what JSONPath may take.
    row("w1a.rate", "W1a the same in JSONata", "executions/s", Told, 0.0, 0.0),
    row("w1a.cpu", "W1a CPU per 1,000 transitions", "s", Lower, 0.0225, 0.009),
    row("w1x.rate", "W1x the same as Express, synchronous", "executions/s", Higher, 10_000.0, 30_000.0),
    row("w1t.rate", "W1t 10 activity tasks", "executions/s", Higher, 800.0, 1_500.0),
    row("w2.p50", "W2 one Pass, Express, one caller, p50", "ms", Lower, 0.19, 0.13),
    row("w2.p99", "W2 p99", "ms", Lower, 0.5, 0.3),
    row("w2s.p50", "W2s one Pass, one caller, p50", "ms", Lower, 0.6, 0.4),
    row("w2s.p99", "W2s p99", "ms", Lower, 1.5, 0.8),
    row("w3.p50", "W3 SendTaskSuccess to done, p50", "ms", Lower, 1.0, 0.6),
    row("w3.p99", "W3 p99", "ms", Lower, 3.0, 1.5),
    row("w3.starts", "W3 starts until parked", "executions/s", Higher, 5_000.0, 10_000.0),
    row("w3.held", "W3 memory of one parked", "KiB", Lower, 1.0, 0.25),
    row("w3.resolves", "W3 SendTaskSuccess", "executions/s", Higher, 5_000.0, 10_000.0),
    row("w4.p50", "W4 inline Map of 1,000 items, p50", "ms", Lower, 30.0, 8.0),
    row("w5.p50", "W5 10,000 timers late, p50", "ms", Told, 0.0, 0.0),
    row("w5.p99", "W5 p99", "ms", Lower, 50.0, 15.0),
    row("w5.max", "W5 max", "ms", Told, 0.0, 0.0),
    row("w5.seen", "W5 done as a caller sees it, p99", "ms", Told, 0.0, 0.0),
    row("w6.cold", "W6 cold start to the first answer", "s", Lower, 0.05, 0.02),
    row("w6.idle", "W6 idle memory", "MiB", Lower, 25.0, 12.0),
    row("w6.binary", "W6 size of the binary", "MB", Lower, 40.0, 20.0),
    row("w7.ready", "W7 kill -9 until all can be resumed", "s", Lower, 1.0, 0.2),
    row("w7.restarted", "W7 memory of one parked, after restart", "KiB", Lower, 1.0, 0.25),
    row("w7.resolves", "W7 SendTaskSuccess, after restart", "executions/s", Higher, 5_000.0, 10_000.0),
    row("w7.lost", "W7 executions lost", "", Lower, 0.0, 0.0),
    row("many.starts", "W3 many: starts until parked", "executions/s", Higher, 5_000.0, 10_000.0),
    row("many.held", "W3 many: memory of one parked", "KiB", Lower, 1.0, 0.25),
    row("many.ready", "W7 many: kill -9 until all can be resumed", "s", Lower, 1.0, 0.2),
    row("many.restarted", "W7 many: memory of one parked, after restart", "KiB", Lower, 1.0, 0.25),
    row("many.resolves", "W7 many: SendTaskSuccess, after restart", "executions/s", Higher, 5_000.0, 10_000.0),
    row("many.lost", "W7 many: executions lost", "", Lower, 0.0, 0.0),
    row("w8.passes", "W8 200 KiB through 100 Pass states, p50", "ms", Lower, 50.0, 10.0),
    row("w8.load", "W8 resume after 24,800 events, cold", "ms", Lower, 300.0, 50.0),
    row("w8.page", "W8 page through the whole history", "ms", Told, 0.0, 0.0),
];

/// What one run measured, in the order in which it was measured.
#[derive(Default)]
pub struct Report {
    got: Vec<(&'static Figure, f64)>,
    spent: Vec<(&'static str, Spent)>,
}

impl Report {
    /// Notes a figure. What could not be measured (a server without a known process) is left out.
    pub fn got(&mut self, id: &str, value: impl Into<Option<f64>>) {
        let figure = FIGURES.iter().find(|f| f.id == id).expect("a workload names only figures of the table");
        if let Some(value) = value.into() {
            self.got.push((figure, value));
        }
    }

    /// Notes what a stretch of work cost.
    pub fn spent(&mut self, work: &'static str, spent: Spent) {
        self.spent.push((work, spent));
    }

    #[cfg(test)]
    pub fn value(&self, id: &str) -> Option<f64> {
        self.got.iter().find(|(figure, _)| figure.id == id).map(|(_, value)| *value)
    }

    pub fn json(&self) -> Value {
        let figures = self.got.iter().map(|(f, got)| {
            let mut row = json!({ "id": f.id, "title": f.title, "unit": f.unit, "got": got });
            if f.better != Told {
                row["must"] = json!(f.must);
                row["aim"] = json!(f.aim);
                row["verdict"] = json!(f.verdict(*got));
            }
            row
        });
        let spent = self.spent.iter().map(|(work, spent)| {
            json!({ "work": work, "seconds": spent.seconds, "transitions": spent.transitions,
                "serverSeconds": spent.server, "peakBytes": spent.peak, "driverSeconds": spent.own })
        });
        json!({ "figures": figures.collect::<Vec<_>>(), "spent": spent.collect::<Vec<_>>() })
    }

    /// figure | must | aim | got, and below it what the work cost.
    pub fn table(&self) -> String {
        let mut lines = vec![["figure", "unit", "must", "aim", "got", ""].map(str::to_owned)];
        for (f, got) in &self.got {
            let [must, aim] =
                if f.better == Told { ["–".into(), "–".into()] } else { [bound(f.must), bound(f.aim)] };
            lines.push([f.title.into(), f.unit.into(), must, aim, short(*got), f.verdict(*got).into()]);
        }
        let mut text = columns(&lines, &[2, 3, 4]);
        if self.spent.is_empty() {
            return text;
        }
        let head = ["work", "wall s", "transitions", "server µs/transition", "server peak MiB", "driver µs/transition"];
        let mut lines = vec![head.map(str::to_owned)];
        for (work, spent) in &self.spent {
            let each = |seconds: f64| short(seconds / spent.transitions as f64 * 1e6);
            let known = |value: Option<String>| value.unwrap_or_else(|| "–".into());
            lines.push([
                (*work).into(),
                short(spent.seconds),
                short(spent.transitions as f64),
                known(spent.server.map(each)),
                known(spent.peak.map(|bytes| short(bytes / 1024.0 / 1024.0))),
                each(spent.own),
            ]);
        }
        text.push('\n');
        text += &columns(&lines, &[1, 2, 3, 4, 5]);
        text
    }
}

/// Lines under each other; these columns are numbers.
fn columns<const N: usize>(lines: &[[String; N]], numbers: &[usize]) -> String {
    let widths: [usize; N] =
        std::array::from_fn(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0));
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
            if numbers.contains(&column) { format!("{cell:>width$}") } else { format!("{cell:width$}") }
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

impl Figure {
    fn verdict(&self, got: f64) -> &'static str {
        let reaches = |bound: f64| if self.better == Higher { got >= bound } else { got <= bound };
        match self.better {
            Told => "",
            _ if reaches(self.aim) => "aim",
            _ if reaches(self.must) => "must",
            _ => "MISSED",
        }
    }
}

/// A bound as it is written in the table above.
fn bound(value: f64) -> String {
    if value >= 1_000.0 { short(value) } else { value.to_string() }
}

/// Three digits that matter, and whole numbers with their thousands apart.
fn short(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude >= 1_000.0 {
        let whole = format!("{value:.0}");
        let digits = whole.len();
        let apart = |(at, digit): (usize, char)| {
            let comma = at > 0 && (digits - at).is_multiple_of(3);
            comma.then_some(',').into_iter().chain(Some(digit))
        };
        return whole.chars().enumerate().flat_map(apart).collect();
    }
    let decimals = match magnitude {
        0.0 => 0,
        m if m >= 100.0 => 0,
        m if m >= 10.0 => 1,
        m if m >= 1.0 => 2,
        m if m >= 0.1 => 3,
        _ => 4,
    };
    format!("{value:.decimals$}")
}

/// The value below which `share` of the samples lie; sorts them.
pub fn percentile(samples: &mut [f64], share: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    let last = samples.len().saturating_sub(1);
    samples.get((share * last as f64).round() as usize).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page() {
        let mut report = Report::default();
        report.got("w1.rate", 12_345.6);
        report.got("w1.cpu", 0.0101);
        report.got("w5.max", 17.25);
        report.got("w3.held", None);
        report.got("w2s.p99", 1.6);
        report.got("w7.lost", 0.0);
        let spent = Spent { transitions: 200_000, seconds: 2.5, own: 0.4, server: Some(2.2), peak: None };
        report.spent("W1", spent);
        assert_eq!(
            report.table(),
            "\
figure                           unit           must     aim     got
W1 10 Pass states, 32 in flight  executions/s  7,000  12,000  12,346  aim
W1 CPU per 1,000 transitions     s             0.015   0.006  0.0101  must
W5 max                           ms                –       –    17.2
W2s p99                          ms              1.5     0.8    1.60  MISSED
W7 executions lost                                 0       0       0  aim

work  wall s  transitions  server µs/transition  server peak MiB  driver µs/transition
W1      2.50      200,000                  11.0                –                  2.00
"
        );
    }

    #[test]
    fn percentiles_of_few_and_many() {
        assert!(percentile(&mut [], 0.5).is_nan());
        assert_eq!(percentile(&mut [3.0], 0.99), 3.0);
        let mut many: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&mut many, 0.5), 50.0);
        assert_eq!(percentile(&mut many, 0.99), 99.0);
    }

    #[test]
    fn every_figure_has_its_own_id() {
        let mut ids: Vec<_> = FIGURES.iter().map(|f| f.id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), FIGURES.len());
    }
}
