//! What the path of an image tells, however it is written: with `\` or `/`, behind a drive letter, below any folder.

use std::borrow::Cow;

/// A path of a table with `/` between its folders, without `.` and empty ones.
///
/// A drive letter stays in front (`D:/data/a.png`), as does the `/` of an absolute path and the `//` of a Windows share.
pub fn plain(path: &str) -> Cow<'_, str> {
    let clean = !path.contains('\\')
        && !path.starts_with('/')
        && path.split('/').all(|part| !["", ".", ".."].contains(&part));
    if clean {
        return path.into();
    }
    let path = path.replace('\\', "/");
    let start = match path.as_bytes() {
        [b'/', b'/', ..] => "//",
        [b'/', ..] => "/",
        _ => "",
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("{start}{}", parts.join("/")).into()
}

/// How long the beginning of a plain path is that says where a data set lies, and not which image it is: all up to and with
/// CheXpert's own folder, or what makes a path absolute.
pub fn lead(plain: &str) -> usize {
    let mut start = 0;
    for part in plain.split_inclusive('/') {
        let end = start + part.len();
        if part.ends_with('/') && part.to_ascii_lowercase().starts_with("chexpert-v1.0") {
            return end;
        }
        start = end;
    }
    match plain.as_bytes() {
        [b'/', b'/', ..] => 2,
        [b'/', ..] => 1,
        [letter, b':', b'/', ..] if letter.is_ascii_alphabetic() => 3,
        _ => 0,
    }
}

/// What two spellings of one image's path have in common: the path in its data set, or, of ChestX-ray14, the file's name, which
/// no other of its images has.
pub fn key(path: &str) -> Cow<'_, str> {
    let plain = plain(path);
    let name = file_name(&plain);
    let start = match nih_patient(name) {
        Some(_) => plain.len() - name.len(),
        None => lead(&plain),
    };
    match plain {
        Cow::Borrowed(plain) => plain[start..].into(),
        Cow::Owned(plain) => plain[start..].to_owned().into(),
    }
}

/// The patient and the study that a path names. A study is the folder below the patient's.
///
/// CheXpert's `patient00001/study1`, MIMIC-CXR's `p10000032/s50414267`, and the number in ChestX-ray14's `00000001_000.png`.
/// Folders above do not tell patients apart: the same name below `train` and `valid` is one patient.
pub fn patient_and_study(path: &str) -> Option<(String, Option<String>)> {
    let plain = plain(path);
    let parts: Vec<&str> = plain.split('/').collect();
    let (file, folders) = parts.split_last()?;
    // The last: a person's own folder may be called like a patient's.
    if let Some(at) = folders.iter().rposition(|part| is_patient(part)) {
        let study = folders.get(at + 1).map(|study| (*study).to_owned());
        return Some((same_patient(folders[at]), study));
    }
    Some((nih_patient(file)?, None))
}

/// The patient that a column's cell names; `None` where there is no column, or it is blank.
pub fn patient_in(cell: Option<&str>) -> Option<String> {
    cell.filter(|name| !name.is_empty()).map(same_patient)
}

/// The folder that names an image's patient, with all above it in its data set.
pub fn patient_folder(path: &str) -> Option<String> {
    let key = key(path);
    let folders: Vec<&str> = key.split('/').collect();
    let (_, folders) = folders.split_last()?;
    let at = folders.iter().rposition(|part| is_patient(part))?;
    Some(folders[..=at].join("/"))
}

/// The number in a folder's name, as tables write it: `10000032` of `p10000032`, `12` of `patient00012`.
pub fn patient_number(of_path: &str) -> Option<String> {
    let number = of_path.trim_start_matches(|c: char| !c.is_ascii_digit());
    // Few digits are used by every data set for other patients.
    let digits = number.len() > 5 && number.bytes().all(|b| b.is_ascii_digit());
    (digits && number.len() < of_path.len()).then(|| same_patient(number))
}

/// A patient's name without what spreadsheets do to it: `00012`, `12` and `12.0` are one, and so are `ID7` and `id7`.
pub fn same_patient(name: &str) -> String {
    let whole = name.strip_suffix(".0").unwrap_or(name);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits(whole) {
        let number = whole.trim_start_matches('0');
        return if number.is_empty() { "0" } else { number }.to_owned();
    }
    name.to_lowercase()
}

