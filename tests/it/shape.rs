//! Holds JSON against the schemas of `testdata/schemas`: the part of JSON Schema that they use, and nothing else.

use serde_json::Value;

/// Holds a value against a schema file; panics with the place where it does not fit.
#[track_caller]
pub fn holds(schema: &str, value: &Value) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/schemas").join(schema);
    let root: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    if let Err(place) = fits(&root, &root, value, "$") {
        panic!("{schema}: {place}\n{value:#}");
    }
}

fn fits(root: &Value, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).expect("the reference leads somewhere"),
        None => schema,
    };
    for keyword in schema.as_object().expect("a schema").keys() {
        const KNOWN: [&str; 12] = [
            "$schema",
            "$defs",
            "title",
            "description",
            "type",
            "enum",
            "minimum",
            "required",
            "properties",
            "additionalProperties",
            "items",
            "pattern",
        ];
        assert!(KNOWN.contains(&keyword.as_str()), "this checker does not know {keyword}");
    }
    let wrong = |what: String| Err(format!("{place}: {what}"));
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is = |kind: &&str| match *kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        other => panic!("unknown type {other}"),
    };
    if !kinds.is_empty() && !kinds.iter().any(is) {
        return wrong(format!("not {kinds:?}"));
    }
    if schema["enum"].as_array().is_some_and(|values| !values.contains(value)) {
        return wrong("not one of the listed values".into());
    }
    if let (Some(least), Some(number)) = (schema["minimum"].as_f64(), value.as_f64())
        && number < least
    {
        return wrong(format!("less than {least}"));
    }
    if let Some(object) = value.as_object() {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(name) {
                return wrong(format!("{name} is missing"));
            }
        }
        for (name, inner) in object {
            let within = format!("{place}.{name}");
            match (&schema["properties"][name], &schema["additionalProperties"]) {
                (Value::Null, Value::Bool(false)) => return wrong(format!("{name} is not described")),
                (Value::Null, Value::Null | Value::Bool(true)) => {}
                (Value::Null, rest) => fits(root, rest, inner, &within)?,
                (described, _) => fits(root, described, inner, &within)?,
            }
        }
    }
    if let (Some(items), schema @ Value::Object(_)) = (value.as_array(), &schema["items"]) {
        for (at, item) in items.iter().enumerate() {
            fits(root, schema, item, &format!("{place}[{at}]"))?;
        }
    }
    Ok(())
}
