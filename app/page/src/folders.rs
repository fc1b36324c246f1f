//! Files in folders: dropped folders are walked through, and a button chooses one. Files stay where they are; only their handles are kept.

use js_sys::Reflect;
use leptos::html::Input;
use leptos::prelude::*;
use sightline_core::order::ordered;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;
use web_sys::{
    DataTransfer, FileList, FileSystemDirectoryEntry, FileSystemEntry, FileSystemFileEntry,
};

use super::handles;
use super::state::{Source, State};

/// Something that was dropped or pasted.
pub enum Given {
    File(Source),
    Folder(FileSystemDirectoryEntry),
}

/// The files and folders, in their order. They are to be asked for before the event of the drop is over.
pub fn given(transfer: &DataTransfer) -> Vec<Given> {
    let items = transfer.items();
    let items = (0..items.length()).filter_map(|index| items.get(index));
    let items = items.filter(|item| item.kind() == "file");
    let given = items.filter_map(|item| {
        // A browser without this method knows no folders.
        let entry = match Reflect::has(&item, &"webkitGetAsEntry".into()) {
            Ok(true) => item.webkit_get_as_entry().ok().flatten(),
            _ => None,
        };
        match entry.filter(FileSystemEntry::is_directory) {
            Some(folder) => Some(Given::Folder(folder.unchecked_into())),
            None => item.get_as_file().ok().flatten().map(|file| {
                let name = file.name();
                Given::File(Source::File(file, name))
            }),
        }
    });
    given.collect()
}

/// Opens what was given: files at once, folders when they were walked through.
pub fn open(state: State, given: Vec<Given>) {
    let mut files = Vec::new();
    let mut folders = Vec::new();
    for (place, one) in given.into_iter().enumerate() {
        match one {
            Given::File(source) => files.push((place, source)),
            Given::Folder(folder) => folders.push((place, folder)),
        }
    }
    if folders.is_empty() {
        let files = files.into_iter().map(|(_, source)| source);
        return state.give(files.collect(), Vec::new());
    }
    spawn_local(async move {
        let mut empty = Vec::new();
        for (place, folder) in folders {
            let found = walk(&folder).await;
            if found.is_empty() {
                empty.push(folder.name());
            }
            files.extend(found.into_iter().map(|source| (place, source)));
        }
        let files = ordered(files, |(a, _), (b, _)| a.cmp(b));
        let files = files.into_iter().map(|(_, source)| source);
        state.give(files.collect(), empty);
    });
}

/// The files in a folder and in those within it, in the order of their paths. Hidden ones are left out, and what cannot be listed.
async fn walk(folder: &FileSystemDirectoryEntry) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![(folder.clone(), folder.name())];
    while let Some((folder, path)) = folders.pop() {
        for entry in handles::entries(&folder).await {
            let name = entry.name();
            if is_hidden(&name) {
                continue;
            }
            let path = format!("{path}/{name}");
            match entry.is_directory() {
                true => folders.push((entry.unchecked_into(), path)),
                false => found.push((path, entry.unchecked_into::<FileSystemFileEntry>())),
            }
        }
    }
    let found = ordered(found, |(a, _), (b, _)| a.cmp(b));
    let found = found.into_iter();
    found
        .map(|(path, entry)| Source::Entry(entry, path))
        .collect()
}

fn is_hidden(name: &str) -> bool {
    name.is_empty() || name.starts_with('.')
}

/// The files of a list, by name or, within a folder, by path.
pub fn listed(files: &FileList) -> Vec<Source> {
    let files = (0..files.length()).filter_map(|index| files.get(index));
    let files = files.map(|file| {
        let path = Reflect::get(&file, &"webkitRelativePath".into()).ok();
        let path = path.and_then(|path| path.as_string()).unwrap_or_default();
        let name = if path.is_empty() { file.name() } else { path };
        Source::File(file, name)
    });
    files.collect()
}

/// The files that were chosen by a field, which is then empty: so the same file can be chosen again.
pub fn chosen(input: NodeRef<Input>) -> Vec<Source> {
    let Some(input) = input.get_untracked() else {
        return Vec::new();
    };
    let files = input.files().map_or_else(Vec::new, |files| listed(&files));
    input.set_value("");
    files
}

/// The button that chooses a folder.
#[component]
pub fn FolderButton() -> impl IntoView {
    let state = expect_context::<State>();
    let input = NodeRef::<Input>::new();
    let choose = move |_| {
        let Some(input) = input.get() else {
            return;
        };
        let mut files = input.files().map_or(Vec::new(), |files| listed(&files));
        // The folder itself may be a hidden one: it was chosen.
        files.retain(|file| !file.name().split('/').skip(1).any(is_hidden));
        let files = ordered(files, |a, b| a.name().cmp(&b.name()));
        match files.is_empty() {
            // Of an empty folder not even the name is told.
            true => state.complain("The folder holds no file."),
            false => state.give(files, Vec::new()),
        }
        // So that the same folder can be chosen again.
        input.set_value("");
    };
    // No standard has this attribute, though all browsers know it.
    input.on_load(|input| {
        // Fails only for a name that can be none.
        let _ = input.set_attribute("webkitdirectory", "");
    });
    view! {
        <label class="button">
            "choose a folder"
            <input
                node_ref=input
                type="file"
                data-testid="folder-input"
                on:change=choose
            />
        </label>
    }
}
