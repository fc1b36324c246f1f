//! Tables as Windows, Excel and pandas write them, through the commands.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::command::{
    Argument, command, dry_run, refuse, run, shipped_recipe, succeed, training, workspace,
};
use crate::{HEADER, csv, pictures, shipped};

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

/// A recipe of a small network for a table of a data folder.
fn recipe(folder: &Path, change: impl Fn(&mut serde_json::Value)) -> PathBuf {
    let mut recipe = shipped_recipe();
    recipe["input"]["size"] = 32.into();
    recipe["data"] = serde_json::json!({ "csv": "labels.csv", "description": "" });
    change(&mut recipe);
    let path = folder.join("recipe.json");
    std::fs::write(&path, recipe.to_string()).expect("written");
    path
}

/// What a plan of a training says, on both streams, or why there is none.
fn plan(recipe: &Path, data: &Path) -> Result<String, String> {
    let arguments = dry_run(&recipe, &data);
    let output = run(&arguments);
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&output.stdout) + &text(&output.stderr);
    match output.status.success() {
        true => Ok(said),
        false => Err(said),
    }
}

#[test]
fn a_patient_who_trains_and_validates_is_found_however_paths_are_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = cases().join("windows-paths");
    for name in [
        "leak_control",
        "leak_windows",
        "leak_drive_letter",
        "leak_mixed_prefix",
    ] {
        let recipe = recipe(folder.path(), |recipe| {
            recipe["data"]["csv"] = format!("{name}.csv").into();
        });
        let said = plan(&recipe, &data).expect_err(name);
        assert!(
            said.contains("patient patient90001 is in two splits"),
            "{name}: {said}"
        );
    }
    for name in ["fair_control", "fair_windows", "full_set_prefix"] {
        let recipe = recipe(folder.path(), |recipe| {
            recipe["data"]["csv"] = format!("{name}.csv").into();
        });
        let said = plan(&recipe, &data).expect(name);
        assert!(said.contains("train: 3 images of 2 patients"), "{said}");
        // The images are found.
        let (model, out) = (shipped(), folder.path().join(name));
        let table = data.join(format!("{name}.csv"));
        let said = succeed(&[
            &"predict", &"--model", &model, &"--csv", &table, &"--out", &out,
        ]);
        assert!(said.contains("4 images scored"), "{said}");
    }
}

#[test]
fn missing_images_are_named_and_the_others_scored() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("scores.csv");
    let table = cases().join("written-by-programs/missing_images.csv");
    let model = shipped();
    let output = run(&[
        &"predict", &"--model", &model, &"--csv", &table, &"--out", &out,
    ]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("images/patient99999/study1/view1_frontal.jpg") && said.contains("1 of 7"),
        "{said}"
    );
    let scores = std::fs::read_to_string(&out).expect("scores");
    assert_eq!(scores.lines().count(), 1 + 6);
}

