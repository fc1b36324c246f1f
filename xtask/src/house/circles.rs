//! Circles: whether modules or folders of a crate use each other in one.
//!
//! A module is a file. It uses another where a path of its `use` declarations or of its code leads into it; a name that a module passes on
//! (`pub use`) is the module's that has it. Tests do not count. A module uses one below itself if it does more than pass its names on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};

/// The folders of sources that are looked at, one a crate.
const CRATES: [&str; 11] = [
    "src",
    "app/engine/src",
    "app/page/src",
    "crates/core/src",
    "crates/import/src",
    "crates/measure/src",
    "crates/session/src",
    "fuzz/src",
    "tests/e2e/src",
    "trainer/src",
    "xtask/src",
];

/// Every circle, its modules in order.
pub fn found(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for name in CRATES {
        let mut files = BTreeMap::new();
        collect(&root.join(name), &mut Vec::new(), &mut files)?;
        let circles = circles(&files).into_iter();
        found.extend(circles.map(|circle| {
            format!(
                "{name}: modules or folders use each other in a circle: {}",
                circle.join(" -> ")
            )
        }));
    }
    Ok(found)
}

/// The sources below a folder, by the path of their module.
fn collect(
    folder: &Path,
    at: &mut Vec<String>,
    files: &mut BTreeMap<Vec<String>, String>,
) -> Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        if path.is_dir() {
            at.push(name);
            collect(&path, at, files)?;
            at.pop();
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let mut module = at.clone();
            if !["mod", "lib", "main"].contains(&name.as_str()) {
                module.push(name);
            }
            let text = std::fs::read_to_string(&path);
            files.insert(module, text.with_context(|| path.display().to_string())?);
        }
    }
    Ok(())
}

type Module = Vec<String>;

/// Modules that use each other, each circle once.
fn circles(files: &BTreeMap<Module, String>) -> Vec<Vec<String>> {
    let code: BTreeMap<&Module, String> = files.iter().map(|(m, text)| (m, code(text))).collect();
    // What a module passes on: the name, and the path behind it.
    let mut passed_on: BTreeMap<(Module, String), Module> = BTreeMap::new();
    for (module, code) in &code {
        for declaration in declarations(code, "pub use ") {
            for path in expanded(&declaration) {
                let Some(name) = path.last().cloned() else {
                    continue;
                };
                passed_on.insert(((*module).clone(), name), absolute(module, &path));
            }
        }
    }
    let module_of = |path: &Module| -> Option<Module> {
        let mut path = path.clone();
        // A name may be passed on several times.
        for _ in 0..8 {
            let known = (0..=path.len())
                .rev()
                .find(|n| files.contains_key(&path[..*n]))?;
            let next = path.get(known).and_then(|name| {
                let passed = passed_on.get(&(path[..known].to_vec(), name.clone()))?;
                Some([passed.as_slice(), &path[known + 1..]].concat())
            });
            match next {
                Some(next) if next != path => path = next,
                _ => return Some(path[..known].to_vec()),
            }
        }
        None
    };
    let mut uses = Uses::new();
    for (module, code) in &code {
        let mut paths: Vec<Module> = Vec::new();
        for declaration in declarations(code, "use ") {
            paths.extend(expanded(&declaration).iter().map(|p| absolute(module, p)));
        }
        paths.extend(in_code(code).iter().map(|p| absolute(module, p)));
        // What a module only passes on from below itself is no use of it.
        let passes_on: Vec<Module> = declarations(code, "pub use ")
            .iter()
            .flat_map(|declaration| expanded(declaration))
            .map(|path| absolute(module, &path))
            .collect();
        paths.retain(|path| !(path.starts_with(module) && passes_on.contains(path)));
        let found = paths.iter().filter_map(module_of);
        let found = found.filter(|used| used != *module && !used.is_empty());
        uses.insert((*module).clone(), found.collect());
    }
    let deepest = uses.keys().map(|module| module.len()).max().unwrap_or(0);
    let mut circles = circles_of(&uses);
    for depth in 1..deepest {
        circles.extend(circles_of(&between_folders(&uses, depth)));
    }
    circles
}

type Uses = BTreeMap<Module, BTreeSet<Module>>;

