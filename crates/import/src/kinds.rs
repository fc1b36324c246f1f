//! What a file is that holds no weights which can be read: its kind by name, and what to do.

use crate::zip;

/// What the file is and what to do, in a sentence or two; `None` where it may be weights.
pub fn refusal(bytes: &[u8]) -> Option<String> {
    by_its_start(bytes).or_else(|| zip::is_zip(bytes).then(|| of_a_zip(bytes)).flatten())
}

const GET_WEIGHTS: &str =
    "Get the file of the weights itself (.pth, .pt, .ckpt, .safetensors or .onnx)";
const SAVE_STATE_DICT: &str =
    "save its weights alone with torch.save(model.state_dict(), \"weights.pth\"), and import that";

fn by_its_start(bytes: &[u8]) -> Option<String> {
    const UNPACK: &str = "Unpack it, and import the file of the weights that is in it";
    if bytes.is_empty() {
        return Some(
            "the file is empty (0 bytes): copying or downloading it failed. Get it again"
                .to_owned(),
        );
    }
    if bytes.iter().all(|byte| *byte == 0) {
        return Some(
            "the file holds nothing but zeros: copying or downloading it failed. Get it again"
                .to_owned(),
        );
    }
    let kinds: [(&[u8], &str, &str); 13] = [
        (
            b"version https://git-lfs.github.com/spec/",
            "a git LFS pointer, which only says where the weights are",
            "Fetch the weights with \"git lfs pull\", or download them from the repository's page",
        ),
        (
            b"\x89HDF\r\n\x1a\n",
            "an HDF5 file, as Keras and TensorFlow save weights (.h5)",
            "Only PyTorch's weights can be imported. Convert the model to ONNX or to a PyTorch state dict first",
        ),
        (b"\x1f\x8b", "an archive (gzip)", UNPACK),
        (b"BZh", "an archive (bzip2)", UNPACK),
        (b"\xfd7zXZ\0", "an archive (xz)", UNPACK),
        (b"7z\xbc\xaf\x27\x1c", "an archive (7z)", UNPACK),
        (b"Rar!\x1a\x07", "an archive (RAR)", UNPACK),
        (b"\x28\xb5\x2f\xfd", "an archive (Zstandard)", UNPACK),
        (b"\x93NUMPY", "a numpy array", GET_WEIGHTS),
        (b"GGUF", "a GGUF file of a language model", GET_WEIGHTS),
        (b"\x89PNG\r\n", "a picture (PNG)", GET_WEIGHTS),
        (b"\xff\xd8\xff", "a picture (JPEG)", GET_WEIGHTS),
        (b"%PDF", "a PDF document", GET_WEIGHTS),
    ];
    let say = |what: &str, to_do: &str| Some(format!("the file is {what}. {to_do}"));
    for (start, what, to_do) in kinds {
        if bytes.starts_with(start) {
            return say(what, to_do);
        }
    }
    if bytes.get(4..8) == Some(b"TFL3") {
        return say(
            "a TensorFlow Lite model",
            "Only PyTorch's weights can be imported. Convert the model to ONNX or to a PyTorch state dict first",
        );
    }
    if bytes.get(128..132) == Some(b"DICM") {
        return say("a picture (DICOM)", GET_WEIGHTS);
    }
    if bytes.get(257..262) == Some(b"ustar") && !crate::torch_file::is_torch_tar(bytes) {
        return say("an archive (tar)", UNPACK);
    }
    text(bytes)
}

fn text(bytes: &[u8]) -> Option<String> {
    const LOOKED_AT: usize = 1024;
    let start = &bytes[..bytes.len().min(LOOKED_AT)];
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let control = |byte: &u8| *byte < b' ' && !b"\t\n\r\x0c".contains(byte);
    if start.iter().any(control) {
        return None;
    }
    let start = String::from_utf8_lossy(start);
    let start = start.trim_start();
    let lower = start.to_lowercase();
    if lower.starts_with("<!doctype html")
        || lower.starts_with("<html")
        || lower.starts_with("<head")
    {
        return Some(
            "the file is an HTML page, not weights: a download page or an error was saved in their place. Download the \
             file itself"
                .to_owned(),
        );
    }
    if start.starts_with('<') {
        return Some(format!(
            "the file is an XML text, perhaps a server's error. {GET_WEIGHTS}"
        ));
    }
    // A pickle of protocol 0 is a text too.
    if looks_like_a_pickle(bytes) {
        return None;
    }
    Some(match start.starts_with(['{', '[']) {
        true => format!("the file is a JSON text, not weights. {GET_WEIGHTS}"),
        false => format!("the file is a text, not weights. {GET_WEIGHTS}"),
    })
}

fn looks_like_a_pickle(bytes: &[u8]) -> bool {
    let end = bytes.trim_ascii_end();
    end.ends_with(b".")
        && [&b"(d"[..], b"c", b"(l", b"}"]
            .iter()
            .any(|start| bytes.starts_with(start))
}

fn of_a_zip(bytes: &[u8]) -> Option<String> {
    let names = match zip::names(bytes) {
        Ok(names) => names,
        Err(zip::ZipError::Cut) => {
            return Some(
                "the file is cut off: its end is missing, as after a download that broke off. Get it again".to_owned(),
            );
        }
        Err(_) => return None,
    };
    let has = |what: &dyn Fn(&str) -> bool| names.iter().any(|name| what(name));
    let in_folder =
        |name: &str, folder: &str| name.starts_with(folder) || name.contains(&format!("/{folder}"));
    if has(&|name| in_folder(name, "code/") && name.ends_with(".py")) {
        return Some(format!(
            "the file is a TorchScript program (torch.jit.save). Load it with torch.jit.load, {SAVE_STATE_DICT}"
        ));
    }
    if has(&|name| {
        name.ends_with("serialized_exported_program.json") || name.ends_with("archive_format")
    }) {
        return Some(format!(
            "the file is a program of torch.export (.pt2). Load it with torch.export.load, {SAVE_STATE_DICT}"
        ));
    }
    if has(&|name| name.ends_with("data.pkl")) {
        return None;
    }
    if has(&|name| name.ends_with(".weights.h5")) {
        return Some(
            "the file is a Keras model (.keras). Only PyTorch's weights can be imported. Convert the model to ONNX or to a \
             PyTorch state dict first"
                .to_owned(),
        );
    }
    if !names.is_empty() && names.iter().all(|name| name.ends_with(".npy")) {
        return Some(format!(
            "the file is an archive of numpy arrays (.npz). {GET_WEIGHTS}"
        ));
    }
    let shown: Vec<_> = names.iter().take(3).copied().collect();
    Some(format!(
        "the file is an archive (zip) of other files: {}. Unpack it, and import the file of the weights that is in it",
        shown.join(", ")
    ))
}