#[test]
fn an_image_in_two_splits_under_two_names_is_found_by_its_content() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let names = pictures(root, 6);
    std::fs::copy(root.join(&names[0]), root.join("again.png")).expect("a copy");
    // The same pixels in another file.
    let picture = image::open(root.join(&names[1])).expect("a picture");
    picture.save(root.join("pixels.bmp")).expect("written");
    let encoder = image::codecs::png::PngEncoder::new_with_quality(
        std::fs::File::create(root.join("pixels.png")).expect("a file"),
        image::codecs::png::CompressionType::Uncompressed,
        image::codecs::png::FilterType::NoFilter,
    );
    picture.write_with_encoder(encoder).expect("written");
    let rows = |last: &str| {
        let mut rows: Vec<(String, &str)> = names.iter().map(|n| (n.clone(), "train")).collect();
        rows[4].1 = "valid";
        rows[5] = (last.to_owned(), "valid");
        let rows: Vec<_> = rows.iter().enumerate().collect();
        let labels = ["0", "1"];
        let patients: Vec<String> = (0..6).map(|patient| format!("p{patient}")).collect();
        let rows: Vec<_> = rows
            .iter()
            .map(|(i, (path, split))| (path.as_str(), labels[i % 2], patients[*i].as_str(), *split))
            .collect();
        csv(root, &rows)
    };
    let recipe = recipe(root, |_| {});
    rows(&names[5]);
    plan(&recipe, root).expect("six pictures");
    rows("again.png");
    let said = plan(&recipe, root).expect_err("one file twice");
    assert!(
        said.contains("the same file")
            && said.contains("image-0.png")
            && said.contains("again.png"),
        "{said}"
    );
    rows("pixels.png");
    let out = root.join("run");
    let train = training(&recipe, &root, &out, &[]);
    refuse(&train, "the same picture");
    // A large JPEG, which a training decodes smaller, and the PNG of its pixels.
    let sample = workspace().join("www/samples/effusion.jpg");
    std::fs::copy(&sample, root.join(&names[2])).expect("a copy");
    let bytes = std::fs::read(&sample).expect("a sample");
    let image = sightline::radiograph::Radiograph::decode(&bytes)
        .expect("a radiograph")
        .image;
    let twin = image::GrayImage::from_raw(image.width as u32, image.height as u32, image.pixels);
    twin.expect("its pixels")
        .save(root.join("twin.png"))
        .expect("written");
    rows("twin.png");
    refuse(&train, "the same picture");
    // Of another table too.
    rows(&names[5]);
    let also = format!("{HEADER}\nagain.png,,,,,{}again,train\n", "0,".repeat(14));
    std::fs::write(root.join("also.csv"), also).expect("written");
    let text = format!(
        "{HEADER}\n{},,,,,{}first,valid\n",
        names[0],
        "0,".repeat(14)
    );
    std::fs::write(root.join("valid.csv"), text).expect("written");
    let also = self::recipe(root, |recipe| {
        recipe["data"] = serde_json::json!(
            { "train": "labels.csv", "valid": "valid.csv", "also": ["also.csv"], "description": "" });
    });
    let labels = std::fs::read_to_string(root.join("labels.csv")).expect("labels");
    let others: Vec<&str> = labels
        .lines()
        .filter(|l| !l.starts_with(&names[0]))
        .collect();
    std::fs::write(root.join("labels.csv"), others.join("\n")).expect("written");
    let said = plan(&also, root).expect_err("trained on by another table");
    assert!(said.contains("also.csv, line 2"), "{said}");
}

#[test]
fn a_table_that_names_no_patient_says_that_it_cannot_be_checked() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let names = pictures(root, 4);
    let table = |folder: &str, header: &str| {
        std::fs::create_dir_all(root.join(folder)).expect("a folder");
        let mut text = format!("Path,Edema,Split{header}");
        for (number, name) in names.iter().enumerate() {
            let place = root.join(folder).join(name);
            std::fs::copy(root.join(name), place).expect("a copy");
            let split = ["train", "train", "valid", "test"][number];
            let patient = if header.is_empty() { "" } else { ",A" };
            text += &format!("\n{folder}/{name},{},{split}{patient}", number % 2);
        }
        std::fs::write(root.join("labels.csv"), text).expect("written");
    };
    let recipe = recipe(root, |_| {});
    for folder in ["patients", "images"] {
        table(folder, "");
        let said = plan(&recipe, root).expect("a plan");
        assert!(
            said.contains("4 of 4 rows name no patient") && said.contains("cannot be checked"),
            "{said}"
        );
        assert!(
            said.contains("2 images of an unknown number of patients"),
            "{said}"
        );
    }
    let hold_out = self::recipe(root, |recipe| {
        recipe["data"]["hold_out"] = serde_json::json!({ "valid": 0.5, "test": 0.0 });
    });
    let said = plan(&hold_out, root).expect_err("nobody to hold out");
    assert!(said.contains("add a column Patient"), "{said}");
    // With the column, the one patient is found.
    table("patients", ",Patient");
    let recipe = self::recipe(root, |_| {});
    let said = plan(&recipe, root).expect_err("one patient");
    assert!(said.contains("patient a is in two splits"), "{said}");
}