/// What folders of a depth use of each other. Files beside them count as folders of their own.
fn between_folders(uses: &Uses, depth: usize) -> Uses {
    let folder = |module: &Module| module[..module.len().min(depth)].to_vec();
    let mut between = Uses::new();
    for (module, used) in uses {
        let own = folder(module);
        let others = used.iter().map(folder);
        // A folder's table of contents stands for what is in it, and what is above it is no neighbour.
        let others = others.filter(|other| *other != own && !own.starts_with(other));
        between.entry(own.clone()).or_default().extend(others);
    }
    between
}

/// Each circle once.
fn circles_of(uses: &Uses) -> Vec<Vec<String>> {
    let mut circles: Vec<Vec<String>> = Vec::new();
    for start in uses.keys() {
        if let Some(circle) = way(uses, start, start) {
            let names: Vec<String> = circle.iter().map(|module| module.join("::")).collect();
            let same = |other: &Vec<String>| {
                let set = |c: &[String]| c.iter().cloned().collect::<BTreeSet<_>>();
                set(other) == set(&names)
            };
            if !circles.iter().any(same) {
                circles.push(names);
            }
        }
    }
    circles
}

/// The shortest way from what `from` uses to `to`, with both ends.
fn way(uses: &Uses, from: &Module, to: &Module) -> Option<Vec<Module>> {
    let mut ways = vec![vec![from.clone()]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut further = Vec::new();
        for way in ways {
            for used in uses.get(way.last()?).into_iter().flatten() {
                let way = [way.as_slice(), std::slice::from_ref(used)].concat();
                if used == to {
                    return Some(way);
                }
                if seen.insert(used.clone()) {
                    further.push(way);
                }
            }
        }
        ways = further;
    }
    None
}

