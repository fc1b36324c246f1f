//! Tables in files.

use std::path::{Path, PathBuf};

use anyhow::Result;
use sightline::finding::Finding;
use sightline::vocabulary::NIH;
use sightline_measure::tables::{Label, Labels, Position, Reading, Row};

use crate::data::{Dataset, Selection};
use crate::golden;
use crate::storage::Location;

#[test]
fn golden_rows_are_read_from_either_spelling_of_the_header() {
    let expected = golden::json("labels/expected.json");
    for file in ["labels/chexpert.csv", "labels/chexpert_underscores.csv"] {
        let data =
            Dataset::read(&golden::path(file).as_path().into(), None).expect("CheXpert's format");
        assert_eq!(
            data.rows.len() as u64,
            expected["rows_total"].as_u64().expect("a count")
        );
        let data = data.select(&Selection::default()).expect("frontal rows");
        let rows = expected["rows"].as_array().expect("rows");
        assert_eq!(data.rows.len(), rows.len());
        for (row, expected) in data.rows.iter().zip(rows) {
            assert_eq!(row.path, expected["path"].as_str().expect("a path"));
            let last = |text: &str| text.rsplit('/').next().map(str::to_owned);
            assert_eq!(last(&row.patient).as_deref(), expected["patient"].as_str());
            assert_eq!(last(&row.study).as_deref(), expected["study"].as_str());
            let position = match row.position {
                Some(Position::Ap) => Some("AP"),
                Some(Position::Pa) => Some("PA"),
                None => None,
            };
            assert_eq!(position, expected["view_position"].as_str(), "{}", row.path);
            let raw = expected["raw"].as_array().expect("labels").iter();
            let raw: Vec<Option<f32>> = raw.map(|v| v.as_f64().map(|v| v as f32)).collect();
            let labels = row.labels.iter().map(|label| label.value());
            assert_eq!(labels.collect::<Vec<_>>(), raw, "{}", row.path);
        }
    }
}

#[test]
fn data_entry_is_read_and_its_images_are_found_where_they_are_unpacked() {
    let folder = tempfile::tempdir().expect("a folder");
    let csv = folder.path().join("Data_Entry_2017_v2020.csv");
    let text = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position\n\
                00000001_000.png,Cardiomegaly|Effusion,0,1,57,M,PA\n\
                00000002_000.png,No Finding,0,2,57,F,AP\n\
                00000003_000.png,Nodule,0,3,57,F,AP\n\
                00000003_001.png,Emphysema,1,3,57,F,AP\n";
    std::fs::write(&csv, text).expect("written");
    let place = folder.path().join("images_002/images");
    std::fs::create_dir_all(&place).expect("a folder");
    std::fs::write(place.join("00000002_000.png"), "").expect("written");

    let data = Dataset::read(&csv.as_path().into(), None).expect("ChestX-ray14's format");
    let label = |row: usize, finding: Finding| data.rows[row].labels[finding.index()];
    let (present, absent, unlabelled) = (Label::Present, Label::Absent, Label::Unlabelled);
    assert_eq!(label(0, Finding::Cardiomegaly), present);
    assert_eq!(label(0, Finding::PleuralEffusion), present);
    assert_eq!(label(0, Finding::Edema), absent);
    assert_eq!(label(0, Finding::LungOpacity), unlabelled);
    assert_eq!(label(0, Finding::Fracture), unlabelled);
    assert_eq!(label(1, Finding::NoFinding), present);
    assert_eq!(label(1, Finding::LungOpacity), absent);
    assert_eq!(label(2, Finding::LungLesion), present);
    assert_eq!(label(2, Finding::LungOpacity), present);
    assert_eq!(label(3, Finding::LungOpacity), unlabelled);
    assert_eq!(data.rows[1].position, Some(Position::Ap));

    // A package with ChestX-ray14's own findings keeps them apart.
    let data = Dataset::read_of(&csv.as_path().into(), None, &NIH).expect("its own labels");
    let label = |row: usize, name: &str| {
        let finding = Finding::named(name).expect("a name");
        data.rows[row].labels[data.place(finding).expect("it is there")]
    };
    assert_eq!(label(0, "Effusion"), present);
    assert_eq!(label(0, "Nodule"), absent);
    assert_eq!(label(2, "Nodule"), present);
    assert_eq!(label(2, "Mass"), absent);
    assert_eq!(label(3, "Emphysema"), present);
    assert_eq!(label(3, "Cardiomegaly"), absent);
    assert_eq!(data.place(Finding::PleuralEffusion), None);
    assert_eq!(data.patients().len(), 3);
    assert!(
        data.file(&data.rows[1])
            .to_string()
            .ends_with("images_002/images/00000002_000.png")
    );

    std::fs::write(&csv, text.replace("Nodule", "Gout")).expect("written");
    let error = Dataset::read(&csv.as_path().into(), None).expect_err("no label of the set");
    assert!(format!("{error:#}").contains("\"Gout\""), "{error:#}");
}