/// `patient00001`, `patient-12`, `patientIM-0147`; not `patients`, and no word like `patient_data`.
fn is_patient(folder: &str) -> bool {
    let lower = folder.to_ascii_lowercase();
    let mimic = lower.strip_prefix('p').unwrap_or_default();
    if mimic.len() == 8 && mimic.bytes().all(|b| b.is_ascii_digit()) {
        return true;
    }
    let Some(name) = lower.strip_prefix("patient") else {
        return false;
    };
    let letters = name.trim_start_matches(['-', '_', ' ']);
    let number = letters.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let letters = &letters[..letters.len() - number.len()];
    let number = number.trim_start_matches(['-', '_']);
    !name.starts_with('s') && letters.len() <= 3 && number.starts_with(|c: char| c.is_ascii_digit())
}

/// Whether a path is a file name of ChestX-ray14, and nothing else.
pub fn is_nih(plain: &str) -> bool {
    nih_patient(plain).is_some()
}

/// The patient's number in a file name of ChestX-ray14.
fn nih_patient(file: &str) -> Option<String> {
    let (stem, _) = file.split_once('.')?;
    let (patient, image) = stem.split_once('_')?;
    let digits = |text: &str, many| text.len() == many && text.bytes().all(|b| b.is_ascii_digit());
    (digits(patient, 8) && digits(image, 3)).then(|| same_patient(patient))
}

/// Whether the file's name says that the view is lateral (`view2_lateral.jpg`) or frontal.
pub fn is_lateral(path: &str) -> Option<bool> {
    sightline_core::radiograph::is_lateral(file_name(&plain(path)))
}

fn file_name(plain: &str) -> &str {
    plain.rsplit('/').next().unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_path_name_one_patient_study_and_image() {
        for path in [
            "CheXpert-v1.0-small/train/patient00001/study2/view1_frontal.jpg",
            "CheXpert-v1.0/train/patient00001/study2/view1_frontal.jpg",
            "CheXpert-v1.0-small\\train\\patient00001\\study2\\view1_frontal.jpg",
            "D:\\data\\CheXpert-v1.0-small\\train\\patient00001\\study2\\view1_frontal.jpg",
            "e:/cxr/chexpert-v1.0-small/train/patient00001/study2/view1_frontal.jpg",
            "\\\\server\\share\\CheXpert-v1.0\\train\\patient00001\\study2\\view1_frontal.jpg",
            "/data/CheXpert-v1.0//train/./patient00001/study2/view1_frontal.jpg",
            "./CheXpert-v1.0/other/../train/patient00001/study2/view1_frontal.jpg",
            "train/patient00001/study2/view1_frontal.jpg",
            "train\\patient00001/study2\\view1_frontal.jpg",
        ] {
            let (patient, study) = patient_and_study(path).expect("a patient");
            assert_eq!(patient, "patient00001", "{path}");
            assert_eq!(study.as_deref(), Some("study2"), "{path}");
            assert_eq!(
                key(path),
                "train/patient00001/study2/view1_frontal.jpg",
                "{path}"
            );
        }
        let valid = "CheXpert-v1.0/valid/patient00001/study1/view1_frontal.jpg";
        let (patient, _) = patient_and_study(valid).expect("a patient");
        assert_eq!(patient, "patient00001");
    }

    #[test]
    fn patients_of_other_sets_are_known_and_no_folder_is_taken_for_one() {
        let patient = |path| patient_and_study(path).map(|(patient, _)| patient);
        for (path, name) in [
            ("images_001/images/00000012_003.png", "12"),
            ("00000012_000.png", "12"),
            ("files/p10/p10000032/s50414267/02aa804e.jpg", "p10000032"),
            (
                "images/hannover/patient024e7871/fff1/view1_frontal.jpg",
                "patient024e7871",
            ),
            ("kermany/patientIM-0147/study1/a.jpg", "patientim-0147"),
            ("Patient_7/a.jpg", "patient_7"),
        ] {
            assert_eq!(patient(path).as_deref(), Some(name), "{path}");
        }
        for path in [
            "patients/0001/a.png",
            "patients2020/a.png",
            "patient/a.png",
            "patient_data_2019/a.png",
            "images/a.png",
            "patient00001.png",
            "a.png",
        ] {
            assert_eq!(patient(path), None, "{path}");
        }
        for name in ["00012", "12", "12.0"] {
            assert_eq!(same_patient(name), "12");
        }
        assert_eq!(same_patient("NIH-00012"), same_patient("nih-00012"));
        assert_eq!(same_patient("000"), "0");
    }

    #[test]
    fn views_are_read_from_file_names_alone() {
        for (path, lateral) in [
            ("patient1/study1/view2_lateral.jpg", Some(true)),
            ("patient1\\study1\\VIEW1_Frontal.JPG", Some(false)),
            ("img-lat.png", Some(true)),
            ("lateral1.png", Some(true)),
            ("collateral.png", None),
            ("lateral/a.png", None),
            ("00000001_000.png", None),
        ] {
            assert_eq!(is_lateral(path), lateral, "{path}");
        }
    }
}
