//! Reads the options of layers and activations from JSON, and says which option is wrong, what it
//! is, and what is expected, in words of the JSON.

use crate::text;
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, Expected, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Number, Value};
use std::fmt::{self, Display};

/// An `OptionFault` says what is wrong with the options of a layer or activation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum OptionFault {
    /// An option, such as `filter[1]`, is not what is expected; empty where it is all of them.
    Wrong {
        option: String,
        found: String,
        expected: String,
    },
    /// There is no such option.
    Unknown {
        option: String,
        known: &'static [&'static str],
    },
    /// An option that has no default is not there.
    Missing { option: &'static str },
    /// The reason in a sentence.
    Reason(String),
}

/// Reads options: an object of JSON, where a whole number may be written with a fraction of zero.
pub(crate) fn read<O: DeserializeOwned>(options: &Value) -> Result<O, OptionFault> {
    O::deserialize(Read(options))
}

/// The largest number up to which every whole number is a float.
const LARGEST_WHOLE: f64 = (1_u64 << 53) as f64;

impl OptionFault {
    /// Says what was found, where that is not known from inside it.
    fn found_in(mut self, value: &Value) -> Self {
        if let Self::Wrong { found, .. } = &mut self
            && found.is_empty()
        {
            *found = text::value(value);
        }
        self
    }

    /// Puts the name of an option, or a place in a list, before the fault.
    fn inside(mut self, part: &str) -> Self {
        if let Self::Wrong { option, .. } = &mut self {
            let dot = if option.is_empty() || option.starts_with('[') {
                ""
            } else {
                "."
            };
            *option = format!("{part}{dot}{option}");
        }
        self
    }

    fn expected(expected: String) -> Self {
        Self::Wrong {
            option: String::new(),
            found: String::new(),
            expected,
        }
    }
}

/// Writes what serde calls a type in words of JSON.
fn in_words(expected: &str) -> String {
    let words = match expected {
        "usize" | "u64" => "a whole number, at least 0",
        "u32" => "a whole number from 0 to 4294967295",
        "isize" | "i64" => "a whole number",
        "f64" => "a number",
        "a boolean" => "true or false",
        "a string" => "a text in quotes",
        "a sequence" => "a list in brackets",
        other => other,
    };
    words.into()
}

/// Lists what may be chosen, each in quotes: `"a", "b" or "c"`.
pub(crate) fn one_of(choices: &[&str]) -> String {
    let quoted: Vec<_> = choices.iter().map(|each| format!("\"{each}\"")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => "nothing".into(),
    }
}

impl Display for OptionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for OptionFault {}

impl Error for OptionFault {
    fn custom<M: Display>(message: M) -> Self {
        Self::Reason(message.to_string())
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(in_words(&expected.to_string()))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(in_words(&expected.to_string()))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::expected(one_of(expected))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::Unknown {
            option: field.into(),
            known: expected,
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing { option: field }
    }
}

/// Reads a value, and keeps in an error where it stood and what it was.
struct Read<'a>(&'a Value);

fn number<'de, V: Visitor<'de>>(number: &Number, visitor: V) -> Result<V::Value, OptionFault> {
    if let Some(whole) = number.as_u64() {
        return visitor.visit_u64(whole);
    }
    if let Some(whole) = number.as_i64() {
        return visitor.visit_i64(whole);
    }
    let float = number.as_f64().unwrap_or(f64::NAN);
    // What Python writes for a number that a division gave, 512.0, is the whole number.
    match float.fract() == 0.0 && float.abs() <= LARGEST_WHOLE {
        true if float < 0.0 => visitor.visit_i64(float as i64),
        true => visitor.visit_u64(float as u64),
        false => visitor.visit_f64(float),
    }
}