#[test]
fn headers_of_2017_and_2020_are_read_and_copies_without_the_patient() {
    let folder = tempfile::tempdir().expect("a folder");
    let csv = folder.path().join("Data_Entry_2017.csv");
    let read = |text: &str| {
        std::fs::write(&csv, text).expect("written");
        Dataset::read(&csv.as_path().into(), None).expect("ChestX-ray14's format")
    };
    let size = "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]";
    for text in [
        format!(
            "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,{size},\n\
             00000012_001.png,Pleural_Thickening|Infiltration,1,12,058Y,M,PA,2682,2749,0.143,0.143,\n"
        ),
        format!(
            "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Sex,View Position,{size}\r\n\
             00000012_001.png,Infiltration|Pleural Thickening,1,12,58,M,PA,2682,2749,0.143,0.143\r\n"
        ),
        "Image Index,Finding Labels,Patient Age,Patient Gender,View Position\n\
         00000012_001.png,Infiltration|Pleural_Thickening,58,M,PA\n"
            .to_owned(),
    ] {
        let data = read(&text);
        let row = &data.rows[0];
        let label = |finding: Finding| row.labels[finding.index()];
        assert_eq!(label(Finding::PleuralOther), Label::Present);
        assert_eq!(label(Finding::LungOpacity), Label::Present);
        assert_eq!(label(Finding::NoFinding), Label::Absent);
        assert_eq!(row.patient.as_ref(), "12");
        assert_eq!(row.column("Sex"), Some("M"));
        assert_eq!(row.column("AP/PA"), Some("PA"));
        assert_eq!(row.column("Age group"), Some("40 to 59"));
    }
}

fn cases(folder: &str) -> PathBuf {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    cases.join(folder)
}

fn rows(text: &str) -> Result<(Vec<Row>, Vec<String>)> {
    Reading::of(text, "a.csv", &Finding::ALL)?.finish(&Location::Local("nowhere".into()))
}

/// What a table says of each image.
fn says(data: &Dataset) -> Vec<(String, String, Labels, bool)> {
    let rows = data.rows.iter();
    rows.map(|row| {
        let (path, patient) = (row.path.clone(), row.patient.to_string());
        (path, patient, row.labels.clone(), row.lateral)
    })
    .collect()
}

#[test]
fn every_table_that_a_program_wrote_says_what_its_control_says() {
    let folder = cases("written-by-programs");
    let read = |name: &str| Dataset::read(&folder.join(name).as_path().into(), None);
    let control = says(&read("control.csv").expect("the control"));
    assert_eq!(control.len(), 6);
    let mut tables = 0;
    for file in std::fs::read_dir(&folder).expect("cases") {
        let path = file.expect("a case").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if !name.ends_with(".csv") {
            continue;
        }
        tables += 1;
        if name == "one_row_short.csv" {
            let error = read(&name).expect_err("a short row");
            assert!(
                format!("{error:#}").contains("line 5 has 18 cells"),
                "{error:#}"
            );
            continue;
        }
        let data = read(&name).unwrap_or_else(|error| panic!("{name}: {error:#}"));
        let mut found = says(&data);
        if name == "missing_images.csv" {
            let missing = found.pop().expect("a row");
            assert!(missing.0.contains("patient99999"), "{missing:?}");
        }
        assert_eq!(found, control, "{name}");
        for row in data.rows.iter().take(6) {
            assert!(data.file(row).exists(), "{name}: {}", row.path);
        }
    }
    assert_eq!(tables, 26);
}

#[test]
fn rows_that_are_there_twice_are_said() {
    let text = std::fs::read_to_string(cases("written-by-programs/rows_twice.csv"));
    let (rows, notes) = rows(&text.expect("a table")).expect("rows");
    assert_eq!(rows.len(), 6);
    let twice = notes
        .iter()
        .any(|note| note.contains("6 of 12 rows repeat"));
    assert!(twice && notes[0].contains("line 8"), "{notes:?}");
}

#[test]
fn rows_of_one_image_that_contradict_each_other_are_refused() {
    let header = "Path,Edema,Patient,Split\nCheXpert-v1.0/train/patient1/study1/a.jpg,1,p,train\n";
    let again = "D:\\CheXpert-v1.0-small\\train\\patient1\\study1\\a.jpg";
    for (second, why) in [
        ("1,p,valid", "so it is in two splits"),
        ("1,q,train", "two patients, p and q"),
        ("0,p,train", "other labels"),
    ] {
        let error = rows(&format!("{header}{again},{second}\n")).expect_err(why);
        let said = error.to_string();
        assert!(
            said.contains("line 2 and line 3") && said.contains(why),
            "{said}"
        );
    }
    let (kept, _) = rows(&format!("{header}{again},1.0,P,Train\n")).expect("the same");
    assert_eq!(kept.len(), 1);
}

