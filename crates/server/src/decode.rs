//! From a request's body to a typed request: one pass, borrowing what needs no unescaping.
//!
//! What is no JSON or has the wrong type is a SerializationException, in the words that AWS's own framework uses; what
//! is `null` is absent, and what nobody knows is skipped, as there.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::exception::Exception;
use crate::shape::{Member, Path, Shape, Violations};

/// A string.
#[derive(Clone, PartialEq, Debug)]
pub struct Text<'a>(Cow<'a, str>);

/// A whole number; AWS cuts off what comes after the point.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Integer(pub i64);

/// A number with what comes after the point.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Number(pub f64);

#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Flag(pub bool);

impl Text<'_> {
    pub fn into_string(self) -> String {
        self.0.into_owned()
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// A request that is decoded and satisfies the model's constraints.
pub fn decode<'a, Q>(body: &'a [u8], payload_bytes: usize) -> Result<Q, Exception>
where
    Q: Deserialize<'a> + Member,
{
    // serde takes a list for a structure.
    if body.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| *byte != b'{') {
        return Err(Exception::serialization("The body of the request is not a JSON object"));
    }
    let request: Q = serde_json::from_slice(body).map_err(|error| Exception::serialization(&reason(&error)))?;
    let mut found = Violations::new(payload_bytes);
    request.check(&Path::REQUEST, &Shape::ANY, &mut found);
    found.message().map_or(Ok(request), |message| Err(Exception::validation(message)))
}

fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if !error.is_data() {
        return text;
    }
    match text.rsplit_once(" at line ") {
        _ if text.starts_with("invalid type") => "Unexpected field type".into(),
        Some((message, _)) => message.into(),
        None => text,
    }
}

/// What a JSON value can become.
trait Scalar<'a>: Sized {
    /// AWS's name of the type.
    const NAME: &'static str;

    fn of_text(_: Cow<'a, str>) -> Option<Self> {
        None
    }

    fn of_number(_: f64) -> Option<Self> {
        None
    }

    fn of_flag(_: bool) -> Option<Self> {
        None
    }
}

impl<'a> Scalar<'a> for Text<'a> {
    const NAME: &'static str = "String";

    fn of_text(text: Cow<'a, str>) -> Option<Text<'a>> {
        Some(Text(text))
    }
}

impl Scalar<'_> for Integer {
    const NAME: &'static str = "Integer";

    fn of_number(number: f64) -> Option<Integer> {
        Some(Integer(number as i64))
    }
}

impl Scalar<'_> for Number {
    const NAME: &'static str = "Float";

    fn of_number(number: f64) -> Option<Number> {
        Some(Number(number))
    }
}

impl Scalar<'_> for Flag {
    const NAME: &'static str = "Boolean";

    fn of_flag(flag: bool) -> Option<Flag> {
        Some(Flag(flag))
    }
}

struct ScalarVisitor<'a, T>(PhantomData<&'a T>);

impl<'de: 'a, 'a, T: Scalar<'a>> Visitor<'de> for ScalarVisitor<'a, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::NAME)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<T, E> {
        T::of_text(Cow::Borrowed(text)).ok_or_else(|| not_a::<T, E>("STRING_VALUE"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<T, E> {
        T::of_text(Cow::Owned(text)).ok_or_else(|| not_a::<T, E>("STRING_VALUE"))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        self.visit_f64(number as f64)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        self.visit_f64(number as f64)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        T::of_number(number).ok_or_else(|| not_a::<T, E>("NUMBER_VALUE"))
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<T, E> {
        T::of_flag(flag).ok_or_else(|| not_a::<T, E>(if flag { "TRUE_VALUE" } else { "FALSE_VALUE" }))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<T, A::Error> {
        Err(A::Error::custom("Start of list found where not expected."))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<T, A::Error> {
        Err(A::Error::custom("Start of structure or map found where not expected."))
    }
}

fn not_a<'a, T: Scalar<'a>, E: Error>(token: &str) -> E {
    E::custom(format_args!("{token} cannot be converted to {}", T::NAME))
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
        deserializer.deserialize_any(ScalarVisitor(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Integer, D::Error> {
        deserializer.deserialize_any(ScalarVisitor(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Number, D::Error> {
        deserializer.deserialize_any(ScalarVisitor(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Flag, D::Error> {
        deserializer.deserialize_any(ScalarVisitor(PhantomData))
    }
}

impl Member for Text<'_> {
    fn check(&self, path: &Path, shape: &Shape, found: &mut Violations) {
        shape.check_text(self, path, found);
    }

    fn show(&self, f: &mut fmt::Formatter<'_>, _: &Shape) -> fmt::Result {
        f.write_str(self)
    }
}

impl Member for Integer {
    fn check(&self, path: &Path, shape: &Shape, found: &mut Violations) {
        shape.check_number(self.0, path, found);
    }

    fn show(&self, f: &mut fmt::Formatter<'_>, _: &Shape) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Member for Number {
    fn check(&self, path: &Path, shape: &Shape, found: &mut Violations) {
        shape.check_number(self.0, path, found);
    }

    fn show(&self, f: &mut fmt::Formatter<'_>, _: &Shape) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl Member for Flag {
    fn check(&self, _: &Path, _: &Shape, _: &mut Violations) {}

    fn show(&self, f: &mut fmt::Formatter<'_>, _: &Shape) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