impl<'de> Deserializer<'de> for Read<'_> {
    type Error = OptionFault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, OptionFault> {
        let read = match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(value) => number(value, visitor),
            Value::String(value) => visitor.visit_str(value),
            Value::Array(items) => visitor.visit_seq(Items { items, next: 0 }),
            Value::Object(fields) => visitor.visit_map(Fields::of(fields)),
        };
        read.map_err(|fault| fault.found_in(self.0))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, OptionFault> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, OptionFault> {
        match (self.0, fields.first()) {
            (Value::Object(given), _) => visitor.visit_map(Fields::of(given)),
            (_, Some(first)) => Err(OptionFault::expected(format!(
                "options in braces, as {{\"{first}\": ...}}"
            ))),
            (_, None) => Err(OptionFault::expected("no options, {}".into())),
        }
        .map_err(|fault| fault.found_in(self.0))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, OptionFault> {
        match self.0 {
            Value::String(name) => {
                let name: StrDeserializer<'_, OptionFault> = name.as_str().into_deserializer();
                visitor.visit_enum(name)
            }
            _ => Err(OptionFault::expected(one_of(variants))),
        }
        .map_err(|fault| fault.found_in(self.0))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, OptionFault> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

/// The items of a list, one after another.
struct Items<'a> {
    items: &'a [Value],
    next: usize,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = OptionFault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, OptionFault> {
        let Some(item) = self.items.get(self.next) else {
            return Ok(None);
        };
        let place = format!("[{}]", self.next);
        self.next += 1;
        let read = seed.deserialize(Read(item));
        read.map(Some)
            .map_err(|fault| fault.found_in(item).inside(&place))
    }
}

/// The fields of an object, one after another.
struct Fields<'a> {
    fields: serde_json::map::Iter<'a>,
    value: Option<(&'a String, &'a Value)>,
}

impl<'a> Fields<'a> {
    fn of(fields: &'a Map<String, Value>) -> Self {
        Self {
            fields: fields.iter(),
            value: None,
        }
    }
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = OptionFault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, OptionFault> {
        self.value = self.fields.next();
        let Some((key, _)) = self.value else {
            return Ok(None);
        };
        let key: StrDeserializer<'_, OptionFault> = key.as_str().into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, OptionFault> {
        let Some((key, value)) = self.value.take() else {
            return Err(OptionFault::Reason("it has a key without a value".into()));
        };
        let read = seed.deserialize(Read(value));
        read.map_err(|fault| fault.found_in(value).inside(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Choice {
        One,
        Two,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct All {
        count: usize,
        #[serde(default)]
        sizes: Vec<usize>,
        #[serde(default)]
        number: Option<f64>,
        #[serde(default)]
        choice: Option<Choice>,
        #[serde(default)]
        flag: bool,
    }

    #[test]
    fn faults_name_the_option_and_both_values() {
        let said = |text: &str| match read::<All>(&serde_json::from_str(text).unwrap()) {
            Ok(all) => format!("{all:?}"),
            Err(OptionFault::Wrong {
                option,
                found,
                expected,
            }) => format!("{option} is {found}: {expected}"),
            Err(OptionFault::Unknown { option, known }) => format!("{option} of {known:?}"),
            Err(OptionFault::Missing { option }) => format!("no {option}"),
            Err(OptionFault::Reason(reason)) => reason,
        };
        for (text, expected) in [
            (
                r#"{"count": 2.5}"#,
                "count is 2.5: a whole number, at least 0",
            ),
            (
                r#"{"count": -1}"#,
                "count is -1: a whole number, at least 0",
            ),
            (
                r#"{"count": 1e30}"#,
                "count is 1e+30: a whole number, at least 0",
            ),
            (
                r#"{"count": "2"}"#,
                "count is \"2\": a whole number, at least 0",
            ),
            (
                r#"{"count": 2, "sizes": 3}"#,
                "sizes is 3: a list in brackets",
            ),
            (
                r#"{"count": 2, "sizes": [3, [4]]}"#,
                "sizes[1] is [4]: a whole number, at least 0",
            ),
            (
                r#"{"count": 2, "number": "x"}"#,
                "number is \"x\": a number",
            ),
            (
                r#"{"count": 2, "choice": 1}"#,
                "choice is 1: \"one\" or \"two\"",
            ),
            (
                r#"{"count": 2, "choice": "three"}"#,
                "choice is \"three\": \"one\" or \"two\"",
            ),
            (r#"{"count": 2, "flag": 1}"#, "flag is 1: true or false"),
            ("[2]", " is [2]: options in braces, as {\"count\": ...}"),
            ("{}", "no count"),
            (
                r#"{"cuont": 2}"#,
                "cuont of [\"count\", \"sizes\", \"number\", \"choice\", \"flag\"]",
            ),
        ] {
            assert_eq!(said(text), expected, "{text}");
        }
    }

    #[test]
    fn whole_numbers_may_have_a_fraction_of_zero() {
        let all: All = read(&serde_json::json!({
            "count": 512.0, "sizes": [3.0, 1e3], "number": 2, "choice": "two", "flag": true
        }))
        .unwrap();
        let expected = All {
            count: 512,
            sizes: vec![3, 1000],
            number: Some(2.0),
            choice: Some(Choice::Two),
            flag: true,
        };
        assert_eq!(all, expected);
    }
}
