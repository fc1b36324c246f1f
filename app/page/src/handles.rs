//! What the browser says of folders and of files in them.

use js_sys::{Array, Promise};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{File, FileSystemDirectoryEntry, FileSystemEntry, FileSystemFileEntry};

/// What lies in a folder; nothing, or less than all, where the browser cannot list it.
pub async fn entries(folder: &FileSystemDirectoryEntry) -> Vec<FileSystemEntry> {
    let reader = folder.create_reader();
    let mut all = Vec::new();
    // A reader gives some at a time, and none at the end.
    loop {
        let some =
            answered(|done, failed| reader.read_entries_with_callback_and_callback(done, failed));
        let some = some.await.map(|some| Array::from(&some));
        let Some(some) = some.ok().filter(|some| some.length() > 0) else {
            return all;
        };
        all.extend(some.iter().map(JsCast::unchecked_into::<FileSystemEntry>));
    }
}

/// The file of an entry.
///
/// # Errors
/// When it is not there any more.
pub async fn file(entry: &FileSystemFileEntry, name: &str) -> Result<File, String> {
    let file = answered(|done, failed| {
        entry.file_with_callback_and_callback(done, failed);
        Ok(())
    });
    let file = file.await;
    file.map(JsCast::unchecked_into)
        .map_err(|_| format!("{name} is not in its folder any more."))
}

/// What a call says to one of the two functions that it is given.
async fn answered(
    call: impl FnOnce(&js_sys::Function, &js_sys::Function) -> Result<(), JsValue>,
) -> Result<JsValue, JsValue> {
    let mut call = Some(call);
    let promise = Promise::new(&mut |done, failed| {
        let called = call.take().map(|call| call(&done, &failed));
        if let Some(Err(why)) = called {
            // It fails only where the function throws, and this one does not.
            let _ = failed.call1(&JsValue::UNDEFINED, &why);
        }
    });
    JsFuture::from(promise).await
}
