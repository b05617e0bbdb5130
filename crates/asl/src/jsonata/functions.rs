//! The six functions that Step Functions adds to JSONata: `$partition`, `$range`, `$hash`, `$random`, `$uuid` and
//! `$parse`; and `$eval`, which it takes away.
//!
//! What each takes and says stands in AWS's documents only in outline; the rest was measured on AWS
//! (<https://github.com/floci-io/floci/pull/2676>): fractions are cut off towards zero, several arguments give
//! undefined and no error, and a `$range` of one number is that number.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use jlens_core::{Bindings, Error, HostCall, HostFunction, function_catalog};
use md5::{Digest, Md5};
use serde_json::Value;
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

use super::{numbers, spelled};
use crate::Payload;
use crate::eval::java;
use crate::parse::json::{self, Duplicates};

/// What AWS adds to the language.
pub const ADDED_FUNCTIONS: [&str; 6] = ["partition", "range", "hash", "random", "uuid", "parse"];

/// Taken away: a call fails as that of any unknown function.
pub(super) const EVAL: &str = "eval";

/// Numbers that `$range` makes at most: measured, AWS makes 360,145 and not one more.
const MAX_RANGE_NUMBERS: i128 = 360_145;

/// What `$hash` knows, in the order in which AWS names them.
const ALGORITHMS: [&str; 5] = ["SHA-1", "SHA-384", "SHA-256", "SHA-512", "MD5"];

/// A code of ours, by which a function tells that it would make too much.
pub(super) const OUT_OF_MEMORY: &str = "OUT_OF_MEMORY";

/// The code of errors that functions raise in their own words.
const RAISED: &str = "D3137";

type Arguments<'a> = &'a [Option<Value>];
type Outcome = Result<Option<Value>, Error>;

/// Whether a name is that of a function, added or built in.
pub(super) fn is_function(name: &str) -> bool {
    static BUILT_IN: OnceLock<Vec<&'static str>> = OnceLock::new();
    let built_in = BUILT_IN.get_or_init(|| function_catalog().iter().map(|function| function.name).collect());
    ADDED_FUNCTIONS.contains(&name) || built_in.contains(&name)
}

/// The functions as an analysis needs them: it does not call them.
pub(super) fn signatures() -> &'static Bindings {
    static SIGNATURES: OnceLock<Bindings> = OnceLock::new();
    SIGNATURES.get_or_init(|| bindings(Some(0)))
}

/// The functions for one evaluation. Without a seed there are none that draw: the expression does not name them.
pub(super) fn bindings(seed: Option<u128>) -> Bindings {
    static CONSTANT: OnceLock<Bindings> = OnceLock::new();
    let constant = CONSTANT.get_or_init(|| {
        let add = |bindings: Bindings, (name, arity, function): (&str, usize, Constant)| {
            let function = HostFunction::new(arity, move |arguments, call| {
                refuse_functions(arguments, call)?;
                function(arguments)
            });
            bindings.function(name, function.without_input())
        };
        CONSTANTS.into_iter().fold(Bindings::new().var(EVAL, Value::Null), add)
    });
    let Some(seed) = seed else { return constant.clone() };
    let randoms = Stream::new(seed, "random");
    let uuids = Stream::new(seed, "uuid");
    let random = HostFunction::new(1, move |arguments, call| {
        refuse_functions(arguments, call)?;
        random(arguments, &randoms)
    });
    let uuid = HostFunction::new(0, move |arguments, _| uuid(arguments, &uuids));
    constant.clone().function("random", random.without_input()).function("uuid", uuid.without_input())
}

