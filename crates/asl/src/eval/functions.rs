//! The 18 intrinsic functions on values: arguments in, a value out, or why not.
//!
//! The documents describe what each is for; where AWS's recorded answers differ from them (fractions are cut off, not
//! rounded; `ArrayContains` compares texts), the answers are followed and the comment says so. Paths, nesting and the
//! sentence around a refusal are `intrinsic.rs`'s.

use std::borrow::Cow;
use std::collections::HashMap;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose};
use serde_json::{Map, Value};

use super::{Draws, format, jackson, java};
use crate::Function;

/// Items that `States.ArrayRange` makes at most.
pub const MAX_RANGE_ITEMS: i64 = 1000;

/// Characters that `States.Base64Encode`, `States.Base64Decode` and `States.Hash` take at most.
pub const MAX_TEXT_CHARS: usize = 10_000;

/// Why a function gives no value, in AWS's words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Wrong number, kind or size: AWS does not say which.
    Arguments,
    /// Wrong number, kind or size, and AWS says which.
    Said(String),
}

impl Refusal {
    pub(crate) fn text(self, function: Function) -> String {
        match self {
            Refusal::Arguments => format!("Invalid arguments in {}", function.name()),
            Refusal::Said(text) => text,
        }
    }
}

pub(crate) type Outcome<'a> = Result<Cow<'a, Value>, Refusal>;
type Arguments<'a> = Vec<Cow<'a, Value>>;

/// Calls a function other than `States.Format`, whose template is not a plain value (see `format.rs`).
pub(crate) fn call<'a>(function: Function, arguments: Arguments<'a>, draws: &mut dyn Draws) -> Outcome<'a> {
    match function {
        Function::Array => Ok(own(Value::Array(arguments.into_iter().map(Cow::into_owned).collect()))),
        Function::ArrayPartition => array_partition(take(arguments)?).map(own),
        Function::ArrayContains => array_contains(take(arguments)?).map(own),
        Function::ArrayRange => array_range(take(arguments)?).map(own),
        Function::ArrayGetItem => array_get_item(take(arguments)?),
        Function::ArrayLength => {
            let [items] = take(arguments)?;
            Ok(own(array(&items)?.len().into()))
        }
        Function::ArrayUnique => array_unique(take(arguments)?).map(own),
        Function::Base64Encode => {
            let [data] = take(arguments)?;
            Ok(own(general_purpose::STANDARD.encode(short_text(&data)?).into()))
        }
        Function::Base64Decode => {
            let [data] = take(arguments)?;
            Ok(own(base64_decode(short_text(&data)?).into()))
        }
        Function::Hash => hash(take(arguments)?).map(own),
        Function::JsonMerge => json_merge(take(arguments)?).map(own),
        Function::StringToJson => {
            let [json] = take(arguments)?;
            string_to_json(text(&json)?).map(own)
        }
        Function::JsonToString => {
            let [json] = take(arguments)?;
            Ok(own(java::json_text(&json).into()))
        }
        Function::MathRandom => math_random(&arguments, draws).map(own),
        Function::MathAdd => math_add(take(arguments)?).map(own),
        Function::StringSplit => string_split(take(arguments)?).map(own),
        // Recorded: AWS does not mind arguments here.
        Function::Uuid => Ok(own(java::uuid(draws.next()).into())),
        Function::Format => format::from_values(&arguments).map(own),
    }
}

fn own<'a>(value: Value) -> Cow<'a, Value> {
    Cow::Owned(value)
}

fn take<'a, const N: usize>(arguments: Arguments<'a>) -> Result<[Cow<'a, Value>; N], Refusal> {
    arguments.try_into().map_err(|_| Refusal::Arguments)
}

fn array(value: &Value) -> Result<&Vec<Value>, Refusal> {
    value.as_array().ok_or(Refusal::Arguments)
}

fn object(value: &Value) -> Result<&Map<String, Value>, Refusal> {
    value.as_object().ok_or(Refusal::Arguments)
}

fn text(value: &Value) -> Result<&str, Refusal> {
    value.as_str().ok_or(Refusal::Arguments)
}

fn short_text(value: &Value) -> Result<&str, Refusal> {
    let text = text(value)?;
    if java::length(text) > MAX_TEXT_CHARS { Err(Refusal::Arguments) } else { Ok(text) }
}

