//! What holds no weights is called by its name, with what to do; and nothing in a file is ever run.

use sightline_import::containers;

use crate::support::{fixtures, imported, read, settings};

fn refusal(bytes: &[u8]) -> String {
    containers::read(bytes)
        .map(|tensors| tensors.len())
        .expect_err("no weights")
        .to_string()
}

#[test]
fn what_is_no_file_of_weights_is_called_by_its_name() {
    let mut tar = vec![0; 1024];
    tar[..5].copy_from_slice(b"a.txt");
    tar[257..262].copy_from_slice(b"ustar");
    for (bytes, name, to_do) in [
        (&b""[..], "empty", "Get it again"),
        (&[0; 64], "nothing but zeros", "Get it again"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n",
            "git LFS pointer",
            "git lfs pull",
        ),
        (b"\x89HDF\r\n\x1a\n\0\0\0", "HDF5", "Convert"),
        (
            b"\n<!DOCTYPE html><html>",
            "HTML page",
            "Download the file itself",
        ),
        (
            b"<?xml version=\"1.0\"?><Error>AccessDenied</Error>",
            "XML",
            "Get the file",
        ),
        (b"\x1f\x8b\x08\0", "archive (gzip)", "Unpack it"),
        (b"7z\xbc\xaf\x27\x1c\0\x04", "archive (7z)", "Unpack it"),
        (b"Rar!\x1a\x07\x01\0", "archive (RAR)", "Unpack it"),
        (&tar, "archive (tar)", "Unpack it"),
        (b"{\"lr\": 0.1}", "JSON text", "Get the file"),
        (b"Not Found", "a text", "Get the file"),
        (b"\x89PNG\r\n\x1a\n", "a picture (PNG)", "Get the file"),
        (b"\x1c\0\0\0TFL3", "TensorFlow Lite", "Convert"),
        (b"\x93NUMPY\x01\0", "numpy array", "Get the file"),
        (
            b"\x01\x02\x03\x04",
            "no kind that is known here",
            ".safetensors",
        ),
    ] {
        let said = refusal(bytes);
        assert!(said.contains(name) && said.contains(to_do), "{said}");
    }
    for (file, name) in [
        ("torchscript.pt", "TorchScript"),
        ("exported.pt2", "torch.export"),
    ] {
        let said = refusal(&read(&fixtures().join("containers").join(file)));
        assert!(
            said.contains(name) && said.contains("model.state_dict()"),
            "{said}"
        );
    }
}

/// A zip of uncompressed parts.
fn zip(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut bytes, mut contents) = (Vec::new(), Vec::new());
    for (name, part) in parts {
        let offset = bytes.len() as u32;
        let mut fields = vec![10, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        fields.extend(crc32fast::hash(part).to_le_bytes());
        fields.extend([part.len() as u32; 2].map(u32::to_le_bytes).concat());
        fields.extend([name.len() as u8, 0, 0, 0]);
        bytes.extend([b"PK\x03\x04", &fields[..], name.as_bytes(), part].concat());
        let place = [&[0; 10][..], &offset.to_le_bytes()].concat();
        contents.extend([b"PK\x01\x02\x0a\0", &fields[..], &place, name.as_bytes()].concat());
    }
    let count = parts.len() as u8;
    let mut end = vec![0, 0, 0, 0, count, 0, count, 0];
    end.extend((contents.len() as u32).to_le_bytes());
    end.extend((bytes.len() as u32).to_le_bytes());
    [bytes, contents, b"PK\x05\x06".to_vec(), end, vec![0, 0]].concat()
}

#[test]
fn archives_of_other_things_are_called_by_their_name() {
    let keras = zip(&[("config.json", b"{}"), ("model.weights.h5", b"\x89HDF")]);
    assert!(refusal(&keras).contains("Keras"));
    let old_script = zip(&[("m/model.json", b"{}"), ("m/code/m.py", b"pass")]);
    assert!(refusal(&old_script).contains("TorchScript"));
    assert!(refusal(b"\x08\x01\x12\x02\x0a\x00").contains("SavedModel"));
    let arrays = zip(&[("a.npy", b"\x93NUMPY")]);
    assert!(refusal(&arrays).contains("numpy arrays"));
    let others = zip(&[("read me.txt", b"hello"), ("weights/model.pth", b"PK")]);
    let said = refusal(&others);
    assert!(
        said.contains("archive (zip)") && said.contains("weights/model.pth"),
        "{said}"
    );
    let cut = &others[..others.len() - 30];
    assert!(refusal(cut).contains("cut off"));
}

#[test]
fn cut_files_are_said_to_be_cut() {
    let folder = fixtures().join("containers");
    for file in ["zip.pth", "legacy.pth", "tar.pth", "halves.safetensors"] {
        let bytes = read(&folder.join(file));
        let said = refusal(&bytes[..bytes.len() / 3]);
        assert!(said.contains("cut off"), "{file}: {said}");
    }
}

/// A pickle that asks for a command to be run. Were it run, there would be a file.
#[test]
fn a_pickle_that_asks_for_a_command_runs_nothing() {
    let mark = std::env::temp_dir().join(format!("sightline-import-{}", std::process::id()));
    let command = format!("touch {}", mark.display());
    let ask = |module: &str, name: &str| {
        let mut bytes = format!("\u{0}\u{2}c{module}\n{name}\n").into_bytes();
        bytes[0] = 0x80;
        bytes.push(b'X');
        bytes.extend((command.len() as u32).to_le_bytes());
        bytes.extend(command.as_bytes());
        bytes.extend(b"\x85R.");
        bytes
    };
    for (module, name) in [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("subprocess", "check_output"),
    ] {
        let pickle = ask(module, name);
        for bytes in [
            pickle.clone(),
            zip(&[("archive/data.pkl", &pickle), ("archive/version", b"3")]),
        ] {
            let said = refusal(&bytes);
            assert!(said.contains("no floating-point tensor"), "{said}");
            assert!(imported("weights.pth", &bytes, &settings()).is_err());
        }
    }
    assert!(!mark.exists());
}

/// Values that contain each other, or share parts so often that following them never ends.
#[test]
fn pickles_made_to_exhaust_the_reader_are_refused_at_once() {
    // A list in itself.
    assert!(refusal(b"\x80\x02]q\x00h\x00a.").contains("no floating-point tensor"));
    // Twenty-six lists, each of which has the one before ten times.
    let mut bytes = b"\x80\x02K\x01q\x00".to_vec();
    for level in 1..=26 {
        bytes.push(b'(');
        for _ in 0..10 {
            bytes.extend([b'h', level - 1]);
        }
        bytes.extend([b'l', b'q', level]);
    }
    bytes.push(b'.');
    assert!(refusal(&bytes).contains("nested without end"));
    // Deeper than a stack.
    let mut bytes = b"\x80\x02".to_vec();
    bytes.extend(std::iter::repeat_n(b']', 100_000));
    bytes.extend(std::iter::repeat_n(b'a', 99_999));
    bytes.push(b'.');
    assert!(refusal(&bytes).contains("nested without end"));
}
