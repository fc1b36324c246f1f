//! The message file of the page, and the code whose texts it has.

use std::collections::BTreeSet;
use std::fs::read_to_string;
use std::path::{Path, PathBuf};

use sightline_session::texts::{Texts, sentences};

/// What is translated whole: a text that one of these says and the message file lacks is an error.
const WHOLE: [&str; 11] = [
    "app/page/src",
    "crates/import/src/proposal.rs",
    "crates/session/src",
    "crates/measure/src/validation",
    "crates/core/src/finding.rs",
    "crates/core/src/vocabulary.rs",
    "crates/core/src/gate/kind.rs",
    "crates/core/src/gate/mod.rs",
    "crates/core/src/gate/tags.rs",
    "crates/core/src/radiograph/formats",
    "crates/core/src/radiograph/refusal.rs",
];
/// Likewise, where single words are names that are the same in every language.
const SENTENCES: [&str; 21] = [
    "app/engine/src",
    "crates/core/src/architecture.rs",
    "crates/core/src/package/manifest.rs",
    "crates/core/src/package/mod.rs",
    "crates/core/src/radiograph/input.rs",
    "crates/import/src/containers.rs",
    "crates/import/src/error.rs",
    "crates/import/src/fit.rs",
    "crates/import/src/kinds.rs",
    "crates/import/src/onnx.rs",
    "crates/import/src/pickle.rs",
    "crates/import/src/recognise.rs",
    "crates/import/src/shards.rs",
    "crates/import/src/torch_file.rs",
    "crates/import/src/zip.rs",
    "crates/measure/src/tables/boxes.rs",
    "crates/measure/src/tables/chexpert.rs",
    "crates/measure/src/tables/labels.rs",
    "crates/measure/src/tables/reading.rs",
    "crates/measure/src/tables/table.rs",
    "crates/measure/src/tables/text.rs",
];
/// Where else texts come from that people read on the page.
const OTHERS: [&str; 8] = [
    "src/network/state_dict.rs",
    "crates/core/src",
    "crates/import/src/lib.rs",
    "crates/measure/src/tables/columns.rs",
    "crates/measure/src/tables/nih.rs",
    "www/cases/index.json",
    "www/index.html",
    "www/sw.js",
];
/// What comes right before a literal that nobody reads.
const NOT_READ: [&str; 25] = [
    " b",
    "!b",
    "column(",
    "needed(",
    "one_of(&[",
    "say(format!(",
    "(b",
    "class=",
    "closest(",
    "const ACCEPTED: &str =",
    "const NOT: &str =",
    "const PHONE: &str =",
    " d=",
    "error!(",
    "expect(",
    "href=",
    "is_in(",
    "ok_or(",
    "preserveAspectRatio=",
    "reason =",
    "set_font(",
    "skip_serializing_if =",
    "unreachable!(",
    "viewBox=",
    "warn!(",
];
/// What is the same in every language, is said to programs or by them, or is part of a model's card.
const ALLOWED: [&str; 49] = [
    "(prefers-color-scheme: {name})",
    "Adebayo et al., 2018",
    "And {more} more: see the model's card.",
    "ArrowDown",
    "ArrowLeft",
    "ArrowRight",
    "ArrowUp",
    "CRC error",
    "ChestX-ray14 (NIH)",
    "Deutsch",
    "English",
    "Enter",
    "Escape",
    "Krishna et al., 2022",
    "Path",
    "Patient ID",
    "View Position",
    "What an output stands for: a name of printable characters, without a space at its ends.",
    "Petsiuk et al., RISE (2018)",
    "Ribeiro et al., 2016",
    "The finding was not trained: it has no map.",
    "There is no radiograph: read one first.",
    "VinDr-CXR",
    "Zech et al., 2018",
    " on masks",
    "airspace opacity",
    "basic render",
    "the file lacks the network's last layer, such as {prefix}classifier.weight",
    "{error}, center, random",
    "exhausted data",
    "failed to fill",
    "line {number} is no line of a message file",
    "linear-gradient(to right, {})",
    "n, p",
    "no more bytes",
    "not all",
    "not all was written",
    "not kept",
    "r, l",
    "take over",
    "there is none of that name",
    "translate({:.4}%, {:.4}%) rotate({turn}deg) scale({scale:.6})",
    "unexpected end",
    "unexpected eof",
    "version https://git-lfs",
    "{said}And {more} more: see the model's card.",
    "{} (NIH ChestX-ray14)",
    "{} ({images} images of an unknown number of patients)",
    "{} ({images} images of {patients} patients)",
];
/// What the code puts together of what it says in several places.
const JOINED: [&str; 11] = [
    "Grad-CAM of {}",
    "The GPU could not score {} pictures at once.",
    "The engine could not score {} pictures at once.",
    "The engine stopped while it read the picture, most likely out of memory.",
    "The engine stopped while it read {}, most likely out of memory.",
    "The folders {} hold no file.",
    "The strongest region lowers the score by {}.",
    "The strongest region raises the score by {}.",
    "{} mm a pixel down and {} mm across",
    "{} mm a pixel down and {} mm across on the detector",
    "{} mm a pixel on the detector",
];
/// The names of transfer syntaxes are the standard's.
const NAMES: &str = "dicom/syntax.rs";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn german() -> Texts {
    let file = read_to_string(root().join("www/texts/de.po")).expect("a message file");
    Texts::parse(&file).expect("a message file that can be read")
}

