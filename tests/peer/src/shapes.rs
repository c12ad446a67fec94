//! Stripe's published shapes, as far as they are used: an extract of the OpenAPI description of API version
//! `2026-08-26.dahlia`, made by `tests/tools/stripe-shapes` from what stripe-mock carries.

use std::sync::OnceLock;

use serde_json::Value;

use crate::form::Form;

const EXTRACT: &str = include_str!("../shapes.json");

fn extract() -> &'static Value {
    static READ: OnceLock<Value> = OnceLock::new();
    READ.get_or_init(|| serde_json::from_str(EXTRACT).expect("the extract is JSON"))
}

/// The API version the extract is of.
#[must_use]
pub fn version() -> &'static str {
    extract()["version"].as_str().expect("the extract names its version")
}

/// The first parameter of a request that Stripe does not publish for it, or whose value it does not.
pub(crate) fn unknown_parameter(path: &str, form: &Form) -> Option<String> {
    let parameters = &extract()["requests"][template(path)];
    if parameters.is_null() {
        return None;
    }
    for (name, value) in form.pairs() {
        let mut schema = parameters;
        for part in name.split(['[', ']']).filter(|part| !part.is_empty()) {
            schema = inner(schema, part);
        }
        let wrong = schema.is_null()
            || schema["enum"].as_array().is_some_and(|known| !known.iter().any(|known| known == value));
        if wrong {
            return Some(name.to_owned());
        }
    }
    None
}

fn inner<'s>(schema: &'s Value, part: &str) -> &'s Value {
    let named = &schema["properties"][part];
    if !named.is_null() {
        return named;
    }
    if part.bytes().all(|byte| byte.is_ascii_digit()) && !schema["items"].is_null() {
        return &schema["items"];
    }
    &schema["additionalProperties"]
}

/// `/v1/payment_intents/pi_1/capture` as the description writes it.
fn template(path: &str) -> String {
    let parts = path.split('/').map(|part| match part.split_once('_') {
        Some(("pi" | "seti", _)) => "{intent}",
        Some(("pm", _)) => "{payment_method}",
        _ => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

/// Everything in which `object` differs from the shape of its kind, by path.
#[must_use]
pub fn differences(object: &Value) -> Vec<String> {
    let kind = object["object"].as_str().unwrap_or("error");
    let mut found = Vec::new();
    differ(kind, &extract()["objects"][kind], object, &mut found);
    found
}

fn differ(path: &str, schema: &Value, value: &Value, found: &mut Vec<String>) {
    if schema.is_null() {
        found.push(format!("{path} is not published"));
        return;
    }
    if schema["own"] == true {
        let kind = value["object"].as_str().unwrap_or_default();
        return differ(&format!("{path}({kind})"), &extract()["objects"][kind], value, found);
    }
    if value.is_null() {
        if schema["nullable"] != true {
            found.push(format!("{path} is null"));
        }
        return;
    }
    if let Some(shapes) = schema["anyOf"].as_array() {
        let tried = shapes.iter().map(|shape| {
            let mut found = Vec::new();
            differ(path, resolved(shape), value, &mut found);
            found
        });
        if let Some(least) = tried.min_by_key(Vec::len) {
            found.extend(least);
        }
        return;
    }
    if let Some(known) = schema["enum"].as_array()
        && !known.contains(value)
    {
        found.push(format!("{path} is {value}"));
    }
    match (schema["type"].as_str().unwrap_or_default(), value) {
        ("object", Value::Object(fields)) => {
            for (name, field) in fields {
                let shape = &schema["properties"][name];
                let shape = if shape.is_null() { &schema["additionalProperties"] } else { shape };
                differ(&format!("{path}.{name}"), resolved(shape), field, found);
            }
            for name in schema["required"].as_array().into_iter().flatten() {
                let name = name.as_str().unwrap_or_default();
                if !fields.contains_key(name) {
                    found.push(format!("{path}.{name} is missing"));
                }
            }
        }
        ("array", Value::Array(items)) => {
            for (n, item) in items.iter().enumerate() {
                differ(&format!("{path}[{n}]"), resolved(&schema["items"]), item, found);
            }
        }
        ("string", Value::String(_)) | ("boolean", Value::Bool(_)) => {}
        ("integer", Value::Number(number)) if number.is_i64() => {}
        (expected, _) => found.push(format!("{path} is not of type {expected}: {value}")),
    }
}

fn resolved(schema: &Value) -> &Value {
    match schema["$ref"].as_str() {
        Some(name) => &extract()["objects"][name],
        None => schema,
    }
}
