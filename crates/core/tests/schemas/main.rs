//! `docs/schemas/` has the JSON Schemas of what is written as JSON, made from the types; `packages/sightline/types.d.ts` the same for TypeScript.
//!
//! `SIGHTLINE_UPDATE_SCHEMAS=1 cargo test -p sightline-core --test schemas` writes them.

mod typescript;

use std::path::{Path, PathBuf};

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::Value;
use sightline_core::asked::{Progress, Step};
use sightline_core::embedding::{FromPage, Handle, Marked, Message, State, ToPage, VERSION};
use sightline_core::explain::method::Method;
use sightline_core::package::{Manifest, ModelIndex};
use sightline_core::report::Report;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn json(path: &Path) -> Value {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).expect("JSON")
}

/// What may be read, as packages are written by people too.
fn read<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    settings.into_generator().into_root_schema_for::<T>()
}

/// What is written, as reports are by programs alone.
fn written<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<T>()
}

fn schemas() -> [(&'static str, Schema); 4] {
    [
        ("manifest", read::<Manifest>()),
        ("models", read::<ModelIndex>()),
        ("report", written::<Report>()),
        ("messages", written::<Message>()),
    ]
}

/// What a schema finds wrong.
fn wrong(schema: &str, value: &Value) -> Vec<String> {
    let schema = json(&workspace().join(format!("docs/schemas/{schema}.schema.json")));
    let validator = jsonschema::draft202012::new(&schema).expect("a schema");
    let errors = validator.iter_errors(value);
    errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

fn fits(schema: &str, value: &Value, what: &str) {
    assert_eq!(wrong(schema, value), Vec::<String>::new(), "{what}");
}

fn shipped() -> Vec<PathBuf> {
    let models = workspace().join("www/models");
    let index = json(&models.join("index.json"));
    let models = index["models"]
        .as_array()
        .expect("models")
        .iter()
        .map(|model| {
            let name = model["name"].as_str().expect("a name");
            models.join(name)
        });
    models.collect()
}

#[test]
fn the_schemas_are_those_of_the_types() {
    let folder = workspace().join("docs/schemas");
    let update = std::env::var_os("SIGHTLINE_UPDATE_SCHEMAS").is_some();
    for (name, schema) in schemas() {
        let mut schema = schema.to_value();
        // Whether JSON keeps the order of names depends on what is built beside.
        schema.sort_all_objects();
        let text = serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n";
        let path = folder.join(format!("{name}.schema.json"));
        if update {
            std::fs::write(&path, text).expect("written");
            continue;
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            there == text,
            "{} is not the schema of today's type; SIGHTLINE_UPDATE_SCHEMAS=1 cargo test -p sightline-core --test schemas writes it",
            path.display()
        );
    }
}

#[test]
fn the_types_of_the_npm_package_are_those_of_the_types() {
    let mut generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator();
    generator.subschema_for::<Message>();
    generator.subschema_for::<Manifest>();
    generator.subschema_for::<Progress>();
    let mut definitions = Value::Object(generator.definitions().clone());
    definitions.sort_all_objects();
    let definitions = definitions.as_object().expect("an object");
    let text = format!(
        "// What Sightline writes as JSON, and the messages of its page. Made of the Rust types by crates/core/tests/schemas: do not edit.\n\n{}",
        typescript::declarations(definitions)
    );
    let path = workspace().join("packages/sightline/types.d.ts");
    if std::env::var_os("SIGHTLINE_UPDATE_SCHEMAS").is_some() {
        std::fs::write(&path, &text).expect("written");
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == text,
        "{} is not of today's types; SIGHTLINE_UPDATE_SCHEMAS=1 cargo test -p sightline-core --test schemas writes it",
        path.display()
    );
}

#[test]
fn messages_fit_and_others_do_not() {
    let of = |message: ToPage| {
        let sightline = VERSION;
        serde_json::to_value(Marked { sightline, message }).expect("JSON")
    };
    let explain = of(ToPage::Explain {
        method: Method::Lime,
        samples: Some(400),
        seed: None,
    });
    let written =
        serde_json::json!({ "sightline": 1, "type": "explain", "method": "lime", "samples": 400 });
    assert_eq!(explain, written);
    let open = of(ToPage::Open {
        file: Handle,
        name: None,
    });
    for message in [explain, open, of(ToPage::Measure), of(ToPage::Cancel)] {
        fits("messages", &message, &message.to_string());
    }
    let message = FromPage::State {
        state: State::Reading,
        progress: None,
    };
    let sightline = VERSION;
    let json = serde_json::to_value(Marked { sightline, message }).expect("JSON");
    fits("messages", &json, &json.to_string());
    for wrong_one in [
        serde_json::json!({ "sightline": 2, "type": "measure" }),
        serde_json::json!({ "type": "measure" }),
        serde_json::json!({ "sightline": 1, "type": "destroy" }),
        serde_json::json!({ "sightline": 1, "type": "explain", "method": "saliency" }),
    ] {
        assert_ne!(
            wrong("messages", &wrong_one),
            Vec::<String>::new(),
            "{wrong_one}"
        );
    }
}

#[test]
fn steps_are_called_as_they_are_written() {
    let first = [Step::OpenDevice, Step::FetchModel, Step::CompileShaders];
    let more = [Step::Decode, Step::Read, Step::Prepare];
    let last = [Step::Explain, Step::Measure, Step::Randomise];
    for step in [first, more, last].concat() {
        assert_eq!(serde_json::to_value(step).expect("JSON"), step.name());
    }
}

#[test]
fn the_shipped_packages_fit() {
    let packages = shipped();
    assert!(!packages.is_empty());
    fits(
        "models",
        &json(&workspace().join("www/models/index.json")),
        "index.json",
    );
    for package in packages {
        let manifest = json(&package.join("manifest.json"));
        fits("manifest", &manifest, &package.display().to_string());
    }
}

#[test]
fn a_report_fits_as_it_is_and_read_and_written_again() {
    let path = workspace().join("trainer/tests/commands/report.json");
    fits("report", &json(&path), "as it is");
    let report = Report::parse(&std::fs::read(path).expect("a file")).expect("a report");
    let again = serde_json::to_value(&report).expect("JSON");
    fits("report", &again, "written again");
    assert!(again["hirescam"].is_object(), "it has an explanation");
}

#[test]
fn what_is_no_manifest_and_no_report_does_not_fit() {
    let sound = json(&shipped()[0].join("manifest.json"));
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut manifest = sound.clone();
        change(&mut manifest);
        assert!(Manifest::parse(manifest.to_string().as_bytes()).is_err());
        assert_ne!(wrong("manifest", &manifest), Vec::<String>::new());
    };
    refused(&|manifest| manifest["schema_version"] = 99.into());
    refused(&|manifest| manifest["findings"][0]["name"] = "Hali\ttosis".into());
    refused(&|manifest| manifest["architecture"]["family"] = "perceptron".into());
    refused(&|manifest| manifest["weights"]["bytes"] = "many".into());
    refused(&|manifest| {
        manifest.as_object_mut().expect("an object").remove("input");
    });
    assert_ne!(wrong("report", &sound), Vec::<String>::new());
}
