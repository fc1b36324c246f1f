"""Makes the page's case library, www/cases/, of NIH ChestX-ray14's pictures in ../shared/data.

    python xtask/library/make.py ../shared/data www

Needs Python alone. Each picture is of another patient of the test split, and none has a read of RSNA's: labels and boxes are the
NIH's own. Pictures are copied as they are. Writes the pictures, index.json, labels.csv and SOURCES.md.
"""

import csv
import hashlib
import json
import shutil
import sys
from collections import Counter, defaultdict
from pathlib import Path

FINDINGS = [
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema", "Consolidation",
    "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture", "Support Devices",
]
# How many pictures there are at least for each finding, the rarest first: with boxes of it where True.
WANTED = [
    ("Pneumonia", True, 3), ("Lung Lesion", True, 5), ("Atelectasis", True, 4), ("Lung Opacity", True, 4), ("Pneumothorax", True, 5),
    ("Cardiomegaly", True, 5), ("Pleural Effusion", True, 5), ("Edema", False, 2), ("Consolidation", False, 3),
    ("Pleural Other", False, 3), ("No Finding", False, 8),
]
# The page's samples: their labels and boxes are in the index too.
SAMPLES = {"cardiomegaly.jpg": "00000211_016.png", "effusion.jpg": "00007471_003.png", "no-finding.jpg": "00000129_000.png"}
LICENCE = "NIH Clinical Center, ChestX-ray14 (Wang et al., CVPR 2017): no restrictions on use, attribution asked for"
MOST_BYTES = 60_000


def order(row):
    """A fixed order that follows no finding and no patient."""
    return hashlib.sha256(row["SourceId"].encode()).hexdigest()


def labels_of(row):
    """The NIH's labels. Uncertain ones are not theirs: they come from comparing with RSNA's reads."""
    return {finding: int(row[finding]) for finding in FINDINGS if row[finding] in ("0", "1")}


def chosen(rows, boxes):
    """Pictures until there are as many of each finding as wanted, each of another patient."""
    taken, patients = [], {row["Patient"] for row in rows if row["SourceId"] in SAMPLES.values()}
    test = [row for row in rows if row["Split"] == "test" and not row["RSNAClass"]]
    for finding, boxed, wanted in WANTED:
        has = lambda row: row[finding] == "1" and (not boxed or any(box["finding"] == finding for box in boxes[row["Path"]]))
        # First those with boxes, so that as many as possible have some.
        for row in sorted(filter(has, test), key=lambda row: (not boxes[row["Path"]], order(row))):
            if sum(map(has, taken)) >= wanted:
                break
            if row["Patient"] not in patients:
                patients.add(row["Patient"])
                taken.append(row)
        if sum(map(has, taken)) < wanted:
            sys.exit(f"there are only {sum(map(has, taken))} pictures with {finding}")
    return sorted(taken, key=order)


def main(data, www):
    rows = list(csv.DictReader((data / "nih.csv").open()))
    boxes = defaultdict(list)
    for box in csv.DictReader((data / "boxes.csv").open()):
        if box["Source"].startswith("NIH"):
            place = {name.lower(): round(float(box[name]), 5) for name in "XYWH"}
            boxes[box["Path"]].append({"finding": box["Class"], **place})
    cases, folder = chosen(rows, boxes), www / "cases"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.jpg"):
        old.unlink()
    files = []
    for row in cases:
        file = Path(row["SourceId"]).stem + ".jpg"
        shutil.copyfile(data / row["Path"], folder / file)
        if (folder / file).stat().st_size > MOST_BYTES:
            sys.exit(f"{file} has more than {MOST_BYTES} bytes")
        files.append((file, row))
    by_source = {row["SourceId"]: row for row in rows}
    samples = [(f"../samples/{file}", by_source[source]) for file, source in SAMPLES.items()]
    if any(row["Split"] != "test" for _, row in samples):
        sys.exit("a sample is not in the test split")

    entries = [
        {"file": file, "source": row["SourceId"], "labels": labels_of(row), "boxes": boxes[row["Path"]]}
        for file, row in files + samples
    ]
    lines = ",\n  ".join(json.dumps(entry) for entry in entries)
    (folder / "index.json").write_text(f'{{"licence": {json.dumps(LICENCE)}, "cases": [\n  {lines}\n]}}\n')

    with (folder / "labels.csv").open("w", newline="") as out:
        table = csv.writer(out, lineterminator="\n")
        table.writerow(["Path", "Frontal/Lateral", *FINDINGS, "Patient", "Split"])
        for file, row in files + samples:
            table.writerow([Path(file).name, "Frontal", *(labels_of(row).get(finding, "") for finding in FINDINGS), row["Patient"], row["Split"]])

    count = Counter(finding for _, row in files for finding, label in labels_of(row).items() if label == 1)
    boxed = Counter(box["finding"] for _, row in files for box in boxes[row["Path"]])
    with (folder / "SOURCES.md").open("w") as out:
        out.write(f"""# The case library

These {len(files)} radiographs are from NIH ChestX-ray14 (NIH Clinical Center; Wang et al., CVPR 2017), reduced to 320 pixels on
the shorter side. The NIH places no restrictions on their use and asks for attribution. `index.json` names each file's
image in ChestX-ray14, its labels and its boxes.

- Each is of another patient of the test split, by which the shipped models are measured: no model here was trained on
  them, nor on another picture of these patients.
- The labels were extracted from the radiology reports by a program of the NIH (the list of 2020). They are often wrong.
- The boxes were drawn by a radiologist of the NIH (`BBox_List_2017.csv`). The NIH drew boxes of some findings on some
  images: where there is no box, a finding may be there all the same.
- NIH's Mass and Nodule are Lung Lesion here, Infiltration is Lung Opacity, Pleural Thickening is Pleural Other. No label
  of RSNA's challenge is used.

Do not use them for diagnosis, and do not attempt to identify anyone. `labels.csv` has the labels in CheXpert's format, for
`sightline-trainer evaluate --reader`. `xtask/library/make.py` makes this folder.

| finding | radiographs with the label | boxes |
|---|---:|---:|
""")
        for finding in FINDINGS:
            if count[finding]:
                out.write(f"| {finding} | {count[finding]} | {boxed[finding]} |\n")
    print(len(files), "cases,", sum(bool(boxes[row["Path"]]) for _, row in files), "with boxes")


main(*map(Path, sys.argv[1:3]))
