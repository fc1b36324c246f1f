"""Tables in CheXpert's format and the targets that each policy makes of them: `labels/`.

    python make_labels.py OUTDIR

The policies are written out here in plain Python; no library has them.
"""

import csv
import re

import numpy as np

from files import main, path, write_json
from generator import CONFIG

FINDINGS = [
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema", "Consolidation",
    "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture", "Support Devices",
]  # fmt: skip
HEADER = ["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *FINDINGS]
LATERAL = [3, 7, 8, 14, 19]
VIEWS = ["AP", "PA", "AP", "LL", "RL", " ap", ""]
# Rows that are not drawn.
VALUES = {
    5: [""] * 14,
    11: ["-1.0"] * 14,
    16: ["1", "0", "-1", " 1.0 ", "1.00", "-1.0", "0", "", " ", "1", "0.0", "-1", "", "1"],
}


def draw_rows(generator):
    rows, patient, study, view = [], 100 + int(generator.integers(0, 50)), 1, 0
    for number in range(20):
        view += 1
        drawn = generator.choice(4, 14, p=[0.25, 0.15, 0.2, 0.4])
        values = VALUES.get(number, [["1.0", "0.0", "-1.0", ""][index] for index in drawn])
        side = "Lateral" if number in LATERAL else "Frontal"
        sex = ["Female", "Male", "Unknown"][generator.choice(3, p=[0.45, 0.45, 0.1])]
        age = "0" if number == 9 else str(generator.integers(18, 91))
        image = f"CheXpert-v1.0-small/train/patient{patient:05d}/study{study}/view{view}_{side.lower()}.jpg"
        rows.append([image, sex, age, side, "" if number in LATERAL else VIEWS[number % 7], *values])
        if generator.random() < 0.6:
            study, view = study + 1, 0
        if study > 2:
            patient, study, view = patient + int(generator.integers(1, 9)), 1, 0
    return rows


def targets(number, row):
    """What each policy makes of a row. -1 is uncertain, an empty field blank."""
    raw = [float(value) if value.strip() else None for value in row[5:]]
    patient, study, view = re.search(r"(patient\d+)/(study\d+)/(view\d+)", row[0]).groups()

    def replaced(uncertain):
        return [{-1.0: uncertain, None: 0.0}.get(value, value) for value in raw]

    return {
        "row": number,
        "path": row[0],
        "patient": patient,
        "study": study,
        "view": view,
        "raw": raw,
        "zeros": replaced(0.0),
        "ones": replaced(1.0),
        "ignore_target": replaced(0.0),
        "ignore_mask": [int(value != -1) for value in raw],
        "ignore_blank_too_mask": [int(value not in (None, -1)) for value in raw],
        "uniform_055_085": replaced(None),
        "view_position": {"AP": "AP", "PA": "PA"}.get(row[4].strip().upper()),
    }


def write_csv(folder, name, rows):
    with open(path(folder, f"labels/{name}"), "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def make(folder, only=()):
    generator = np.random.default_rng(CONFIG["data_seed"] + 4)
    rows = draw_rows(generator)
    write_csv(folder, "chexpert.csv", [HEADER, *rows])
    order = [0, 3, 4, 1, 2, *(5 + generator.permutation(14))]
    header = [re.sub("[ /]", "_", HEADER[column]) for column in order] + ["Patient"]
    others = [[row[column] for column in order] + [re.search(r"patient\d+", row[0])[0]] for row in rows]
    write_csv(folder, "chexpert_underscores.csv", [header, *others])

    frontal = [targets(number, row) for number, row in enumerate(rows) if row[3] == "Frontal"]
    kinds = {"positive": 1.0, "negative": 0.0, "uncertain": -1.0, "blank": None}
    counts = {
        finding: {kind: sum(row["raw"][column] == value for row in frontal) for kind, value in kinds.items()}
        for column, finding in enumerate(FINDINGS)
    }
    note = "uniform_055_085: null = any number in [0.55, 0.85], drawn once per row and label; "
    note += "rows: frontal only, 0-based data row of the CSV"
    write_json(folder, "labels/expected.json", {
        "label_order": FINDINGS,
        "note": note,
        "rows_total": len(rows),
        "rows_frontal": len(frontal),
        "counts_frontal": counts,
        "rows": frontal,
    })  # fmt: skip


if __name__ == "__main__":
    main(make)