/// The sources at a path, with their text without tests and comments.
fn sources(path: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut left = vec![root().join(path)];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).expect("a folder");
            left.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else if !path.ends_with("tests.rs") && !path.ends_with("cases.rs") {
            let text = read_to_string(&path).expect("a source");
            let tests = text.find("#[cfg(test)]\nmod tests");
            let text = &text[..tests.unwrap_or(text.len())];
            let code = |line: &&str| !line.trim_start().starts_with("//");
            let lines: Vec<&str> = text.lines().filter(code).collect();
            found.push((path.display().to_string(), lines.join("\n")));
        }
    }
    assert!(!found.is_empty(), "{path} is not there");
    found
}

/// The string literals of a source, each with what comes before it; lines that end in a backslash are joined.
fn literals(source: &str) -> Vec<(&str, String)> {
    let mut found = Vec::new();
    let mut left = source;
    let mut start = 0;
    while let Some(at) = left.find('"') {
        // A quote as a letter is none of a literal.
        if left[..at].ends_with('\'') {
            start += at + 1;
            left = &left[at + 1..];
            continue;
        }
        let before = source[..start + at].trim_end();
        let mut said = String::new();
        let mut letters = left[at + 1..].char_indices().peekable();
        let mut length = 0;
        while let Some((place, letter)) = letters.next() {
            length = place + 1;
            match letter {
                '"' => break,
                '\\' => match letters.next() {
                    Some((_, '\n')) => {
                        while letters.next_if(|(_, c)| c.is_whitespace()).is_some() {}
                    }
                    Some((_, 'u')) => {
                        let code: String = letters
                            .by_ref()
                            .map(|(_, c)| c)
                            .take_while(|c| *c != '}')
                            .collect();
                        let code = u32::from_str_radix(code.trim_start_matches('{'), 16);
                        said.extend(code.ok().and_then(char::from_u32));
                    }
                    Some((_, 'n')) => said.push('\n'),
                    Some((_, other)) => said.push(other),
                    None => {}
                },
                other => said.push(other),
            }
        }
        found.push((before, said));
        start += at + 1 + length;
        left = &left[at + 1 + length..];
    }
    found
}

/// The words between the holes of a text.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut depth = 0;
    for letter in text.chars() {
        match letter {
            '{' => {
                depth += 1;
                pieces.push(String::new());
            }
            '}' => depth -= 1,
            _ if depth > 0 => {}
            other => pieces.last_mut().expect("a piece").push(other),
        }
    }
    let worded = |piece: &String| piece.chars().filter(|c| c.is_alphabetic()).count() > 1;
    let pieces = pieces.iter().map(|piece| piece.trim().to_owned());
    pieces.filter(worded).collect()
}