/// With what guards the ranges of one evaluation (see `spelled.rs`).
pub(super) fn with_ranges(bindings: Bindings, most: usize) -> Bindings {
    /// From here on the language itself refuses.
    const MOST_OF_THE_LANGUAGE: f64 = 1e7;
    // Between the start and the end of a range others may begin and end.
    let starts: Arc<Mutex<Vec<Option<f64>>>> = Arc::default();
    let ends = starts.clone();
    let from = HostFunction::new(1, move |arguments, _| {
        let start = argument(arguments, 0);
        starts.lock().map_err(|_| Error::new(OUT_OF_MEMORY))?.push(start.and_then(Value::as_f64));
        Ok(start.cloned())
    });
    let up_to = HostFunction::new(1, move |arguments, _| {
        let start = ends.lock().map_err(|_| Error::new(OUT_OF_MEMORY))?.pop().flatten();
        let end = argument(arguments, 0);
        if let (Some(start), Some(last)) = (start, end.and_then(Value::as_f64)) {
            let count = last - start + 1.0;
            #[expect(clippy::cast_precision_loss, reason = "a limit is far below 2^53")]
            if count > most as f64 && count <= MOST_OF_THE_LANGUAGE {
                return Err(Error::new(OUT_OF_MEMORY));
            }
        }
        Ok(end.cloned())
    });
    bindings.function(spelled::FROM, from.without_input()).function(spelled::UP_TO, up_to.without_input())
}

type Constant = fn(Arguments<'_>) -> Outcome;

const CONSTANTS: [(&str, usize, Constant); 4] =
    [("partition", 2, partition), ("range", 3, range), ("hash", 2, hash), ("parse", 1, parse)];

/// Numbers of chance that are told apart by how many were drawn before: the same seed gives the same ones.
struct Stream {
    seed: u128,
    purpose: &'static str,
    drawn: AtomicU64,
}

impl Stream {
    fn new(seed: u128, purpose: &'static str) -> Stream {
        Stream { seed, purpose, drawn: AtomicU64::new(0) }
    }

    fn next(&self) -> u128 {
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
        let digest = Sha256::new()
            .chain_update(self.seed.to_be_bytes())
            .chain_update(self.purpose)
            .chain_update(drawn.to_be_bytes())
            .finalize();
        let (half, _) = digest.split_at(16);
        u128::from_be_bytes(half.try_into().expect("half of 32 bytes"))
    }
}

/// `$partition(array, size)`: chunks of that size, the last one with the rest.
fn partition(arguments: Arguments<'_>) -> Outcome {
    refuse_surplus(arguments, 2)?;
    let items = match argument(arguments, 0) {
        None => return Ok(None),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(Error::new("T0412").with("index", 1)),
    };
    if items.is_empty() {
        return Ok(None);
    }
    let Some(size) = whole(arguments, 1)? else {
        return Ok(Some(Value::Array(vec![Value::Array(items.clone())])));
    };
    match usize::try_from(size) {
        Err(_) if size < 0 => Err(raise("Second argument must be zero or greater")),
        Ok(0) => Ok(None),
        size => {
            let chunks = items.chunks(size.unwrap_or(usize::MAX)).map(|chunk| Value::Array(chunk.to_vec()));
            Ok(Some(chunks.collect()))
        }
    }
}

/// `$range(start, end, step)`: with the end, if a step meets it.
fn range(arguments: Arguments<'_>) -> Outcome {
    refuse_surplus(arguments, 3)?;
    let (Some(start), Some(end)) = (whole(arguments, 0)?, whole(arguments, 1)?) else {
        let missing = if argument(arguments, 0).is_none() { 1 } else { 2 };
        return Err(signature(missing));
    };
    let Some(step) = whole(arguments, 2)? else { return Ok(None) };
    if step == 0 || (step > 0 && start > end) || (step < 0 && start < end) {
        return Ok(None);
    }
    let (start, end, step) = (i128::from(start), i128::from(end), i128::from(step));
    let count = (end - start) / step + 1;
    if count > MAX_RANGE_NUMBERS {
        return Err(Error::new(OUT_OF_MEMORY));
    }
    let mut numbers = (0..count).map(|nth| {
        let number = start + nth * step;
        i64::try_from(number).map_or(Value::Null, Value::from)
    });
    if count == 1 {
        return Ok(numbers.next());
    }
    Ok(Some(numbers.collect()))
}

/// `$hash(text, algorithm)`: of the UTF-8 bytes, in hexadecimal.
fn hash(arguments: Arguments<'_>) -> Outcome {
    refuse_surplus(arguments, 2)?;
    let Some(Value::String(text)) = argument(arguments, 0) else { return Err(signature(1)) };
    let algorithm = match argument(arguments, 1) {
        None => return Ok(None),
        Some(Value::String(algorithm)) => algorithm.as_str(),
        Some(_) => return Err(signature(2)),
    };
    let hex = match algorithm {
        "MD5" => java::hex(&Md5::digest(text)),
        "SHA-1" => java::hex(&Sha1::digest(text)),
        "SHA-256" => java::hex(&Sha256::digest(text)),
        "SHA-384" => java::hex(&Sha384::digest(text)),
        "SHA-512" => java::hex(&Sha512::digest(text)),
        _ => {
            return Err(raise(&format!("Hash algorithm '{algorithm}' must be one of {}", ALGORITHMS.join(", "))));
        }
    };
    Ok(Some(hex.into()))
}

/// `$parse(text)`: JSON as a value. As strict as AWS: one document, no name twice, no number beyond a double.
fn parse(arguments: Arguments<'_>) -> Outcome {
    refuse_surplus(arguments, 1)?;
    let text = match argument(arguments, 0) {
        None => return Ok(None),
        Some(Value::String(text)) => text,
        Some(_) => return Err(signature(1)),
    };
    let mut value = match json::read(text, Duplicates::Refuse) {
        Ok(Some(node)) => node.to_value(),
        // Data may be deeper than definitions.
        Err(error) if error.too_deep => {
            Payload::parse(text.as_str()).map_err(|_| raise("Invalid JSON"))?.value().clone()
        }
        Ok(None) | Err(_) => return Err(raise("Invalid JSON")),
    };
    numbers::settle(&mut value);
    Ok(Some(value))
}

/// `$random()` and `$random(seed)`: from 0 to, without, 1. A seed gives what `java.util.Random` gives for it.
fn random(arguments: Arguments<'_>, stream: &Stream) -> Outcome {
    refuse_surplus(arguments, 1)?;
    let number = match whole(arguments, 0)? {
        Some(seed) => java::Random::seeded(seed).next_double(),
        None => fraction(stream.next()),
    };
    Ok(Some(number.into()))
}

/// The first 53 bits as a fraction: as many as a double holds.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit into a double")]
fn fraction(drawn: u128) -> f64 {
    const BITS: u32 = 53;
    (drawn >> (u128::BITS - BITS)) as u64 as f64 / (1_u64 << BITS) as f64
}

/// `$uuid()`: version 4.
fn uuid(arguments: Arguments<'_>, stream: &Stream) -> Outcome {
    refuse_surplus(arguments, 0)?;
    Ok(Some(java::uuid(stream.next()).into()))
}

fn argument<'a>(arguments: Arguments<'a>, at: usize) -> Option<&'a Value> {
    arguments.get(at)?.as_ref()
}

