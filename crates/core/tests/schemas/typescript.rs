//! The types of the npm package, made of JSON Schemas as `schemars` writes them.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::{Map, Value};

/// Declarations of the definitions, in their order; each is exported under its name.
pub fn declarations(definitions: &Map<String, Value>) -> String {
    let mut text = String::new();
    let names: BTreeSet<&String> = definitions.keys().collect();
    for name in names {
        let schema = &definitions[name];
        comment(&mut text, schema, "");
        let said = of(schema, "");
        match schema.get("properties").is_some() && said.starts_with('{') && said.ends_with('}') {
            true => writeln!(text, "export interface {name} {said}\n"),
            false => writeln!(text, "export type {name} = {said};\n"),
        }
        .expect("a text takes all");
    }
    text
}

/// What is said of a value, in a comment in front of it.
fn comment(text: &mut String, schema: &Value, indent: &str) {
    let Some(said) = schema.get("description").and_then(Value::as_str) else {
        return;
    };
    // Links to items of the program say nothing here.
    let said = said.replace("[`", "`").replace("`]", "`");
    let said = said.replace("`None`", "`null`").replace('\n', " ");
    writeln!(text, "{indent}/** {} */", said.replace("*/", "* /")).expect("a text takes all");
}

/// The type of a schema's values.
fn of(schema: &Value, indent: &str) -> String {
    let Value::Object(schema) = schema else {
        return "unknown".to_owned();
    };
    if let Some(own) = schema.get("tsType").and_then(Value::as_str) {
        return own.to_owned();
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return name.to_owned();
    }
    if let Some(exact) = schema.get("const") {
        return exact.to_string();
    }
    if let Some(Value::Array(values)) = schema.get("enum") {
        let values: Vec<String> = values.iter().map(Value::to_string).collect();
        return values.join(" | ");
    }
    let mut parts = Vec::new();
    if schema.contains_key("properties") {
        parts.push(object(schema, indent));
    }
    for (word, between) in [("oneOf", " | "), ("anyOf", " | "), ("allOf", " & ")] {
        if let Some(Value::Array(all)) = schema.get(word) {
            let all: Vec<String> = all.iter().map(|one| of(one, indent)).collect();
            let joined = all.join(between);
            let alone = all.len() == 1 || parts.is_empty();
            parts.push(if alone { joined } else { format!("({joined})") });
        }
    }
    if !parts.is_empty() {
        return parts.join(" & ");
    }
    match schema.get("type") {
        Some(Value::String(kind)) => plain(schema, kind, indent),
        Some(Value::Array(kinds)) => {
            let kinds = kinds.iter().filter_map(Value::as_str);
            let kinds: Vec<String> = kinds.map(|kind| plain(schema, kind, indent)).collect();
            kinds.join(" | ")
        }
        _ => "unknown".to_owned(),
    }
}

fn plain(schema: &Map<String, Value>, kind: &str, indent: &str) -> String {
    match kind {
        "integer" | "number" => "number".to_owned(),
        "object" => {
            let values = schema.get("additionalProperties");
            let values = values.map_or("unknown".to_owned(), |values| of(values, indent));
            format!("{{ [name: string]: {values} }}")
        }
        "array" => {
            let prefix = schema.get("prefixItems").and_then(Value::as_array);
            if let Some(items) = prefix {
                let items: Vec<String> = items.iter().map(|item| of(item, indent)).collect();
                return format!("[{}]", items.join(", "));
            }
            let item = schema.get("items");
            let item = item.map_or("unknown".to_owned(), |item| of(item, indent));
            let number = |word| schema.get(word).and_then(Value::as_u64);
            match (number("minItems"), number("maxItems")) {
                (Some(least), Some(most)) if least == most && most <= 4 => {
                    let all = vec![item; most as usize];
                    format!("[{}]", all.join(", "))
                }
                _ if item.contains([' ', '|', '&']) => format!("Array<{item}>"),
                _ => format!("{item}[]"),
            }
        }
        other => other.to_owned(),
    }
}

fn object(schema: &Map<String, Value>, indent: &str) -> String {
    let Some(Value::Object(properties)) = schema.get("properties") else {
        return "{}".to_owned();
    };
    let required = schema.get("required").and_then(Value::as_array);
    let required: Vec<&str> = required
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let inner = format!("{indent}  ");
    let mut text = "{\n".to_owned();
    let names: BTreeSet<&String> = properties.keys().collect();
    for name in names {
        let value = &properties[name];
        comment(&mut text, value, &inner);
        let optional = if required.contains(&name.as_str()) {
            ""
        } else {
            "?"
        };
        let said = of(value, &inner);
        writeln!(text, "{inner}{name}{optional}: {said};").expect("a text takes all");
    }
    text + indent + "}"
}