/// Whether it reads as English: several words, or one that begins a line if `least` is not more.
fn is_read(text: &str, least: usize) -> bool {
    let words = text.split_whitespace();
    let words = words.filter(|word| word.chars().any(char::is_alphabetic));
    let known = |c: char| {
        c.is_alphanumeric() || " .,;:!?()'’“”–-+/%=&{}\n\u{2192}\u{b2}\u{b1}_".contains(c)
    };
    let begins = text.chars().next().is_some_and(char::is_uppercase);
    let words = words.count();
    let speaks = text.chars().any(char::is_lowercase);
    speaks
        && text.chars().all(known)
        && words >= least
        && (words > 1 || (begins && words == 1 && text.len() > 3))
}

#[test]
fn every_text_of_the_page_is_in_the_message_file() {
    let german = german();
    let known: Vec<String> = german
        .all()
        .iter()
        .map(|text| text.english.join("{}"))
        .collect();
    let mut missing = Vec::new();
    let mut seen = 0;
    let of = |paths: &[&str], words| {
        let sources = paths.iter().flat_map(|path| sources(path));
        sources
            .map(|(name, source)| (name, source, words))
            .collect::<Vec<_>>()
    };
    let all = of(&WHOLE, 1).into_iter().chain(of(&SENTENCES, 2));
    for (name, source, words) in all.filter(|(name, ..)| !name.ends_with(NAMES)) {
        for (before, literal) in literals(&source) {
            let nobody_reads = NOT_READ.iter().any(|end| before.ends_with(end));
            if nobody_reads || !is_read(&literal, words) || ALLOWED.contains(&literal.as_str()) {
                continue;
            }
            for sentence in sentences(&literal) {
                for piece in pieces(sentence) {
                    seen += 1;
                    let piece = piece.trim_matches(|c: char| " .;:,".contains(c));
                    if !known.iter().any(|text| text.contains(piece)) {
                        missing.push(format!("{name}: {piece:?}"));
                    }
                }
            }
        }
    }
    assert!(seen > 500, "only {seen} texts were seen");
    assert!(
        missing.is_empty(),
        "not translated:\n{}",
        missing.join("\n")
    );
}

/// English words that no German text has.
const ENGLISH: [&str; 14] = [
    "the", "of", "and", "is", "with", "are", "this", "that", "from", "has", "not", "by", "it", "to",
];