/// A number without its fraction; AWS cuts towards zero.
fn whole(arguments: Arguments<'_>, at: usize) -> Result<Option<i64>, Error> {
    let number = match argument(arguments, at) {
        None => return Ok(None),
        Some(Value::Number(number)) => number,
        Some(_) => return Err(signature(at + 1)),
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a cast cuts off the fraction and ends at the bounds, as Java's"
    )]
    let cut = number.as_i64().unwrap_or_else(|| number.as_f64().unwrap_or_default() as i64);
    Ok(Some(cut))
}

fn refuse_surplus(arguments: Arguments<'_>, most: usize) -> Result<(), Error> {
    if arguments.len() > most { Err(signature(most + 1)) } else { Ok(()) }
}

/// A function among the arguments looks like nothing at all to a host function; the language's signatures refuse it.
fn refuse_functions(arguments: Arguments<'_>, call: &HostCall<'_>) -> Result<(), Error> {
    match (0..arguments.len()).find(|&index| call.function(index).is_some()) {
        Some(index) => Err(signature(index + 1)),
        None => Ok(()),
    }
}

/// The engine adds the function's name.
fn signature(index: usize) -> Error {
    Error::new("T0410").with("index", index)
}

fn raise(message: &str) -> Error {
    Error::new(RAISED).with("message", message)
}