/// A number without its fraction. The documents say "rounded"; AWS cuts off, except in `States.MathAdd`.
fn whole(value: &Value) -> Result<i64, Refusal> {
    match value {
        // A cast that saturates, as Java's does.
        Value::Number(number) => Ok(number.as_i64().unwrap_or_else(|| number.as_f64().unwrap_or_default() as i64)),
        _ => Err(Refusal::Arguments),
    }
}

fn array_partition([items, size]: [Cow<'_, Value>; 2]) -> Result<Value, Refusal> {
    let items = array(&items)?;
    let size = usize::try_from(whole(&size)?).ok().filter(|&size| size > 0).ok_or(Refusal::Arguments)?;
    Ok(items.chunks(size).map(|chunk| Value::Array(chunk.to_vec())).collect())
}

/// AWS compares what both look like as text: the number 1 is found in `["1"]`, `{"a":1,"b":2}` not as `{"b":2,"a":1}`.
fn array_contains([items, wanted]: [Cow<'_, Value>; 2]) -> Result<Value, Refusal> {
    let items = array(&items)?;
    let wanted = java::to_string(&wanted);
    let found = items.iter().any(|item| match item {
        Value::String(text) => *text == wanted,
        other => java::to_string(other) == wanted,
    });
    Ok(found.into())
}

fn array_range([start, end, step]: [Cow<'_, Value>; 3]) -> Result<Value, Refusal> {
    let (start, end, step) = (whole(&start)?, whole(&end)?, whole(&step)?);
    let distance = i128::from(end) - i128::from(start);
    let steps = distance.checked_div(i128::from(step)).ok_or(Refusal::Arguments)?;
    if distance.signum() * i128::from(step.signum()) < 0 {
        return Ok(Value::Array(Vec::new()));
    }
    if steps >= i128::from(MAX_RANGE_ITEMS) {
        return Err(Refusal::Arguments);
    }
    Ok((0..=steps as i64).map(|n| Value::from(start + n * step)).collect())
}

fn array_get_item([items, index]: [Cow<'_, Value>; 2]) -> Outcome<'_> {
    let length = array(&items)?.len();
    let index = whole(&index)?;
    // Recorded: an empty array has null everywhere.
    if length == 0 {
        return Ok(own(Value::Null));
    }
    let index = usize::try_from(index).ok().filter(|&index| index < length).ok_or(Refusal::Arguments)?;
    match items {
        Cow::Borrowed(items) => items.get(index).map(Cow::Borrowed).ok_or(Refusal::Arguments),
        Cow::Owned(Value::Array(mut items)) => Ok(own(items.swap_remove(index))),
        Cow::Owned(_) => Err(Refusal::Arguments),
    }
}

/// Each value once, in the order of a Java hash set, which is what AWS gives.
fn array_unique([items]: [Cow<'_, Value>; 1]) -> Result<Value, Refusal> {
    let items = array(&items)?;
    let mut hashes = Vec::new();
    let mut unique: Vec<&Value> = Vec::new();
    let mut by_hash: HashMap<i32, Vec<usize>> = HashMap::new();
    for item in items {
        let hash = java::hash_code(item);
        let alike = by_hash.entry(hash).or_default();
        if alike.iter().all(|&index| unique[index] != item) {
            alike.push(unique.len());
            hashes.push(hash);
            unique.push(item);
        }
    }
    Ok(java::hash_order(&hashes).into_iter().map(|index| unique[index].clone()).collect())
}

/// As Apache Commons Codec decodes, which AWS evidently uses: either alphabet, what belongs to neither is skipped,
/// padding ends the data, a lone last character is dropped.
fn base64_decode(data: &str) -> String {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let mut symbols: Vec<u8> = data
        .bytes()
        .take_while(|&byte| byte != b'=')
        .filter_map(|byte| match byte {
            b'-' => Some(b'+'),
            b'_' => Some(b'/'),
            b'+' | b'/' => Some(byte),
            _ => byte.is_ascii_alphanumeric().then_some(byte),
        })
        .collect();
    if symbols.len() % 4 == 1 {
        symbols.pop();
    }
    let bytes = LENIENT.decode(&symbols).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Recorded: data of any kind is hashed as the text that it looks like.
fn hash([data, algorithm]: [Cow<'_, Value>; 2]) -> Result<Value, Refusal> {
    let data = match &*data {
        Value::String(text) => Cow::Borrowed(text.as_str()),
        other => Cow::Owned(java::to_string(other)),
    };
    if java::length(&data) > MAX_TEXT_CHARS {
        return Err(Refusal::Arguments);
    }
    fn digest<D: sha2::Digest>(data: &str) -> String {
        java::hex(&D::digest(data.as_bytes()))
    }
    let digest = match text(&algorithm)? {
        "MD5" => digest::<md5::Md5>,
        "SHA-1" => digest::<sha1::Sha1>,
        "SHA-256" => digest::<sha2::Sha256>,
        "SHA-384" => digest::<sha2::Sha384>,
        "SHA-512" => digest::<sha2::Sha512>,
        _ => return Err(Refusal::Arguments),
    };
    Ok(digest(&data).into())
}

/// Shallow only: AWS refuses `true`, and takes whatever else is not `true` for `false`.
fn json_merge([left, right, deep]: [Cow<'_, Value>; 3]) -> Result<Value, Refusal> {
    let (left, right) = (object(&left)?, object(&right)?);
    if *deep == Value::Bool(true) {
        return Err(Refusal::Arguments);
    }
    let mut merged: Vec<(&String, &Value)> =
        left.iter().map(|(name, value)| (name, right.get(name).unwrap_or(value))).collect();
    merged.extend(right.iter().filter(|(name, _)| !left.contains_key(*name)));
    let hashes: Vec<i32> = merged.iter().map(|(name, _)| java::hash_text(name)).collect();
    let fields = java::hash_order(&hashes).into_iter().map(|index| {
        let (name, value) = merged[index];
        (name.clone(), value.clone())
    });
    Ok(Value::Object(fields.collect()))
}

/// The first JSON value of a text; nothing but space is null. What follows the value does not matter to AWS's parser.
fn string_to_json(json: &str) -> Result<Value, Refusal> {
    if json.trim().is_empty() {
        return Ok(Value::Null);
    }
    match serde_json::Deserializer::from_str(json).into_iter::<Value>().next() {
        Some(Ok(value)) => Ok(value),
        failed => {
            let why = jackson::mistake(json).or_else(|| Some(failed?.err()?.to_string())).unwrap_or_default();
            Err(Refusal::Said(format!("Cannot convert String to Json in States.StringToJson, caused by: {why}")))
        }
    }
}

/// With a seed the first number of Java's generator, without one a draw; `start` included, `end` not.
fn math_random(arguments: &[Cow<'_, Value>], draws: &mut dyn Draws) -> Result<Value, Refusal> {
    let (start, end, seed) = match arguments {
        [start, end] => (whole(start)?, whole(end)?, None),
        [start, end, seed] => (whole(start)?, whole(end)?, Some(whole(seed)?)),
        _ => return Err(Refusal::Arguments),
    };
    for bound in [start, end] {
        i32::try_from(bound).map_err(|_| Refusal::Arguments)?;
    }
    let size = i32::try_from(end - start).ok().filter(|&size| size > 0).ok_or(Refusal::Arguments)?;
    let offset = match seed {
        Some(seed) => i64::from(java::Random::seeded(seed).next_int(size)),
        None => (draws.next() % u128::from(size.cast_unsigned())) as i64,
    };
    Ok((start + offset).into())
}

/// Both rounded to the nearest whole number, all in 32 bits (recorded: 1.6 + 2.7 is 5).
fn math_add([left, right]: [Cow<'_, Value>; 2]) -> Result<Value, Refusal> {
    fn rounded(value: &Value) -> Result<i32, Refusal> {
        let Value::Number(number) = value else { return Err(Refusal::Arguments) };
        // `Math.round` of Java: halves go up.
        let nearest = || (number.as_f64().unwrap_or(f64::NAN) + 0.5).floor();
        let whole = number.as_i64().unwrap_or_else(|| nearest() as i64);
        i32::try_from(whole).map_err(|_| Refusal::Arguments)
    }
    let sum = rounded(&left)?.checked_add(rounded(&right)?).ok_or(Refusal::Arguments)?;
    Ok(sum.into())
}

/// Every character of the splitter splits; empty pieces are dropped, as by Java's `StringTokenizer`.
fn string_split([data, splitter]: [Cow<'_, Value>; 2]) -> Result<Value, Refusal> {
    let (data, splitter) = (text(&data)?, text(&splitter)?);
    let pieces = data.split(|c| splitter.contains(c)).filter(|piece| !piece.is_empty());
    Ok(pieces.map(Value::from).collect())
}