#[test]
fn what_is_put_together_is_translated_in_all_its_parts() {
    let german = german();
    let cases = [
        "Read in 812 ms, including the Grad-CAM maps of all findings",
        "Fetching the model: 3.1 of 28.4 MiB",
        "LIME: 120 of 1000 samples",
        "Preparing LIME",
        "a.dcm, 1024 x 768 pixels, 12 of 16 bits, DX CHEST PA, 0.14 mm a pixel down and 0.15 mm across on the detector, window center \
         2048, width 4096 (NORMAL); DICOM, JPEG Lossless",
        "cardiomegaly.jpg, 1024 x 1024 pixels, 8 bits",
        "Support Devices 0.41 \u{2192} 0.30 without what is erased, called",
        "Fracture not trained",
        "Study 2, 3 views: Edema 0.52, Lung Opacity 0.61",
        "3 of 5 read, 1 cannot be read",
        "Not readable: This is a text file; Sightline reads DICOM, JPEG, JPEG-LS, PNG, TIFF, BMP, GIF and WebP. Choose the picture itself.",
        "One radiograph is shown at a time: a.png. Not readable: b.txt (This is a text file; Sightline reads DICOM, JPEG, JPEG-LS, PNG, \
         TIFF, BMP, GIF and WebP. Choose the picture itself), c.jpg (The file is empty). In the list: d.png, e.png.",
        "None of these files can be read: a (The file is damaged and cannot be decoded (a scan without a frame). Copy or download it \
         again), b (The file is empty).",
        "The file is cut short or damaged: 41% of the picture is there, the rest is missing. Copy or download it again.",
        "The picture has 30000 x 10 pixels, more than can be read (64 megapixels, 20000 pixels on a side). Save it smaller: the model \
         looks at a few hundred pixels on a side.",
        "The file uses a feature of its format that is not supported (a DICOM picture in MPEG-4 AVC/H.264). Save it as an 8- or 16-bit PNG.",
        "The file's tags say that the picture is a lateral view (patient orientation A, F). The picture looks like a frontal chest \
         radiograph; tags are often wrong.",
        "Not a picture for this model. The picture looks like a chest radiograph that is turned or upside down: 0.91 on the detector's \
         scale from 0 to 1.",
        "The model m is refused: the manifest contradicts itself: x.",
        "For: +3.250, against: -1.125, the other networks: +0.125, bias: -2.500; together -0.375, the logit behind the score 0.43.",
        "For: +0.300, against: -0.100, with every region hidden: +0.200; together +0.400, the score that LIME's linear model expects.",
        "After 400 samples, the map is not stable. Its 43 regions explain 61% of how the score changes (R\u{b2} 0.61). The strongest region \
         raises the score by 0.123 \u{b1} 0.010.",
        "Grad-CAM of densenet: the model's evidence for Pleural Effusion.",
        "LIME: which regions raise the score of Lung Lesion.",
        "The radiograph with a Occlusion map: where hiding a part lowers the score of Edema, and what speaks against it",
        "B with a Grad-CAM map of Lung Opacity",
        "Measured on the image set \u{201c}x\u{201d}: a case with the finding scores higher than a case without it 87 times in 100 (AUC 0.87, \
         95% interval 0.80 to 0.92; 40 cases with it, 160 without).",
        "The highest point of this model's LIME map lies in the radiologist's box in 43% of 88 images (95% interval 33% to 54%); the middle \
         of the picture lies in the box in 20% of them. On the same images this is better than the middle (paired test, p = 0.012).",
        "The highest point of this model's LIME map lies in the radiologist's box in 43% of 88 images. By this measure or by the overlap \
         with the box, these maps are no better than a spot in the middle of the picture: LIME maps of Edema are unreliable for this model.",
        "Of the fifth of the picture that each map marks most, LIME and Grad-CAM share 31% (20% by chance): they disagree, so rely on \
         neither alone. Their rank correlation is 0.21.",
        "random classifier and last stage, 5 times: the map hardly changes in 2 of them (rank correlation 0.31, from 0.10 to 0.90)",
        "Deletion (erasing): area 0.31; the same map moved elsewhere 0.40 (0.30 to 0.51); spots about the middle 0.38",
        "The score 0.61 is at or above the operating point 0.40: the model calls this finding.",
        "What each region does by itself explains 70% of how the score changes (R\u{b2} 0.70): the rest comes from regions acting together.",
        "Measured: length 12.0 mm, heart 30 pixels; cardiothoracic ratio 0.51 (on an upright PA radiograph of an adult, up to 0.50 is \
         usual). Millimetres are those on the detector, where a body is seen larger than it is.",
        "0: definitely absent, 1: probably absent, 2: possibly present, 3: probably present, 4: definitely present",
        "Boxes that a radiologist drew: Cardiomegaly, Pleural Effusion",
        "CPU, 4 workers",
        "The graphics card is not used: this browser does not offer WebGPU on this page.",
        "12 requests since the start, none with data",
        "25, 50 and 75% of +0.31 (solid, for) and of -0.20 (dashed, against)",
        "The engine stopped while it read a.dcm, most likely out of memory. Close other tabs, then load the model again, or choose a smaller one.",
        "yes (0.40)",
        "0.87 (0.80 to 0.92)",
        "8 bits: darker",
        "weights.pth: the file is empty (0 bytes): copying or downloading it failed. Get it again.",
        "weights.h5: the file is an HDF5 file, as Keras and TensorFlow save weights (.h5). Only PyTorch's weights can be imported. Convert \
         the model to ONNX or to a PyTorch state dict first.",
        "a.zip: the file is an archive (zip) of other files: a/b.pth, c. Unpack it, and import the file of the weights that is in it.",
        "a.pt: the file is a TorchScript program (torch.jit.save). Load it with torch.jit.load, save its weights alone with \
         torch.save(model.state_dict(), \"weights.pth\"), and import that.",
        "a.pth: the file is damaged, or cut off: it ends within a value.",
        "a.pth: the file is damaged, or cut off: it lacks the numbers of storage 3.",
        "a.pth: the weights are of a vision transformer, which Sightline does not have. Sightline has densenet121, 169 and 201, \
         efficientnet_b0 to b5, efficientnet_lite0 to 2, mnasnet1_0, vgg19 and vgg19_bn, and several of them together.",
        "a.pth: the weights are not of densenet121: of its tensors 12% are there. The file has 300 tensors, the first being conv1.weight, \
         bn1.weight. They are of a ResNet.",
        "a.pth: features.conv0.weight has a value that is not a number (NaN); the weights are damaged, or their training failed.",
        "b.safetensors: a.safetensors: features.conv0.weight is in another of the files too.",
        "a.csv: line 12 has 3 cells, the header 14: the row is cut, or a delimiter is missing or too many.",
        "a.csv: line 3 and line 9 are of one image, patient1/a.jpg, so it is in two splits, \"train\" and \"test\".",
        "a.csv: this is no table in text, but an Excel workbook or another ZIP archive: save the sheet as CSV.",
        "a.csv: there is no column Path; the header says: a, b, c.",
        "a.csv: line 4: \"maybe\" is no label; labels are 1 or True, 0 or False, -1 or u (uncertain), and blank.",
        "3 of 12 rows repeat a row before them and are left out; the first is in line 5",
        "00000129_000.png. No box was drawn on it. NIH Clinical Center, ChestX-ray14 (Wang et al., CVPR 2017): no restrictions on use, \
         attribution asked for.",
    ];
    for english in cases {
        let said = german.said(english);
        let words = said.split(|c: char| !c.is_alphabetic());
        let left: Vec<&str> = words.filter(|word| ENGLISH.contains(word)).collect();
        assert!(left.is_empty() && said != english, "{english:?}: {said:?}");
    }
    assert_eq!(
        german.said("Not readable: The file is empty."),
        "Nicht lesbar: Die Datei ist leer."
    );
    assert_eq!(
        german.said("Edema 0.30 \u{2192} 0.20 without what is erased, called"),
        "Ödem 0.30 \u{2192} 0.20 ohne das Gelöschte, gemeldet"
    );
}