/// The source without its tests, comments and texts.
fn code(text: &str) -> String {
    let text = text
        .split("#[cfg(test)]\nmod tests")
        .next()
        .unwrap_or_default();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// What stands between a beginning and the next semicolon, for each line that begins so.
fn declarations(code: &str, beginning: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find(beginning) {
        let line_start = rest[..at].rfind('\n').map_or(0, |n| n + 1);
        let before = rest[line_start..at].trim();
        rest = &rest[at + beginning.len()..];
        let Some(end) = rest.find(';') else {
            break;
        };
        let visible = before.is_empty() || before.starts_with("pub");
        if visible {
            found.push(rest[..end].split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }
    found
}

/// `a::{b, c::d}` as `a::b` and `a::c::d`, without other names (`as`).
fn expanded(declaration: &str) -> Vec<Module> {
    let Some((lead, rest)) = declaration.split_once('{') else {
        let path = declaration.split(" as ").next().unwrap_or_default();
        let parts = path.split("::").map(|part| part.trim().to_owned());
        return vec![
            parts
                .filter(|part| !part.is_empty() && part != "self")
                .collect(),
        ];
    };
    let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for letter in inner.chars() {
        match letter {
            ',' if depth == 0 => parts.push(String::new()),
            _ => {
                depth += i32::from(letter == '{') - i32::from(letter == '}');
                if let Some(part) = parts.last_mut() {
                    part.push(letter);
                }
            }
        }
    }
    let parts = parts.iter().filter(|part| !part.trim().is_empty());
    parts
        .flat_map(|part| expanded(&format!("{lead}{}", part.trim())))
        .collect()
}

/// Paths of this crate in expressions and types: from its root, from the module above, and from the modules that are declared here.
fn in_code(code: &str) -> Vec<Module> {
    let declared = declarations(code, "mod ");
    let starts = declared.iter().map(|name| format!("{name}::"));
    let starts = starts.chain(["crate::".to_owned(), "super::".to_owned()]);
    let in_name = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let code = without_uses(code);
    let paths = starts.flat_map(|start| {
        let found = code.match_indices(&start).map(|(at, _)| at);
        let begins = found.filter(|at| !code[..*at].ends_with(in_name));
        let paths = begins.map(|at| {
            let path: String = code[at..].chars().take_while(|c| in_name(*c)).collect();
            path.split("::")
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect()
        });
        paths.collect::<Vec<Module>>()
    });
    // The module above alone is no name of anything: it stands in a text.
    let names = |path: &Module| path.iter().any(|part| part != "super" && part != "crate");
    paths.filter(names).collect()
}

/// The code without its `use` declarations, which are looked at apart.
fn without_uses(code: &str) -> String {
    let mut kept = String::new();
    let mut rest = code;
    while let Some(at) = rest.find("use ") {
        let line_start = rest[..at].rfind('\n').map_or(0, |n| n + 1);
        let before = rest[line_start..at].trim();
        let end = rest[at..].find(';').map_or(rest.len(), |end| at + end);
        if before.is_empty() || before.starts_with("pub") {
            kept.push_str(&rest[..line_start]);
            rest = &rest[end..];
        } else {
            kept.push_str(&rest[..at + 4]);
            rest = &rest[at + 4..];
        }
    }
    kept + rest
}

/// A path from the crate's root.
fn absolute(module: &Module, path: &Module) -> Module {
    let mut at = module.clone();
    let mut parts = path.as_slice();
    if let [first, rest @ ..] = parts
        && first == "crate"
    {
        (at, parts) = (Vec::new(), rest);
    }
    while let [first, rest @ ..] = parts
        && first == "super"
    {
        at.pop();
        parts = rest;
    }
    at.extend(parts.iter().cloned());
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let module = |path: &str| {
            path.split("::")
                .filter(|p| !p.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let files = files
            .iter()
            .map(|(path, text)| (module(path), (*text).to_owned()));
        circles(&files.collect())
    }

    #[test]
    fn circles_are_found_through_lists_code_and_names_that_are_passed_on() {
        let lists = [
            ("", "mod a; mod b;"),
            ("a", "use crate::{b::C, d};"),
            ("b", "use super::a::X;"),
        ];
        assert_eq!(of(&lists), [["a", "b", "a"]]);
        let code = [
            ("a", "fn f() { crate::b::g() }"),
            ("b", "fn g(_: super::a::T) {}"),
        ];
        assert_eq!(of(&code), [["a", "b", "a"]]);
        let passed_on = [
            (
                "data",
                "mod row; mod labels;\npub use row::Row;\npub use labels::Label;",
            ),
            ("data::row", "use super::labels::Label;"),
            ("data::labels", "use super::Row;"),
        ];
        assert_eq!(
            of(&passed_on),
            [["data::labels", "data::row", "data::labels"]]
        );
        let three = [
            ("a", "use crate::b::X;"),
            ("b", "use crate::c::X;"),
            ("c", "use crate::a::X;"),
        ];
        assert_eq!(of(&three), [["a", "b", "c", "a"]]);
    }

    #[test]
    fn a_module_and_one_below_it_are_a_circle_unless_it_only_passes_names_on() {
        let child = ("a::b", "use super::X;");
        for parent in [
            "mod b;\nuse b::Y;\nstruct X;",
            "mod b;\nstruct X;\nfn f() { b::g() }",
            "mod b;\npub use b::Y;\nstruct X;\nfn f() { b::g() }",
        ] {
            assert_eq!(of(&[("a", parent), child]).len(), 1, "{parent}");
        }
        let passes_on = ("a", "mod b;\npub use b::Y;\nstruct X;");
        assert_eq!(of(&[passes_on, child]), Vec::<Vec<String>>::new());
    }

    #[test]
    fn folders_that_use_each_other_are_a_circle_though_their_files_are_none() {
        let folders = [
            ("a::one", "use crate::b::one::X;"),
            ("b::one", ""),
            ("b::two", "use crate::a::two::X;"),
            ("a::two", ""),
        ];
        assert_eq!(of(&folders), [["a", "b", "a"]]);
        // One way is fine, whatever the files are called.
        assert_eq!(of(&folders[..2]), Vec::<Vec<String>>::new());
    }

    #[test]
    fn tests_comments_and_tables_of_contents_are_no_use() {
        let none = [
            ("", "mod a;\nmod b;\npub use a::X;"),
            ("a", "mod deep;\npub use deep::Y;\nuse crate::b::Z;"),
            ("a::deep", "use super::super::b::Z;"),
            (
                "b",
                "// use crate::a::X;\nfn f() {}\n#[cfg(test)]\nmod tests { use crate::a::X; }",
            ),
        ];
        assert_eq!(of(&none), Vec::<Vec<String>>::new());
    }
}