#[test]
fn images_are_found_whichever_folders_their_paths_begin_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let small = folder.path().join("CheXpert-v1.0-small");
    let place = small.join("valid/patient1/study1");
    std::fs::create_dir_all(&place).expect("a folder");
    std::fs::write(place.join("a.jpg"), "").expect("written");
    for root in [folder.path(), small.as_path()] {
        for lead in [
            "CheXpert-v1.0-small/",
            "CheXpert-v1.0/",
            "D:\\data\\CheXpert-v1.0-small\\",
            "\\\\server\\share\\CheXpert-v1.0\\",
            "/elsewhere/chexpert-v1.0-small/",
            "./CheXpert-v1.0//",
        ] {
            let text = format!("Path,Edema\n{lead}valid\\patient1\\study1\\a.jpg,1\n");
            let reading = Reading::of(&text, "a.csv", &Finding::ALL).expect("a table");
            let root = Location::from(root);
            let (rows, _) = reading.finish(&root).expect("rows");
            let data = Dataset::new(root, rows);
            assert!(
                data.file(&data.rows[0]).exists(),
                "{lead} below {}",
                data.root
            );
        }
    }
    // Below a drive and folders that are not here.
    let text = "Path,Edema\nE:\\my\\cxr\\valid\\patient1\\study1\\a.jpg,1\nE:\\my\\cxr\\test\\patient2\\study1\\a.jpg,1\n";
    let root = Location::from(small.as_path());
    let (rows, _) = Reading::of(text, "a.csv", &Finding::ALL)
        .expect("a table")
        .finish(&root)
        .expect("rows");
    let data = Dataset::new(root, rows);
    assert!(data.file(&data.rows[0]).exists());
    assert!(
        data.file(&data.rows[1])
            .to_string()
            .ends_with("test/patient2/study1/a.jpg")
    );
}

#[test]
fn views_come_from_columns_then_from_names() {
    let lateral = |text: &str| -> Vec<bool> {
        let (rows, _) = rows(text).expect("rows");
        rows.iter().map(|row| row.lateral).collect()
    };
    let names = "Path\npatient1/study1/view1_frontal.jpg\npatient1/study1/view2_lateral.jpg\n";
    assert_eq!(lateral(names), [false, true]);
    let blank = "Path,Frontal/Lateral\npatient1/study1/view2_lateral.jpg,NaN\npatient1/study1/b.jpg,Lateral\n";
    assert_eq!(lateral(blank), [true, true]);
    let mimic = "Path,ViewPosition\np10000032/s1/a.jpg,PA\np10000032/s1/b.jpg,LATERAL\np10000032/s1/c.jpg,LL\n";
    assert_eq!(lateral(mimic), [false, true, true]);
    // CheXpert's decubitus pictures are frontal.
    let decubitus = "Path,Frontal/Lateral,AP/PA\npatient1/study1/a.jpg,Frontal,LL\n";
    assert_eq!(lateral(decubitus), [false]);
    let (_, notes) = rows("Path\npatient1/a.jpg\npatient2/b.jpg\n").expect("rows");
    let told = notes
        .iter()
        .any(|note| note.contains("2 of 2 rows do not say the view"));
    assert!(told, "{notes:?}");
    let against = "Path,Frontal/Lateral\npatient1/study1/view2_lateral.jpg,Frontal\n";
    let (_, notes) = rows(against).expect("rows");
    assert!(
        notes
            .iter()
            .any(|note| note.contains("the column is believed")),
        "{notes:?}"
    );
    assert!(rows("Path,Frontal/Lateral\na.jpg,Oblique\n").is_err());
}

#[test]
fn a_finding_without_a_column_is_not_labelled() {
    let (found, notes) = rows("Path,Airspace_Opacity\npatient1/a.jpg,1\n").expect("rows");
    let opacity = Finding::LungOpacity.index();
    for (index, label) in found[0].labels.iter().enumerate() {
        let expected = if index == opacity {
            Label::Present
        } else {
            Label::Unlabelled
        };
        assert_eq!(*label, expected);
    }
    let note = notes.iter().find(|note| note.contains("no column for"));
    let note = note.expect("said");
    assert!(
        note.contains("Fracture") && !note.contains("Opacity"),
        "{note}"
    );
    // Two columns for one finding: which?
    assert!(rows("Path,Airspace Opacity,Lung Opacity\na.jpg,1,0\n").is_err());
}

#[test]
fn patients_that_nobody_names_and_one_patient_for_all_are_said() {
    let note = |text: &str| -> String {
        let (_, notes) = rows(text).expect("rows");
        notes.join("; ")
    };
    let nobody = note("Path\npatients/1/a.jpg\npatients/2/b.jpg\n");
    assert!(nobody.contains("2 of 2 rows name no patient"), "{nobody}");
    let one = note("Path\npatient2019/1/a.jpg\npatient2019/2/b.jpg\n");
    assert!(
        one.contains("all 2 rows are of one patient, patient2019"),
        "{one}"
    );
    let (found, _) =
        rows("Path,Patient ID\npatients/1/a.jpg,007\npatients/2/b.jpg,7.0\n").expect("rows");
    assert_eq!(found[0].patient, found[1].patient);
}