#[test]
fn every_text_of_the_message_file_is_said_somewhere_once_and_is_a_sentence() {
    let said: Vec<String> = WHOLE
        .iter()
        .chain(&SENTENCES)
        .chain(&OTHERS)
        .flat_map(|path| sources(path))
        .flat_map(|(_, source)| {
            let mut said: Vec<String> = literals(&source)
                .into_iter()
                .map(|(_, said)| said)
                .collect();
            // JavaScript and HTML have other quotes.
            said.push(source);
            said
        })
        .collect();
    let german = german();
    let mut known = BTreeSet::new();
    let mut wrong = Vec::new();
    for text in german.all() {
        let english = text.english.join("{}");
        if sentences(&english).len() > 1 {
            wrong.push(format!("{english:?} is of several sentences"));
        }
        let joined = JOINED.contains(&english.as_str());
        for piece in pieces(&english).iter().filter(|_| !joined) {
            // What is between marks may be said in several places.
            let parts = piece
                .split([';', ':', ',', '.', '%', '(', ')'])
                .map(str::trim);
            for part in parts.filter(|part| !part.is_empty()) {
                if !said.iter().any(|said| said.contains(part)) {
                    wrong.push(format!("{part:?} of {english:?} is said nowhere"));
                }
            }
        }
        if text.translated.concat().trim().is_empty() {
            wrong.push(format!("{english:?} is not translated"));
        }
        if !known.insert(english.clone()) {
            wrong.push(format!("{english:?} is there twice"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