#[test]
fn a_patient_is_found_whether_a_column_names_it_or_a_path() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let recipe = recipe(root, |recipe| {
        recipe["data"] = serde_json::json!(
            { "train": "train.csv", "valid": "valid.csv", "description": "" });
    });
    let planned = |train: &str, valid: &str| {
        std::fs::write(root.join("train.csv"), train).expect("written");
        std::fs::write(root.join("valid.csv"), valid).expect("written");
        plan(&recipe, root)
    };
    let own = "CheXpert-v1.0-small/train/patient90001/study1/view1_frontal.jpg,1\n\
               CheXpert-v1.0-small/train/patient90002/study1/view1_frontal.jpg,0\n";
    // Folders above the data set may look like a patient's.
    for above in ["/home/p12345678/", "D:\\patient2019\\", "/data/patient1/"] {
        let same = format!(
            "Path,Edema\n{above}CheXpert-v1.0-small/train/patient90001/study2/view1_frontal.jpg,1\n"
        );
        let said = planned(&format!("Path,Edema\n{own}"), &same).expect_err(above);
        assert!(
            said.contains("patient90001 is in two splits"),
            "{above}: {said}"
        );
    }
    // A column here, a path there.
    let column = "Path,Patient,Edema\na.jpg,10000032,1\nb.jpg,10000033,0\n";
    let path = "Path,Edema\nfiles/p10/p10000032/s50414267/c.jpg,1\n";
    let said = planned(column, path).expect_err("one patient");
    assert!(said.contains("10000032 is in two splits"), "{said}");
    let said = planned(path, column).expect_err("one patient");
    assert!(said.contains("is in two splits"), "{said}");
    let other = "Path,Edema\nfiles/p10/p10000099/s50414267/c.jpg,1\n";
    planned(column, other).expect("another patient");
    // A column that is filled in for some images of a folder is meant for all of them.
    let table = "Path,Patient,Edema,Split\npatient7/study1/a.jpg,x,1,train\npatient8/study1/a.jpg,y,0,train\n\
                 patient7/study2/a.jpg,,1,valid\n";
    std::fs::write(root.join("labels.csv"), table).expect("written");
    let one = self::recipe(root, |_| {});
    let said = plan(&one, root).expect_err("one patient");
    assert!(said.contains("patient x is in two splits"), "{said}");
    let table = table.replace("a.jpg,,1", "a.jpg,z,1");
    std::fs::write(root.join("labels.csv"), table).expect("written");
    let said = plan(&one, root).expect_err("two patients in one folder");
    assert!(said.contains("mend the column"), "{said}");
}

#[test]
fn an_empty_list_and_a_part_without_a_column_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let names = pictures(root, 2);
    let rows: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), "1", "a", "test"))
        .collect();
    let (csv, model) = (csv(root, &rows), shipped());
    let list = root.join("list.txt");
    for text in ["", ",,,\n\n"] {
        std::fs::write(&list, text).expect("written");
        let out = root.join("out.csv");
        let arguments: [Argument; 9] = [
            &"predict", &"--model", &model, &"--csv", &csv, &"--list", &list, &"--out", &out,
        ];
        let output = run(&arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let named = said.contains("names no image") || said.contains("the file is empty");
        assert!(!output.status.success() && named, "{said}");
    }
    refuse(
        &[
            &"evaluate",
            &"--model",
            &model,
            &"--csv",
            &csv,
            &"--part",
            &"Sexx",
        ],
        "no column Sexx",
    );
}

#[test]
fn laterals_are_skipped_with_their_count_and_lists_choose_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let names = pictures(root, 3);
    let study = root.join("test/patient64741/study1");
    std::fs::create_dir_all(&study).expect("a folder");
    let views = [
        "view1_frontal.png",
        "view2_lateral.png",
        "view3_frontal.png",
    ];
    // CheXpert's official test labels have no column for the view.
    let mut text = "Path,Enlarged Cardiomediastinum,Cardiomegaly,Airspace Opacity".to_owned();
    for (view, name) in views.iter().zip(&names) {
        std::fs::copy(root.join(name), study.join(view)).expect("a copy");
        text += &format!("\ntest/patient64741/study1/{view},0.0,1.0,1.0");
    }
    let labels = root.join("test_labels.csv");
    std::fs::write(&labels, text).expect("written");
    let out = root.join("scores.csv");
    let model = shipped();
    let predict = |more: &[Argument]| {
        let arguments: [Argument; 7] = [
            &"predict", &"--model", &model, &"--csv", &labels, &"--out", &out,
        ];
        let output = run(&[&arguments, more].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        let scores = std::fs::read_to_string(&out).expect("scores");
        let paths = scores
            .lines()
            .skip(1)
            .filter_map(|line| line.split(',').next());
        (said, paths.map(str::to_owned).collect::<Vec<_>>())
    };
    let (said, paths) = predict(&[]);
    assert_eq!(paths.len(), 2);
    assert!(!paths.iter().any(|path| path.contains("lateral")));
    assert!(
        said.contains("1 of 3 images are lateral views and are left out"),
        "{said}"
    );
    let (said, paths) = predict(&[&"--views", &"all"]);
    assert_eq!(paths.len(), 3);
    assert!(
        said.contains("1 of 3 images are lateral views, and taken in"),
        "{said}"
    );
    let list = root.join("list.txt");
    let text = "test\\patient64741\\study1\\view3_frontal.png\r\n\r\nother.png\r\n";
    std::fs::write(&list, text).expect("written");
    let (said, paths) = predict(&[&"--list", &list]);
    assert_eq!(paths, ["test/patient64741/study1/view3_frontal.png"]);
    assert!(
        said.contains("1 of 2 images are in no row of the CSV, other.png first"),
        "{said}"
    );
}

/// As many rows as CheXpert's training set, in a process of its own; the images are not there.
#[cfg(target_os = "linux")]
#[test]
fn a_plan_of_a_table_as_large_as_chexperts_takes_little_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let header = HEADER.trim_end_matches(",Patient,Split");
    let table = |name: &str, rows: std::ops::Range<usize>| {
        let mut text = header.to_owned();
        for row in rows {
            let (patient, study) = (row * 64_540 / 223_414, row % 3);
            text += &format!(
                "\nCheXpert-v1.0-small/train/patient{patient:05}/study{study}/view{row}_frontal.jpg,Female,{},Frontal,AP,\
                 1.0,0.0,,-1.0,,,0.0,,1.0,,,,,1.0",
                row % 90
            );
        }
        std::fs::write(root.join(name), text).expect("written");
    };
    table("train.csv", 0..223_414);
    table("valid.csv", 240_000..240_234);
    let recipe = recipe(root, |recipe| {
        recipe["data"] = serde_json::json!(
            { "train": "train.csv", "valid": "valid.csv", "description": "" });
    });
    let arguments = dry_run(&recipe, &root);
    let mut child = command(&arguments)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the trainer starts");
    // What wait4 says of a child is at least what its parent had when it began, and this one runs other tests too.
    let most = || -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    let mut kilobytes = 0;
    // A process that has ended has no memory, until it is waited for.
    while let Some(now) = most() {
        kilobytes = now;
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let mut said = String::new();
    let mut pipe = child.stdout.take().expect("a pipe");
    pipe.read_to_string(&mut said).expect("UTF-8");
    assert!(child.wait().expect("its end").success(), "{said}");
    assert!(said.contains("223414 images of 64540 patients"), "{said}");
    // Less than 20 MB would be no table read: a sign that nothing was measured.
    assert!((20 << 10..250 << 10).contains(&kilobytes), "{kilobytes} kB");
}
