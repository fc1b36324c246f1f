"""Segments by scikit-image and the regression by lime: `lime/`.

    python make_lime.py OUTDIR

`image_and_mask`, which shows a finished explanation, is not among them.
"""

from contextlib import contextmanager

import numpy as np
from lime.lime_base import LimeBase
from PIL import Image
from skimage.color import rgb2lab
from skimage.segmentation import quickshift, slic
from sklearn.metrics import adjusted_rand_score, pairwise_distances
from sklearn.utils import check_random_state

from files import main, numbers, write_json, write_png
from generator import CONFIG, SEED, draws
from make_preprocess import xray

QUICKSHIFT = {"kernel_size": 4, "max_dist": 200, "ratio": 0.2}
SLIC = {"n_segments": 50, "compactness": 10, "start_label": 0}
KERNEL_WIDTH = 0.25
ALL = 100000  # lime's own default


def make_lab(folder):
    greys = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2)
    colours = np.uint8([[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 200, 90], [250, 128, 3]])
    write_json(folder, "lime/lab.json", {
        "grey_0_to_255_LAB": numbers(rgb2lab(greys)[0]),
        "rgb": numbers(colours),
        "rgb_LAB": numbers(rgb2lab(colours[None])[0]),
    })  # fmt: skip


class FormulaNoise:
    """In the place of numpy's generator, which breaks quickshift's ties."""

    def normal(self, loc=0.0, scale=1.0, size=None):
        return loc + scale * draws("quickshift.noise", tuple(size), SEED)


@contextmanager
def noise_by_formula():
    original = np.random.default_rng
    np.random.default_rng = lambda *_: FormulaNoise()
    try:
        yield
    finally:
        np.random.default_rng = original


def make_segments(folder):
    images = []
    for index, source in enumerate(CONFIG["xrays"]):
        grey = xray(index).resize((224, 224), Image.BILINEAR)
        write_png(folder, f"lime/xray{index}_224.png", np.array(grey))
        pixels = np.array(grey.convert("RGB"))
        with noise_by_formula():
            formula = quickshift(pixels, **QUICKSHIFT)
        numpy42 = quickshift(pixels, rng=42, **QUICKSHIFT)
        numpy0 = quickshift(pixels, rng=0, **QUICKSHIFT)
        kinds = {"quickshift_formula": formula, "quickshift_numpy42": numpy42, "slic": slic(pixels, **SLIC)}
        found = {"image": f"lime/xray{index}_224.png", "source": source}
        for kind, labels in kinds.items():
            assert len(np.unique(labels)) == labels.max() + 1 <= 256
            write_png(folder, f"lime/xray{index}_{kind}.png", labels.astype(np.uint8))
            found[f"{kind}_segments"] = int(labels.max()) + 1
        found["ari_numpy42_vs_formula"] = adjusted_rand_score(numpy42.ravel(), formula.ravel())
        found["ari_numpy42_vs_numpy0"] = adjusted_rand_score(numpy42.ravel(), numpy0.ravel())
        images.append(found)
        if index == 0:
            make_perturbed(folder, pixels / 255.0, formula)
    noise = f"1e-5 * u('quickshift.noise', [224,224], 0x{SEED:016x})"
    write_json(folder, "lime/segments.json", {"quickshift": QUICKSHIFT, "noise": noise, "slic": SLIC, "images": images})


def make_perturbed(folder, image, segments):
    """Pictures with some segments hidden, as `lime_image` hides them: by a colour, or by their mean."""
    generator = np.random.default_rng(CONFIG["data_seed"])
    count = segments.max() + 1
    rows = generator.integers(0, 2, (3, count))
    places = generator.integers(0, 224, (12, 2))
    cases = []
    for hide_color in (0, None):
        hidden = np.zeros_like(image)
        if hide_color is None:
            for segment in range(count):
                hidden[segments == segment] = image[segments == segment].mean(0)
        for row in rows:
            shown = np.where((row[segments] == 1)[:, :, None], image, hidden)
            cases.append({
                "hide_color": hide_color,
                "z": "".join(map(str, row)),
                "mean": shown.mean(),
                "std_population": shown.std(),
                "pixels_row_col": numbers(places),
                "pixel_values_channel0": numbers(shown[places[:, 0], places[:, 1], 0]),
            })  # fmt: skip
    write_json(folder, "lime/perturbed.json", {
        "image": "lime/xray0_224.png, RGB, /255 in float64",
        "segments": "lime/xray0_quickshift_formula.png",
        "cases": cases,
    })  # fmt: skip


def kernel(distance):
    return np.sqrt(np.exp(-(distance**2) / KERNEL_WIDTH**2))


def regression(name, rows, predictions, label, counts, note=""):
    """What lime finds for each number of features."""
    distance = pairwise_distances(rows, rows[:1], metric="cosine").ravel()
    results = []
    for count in counts:
        lime = LimeBase(kernel, False, random_state=check_random_state(0))
        selected = lime.feature_selection(rows, predictions[:, label], kernel(distance), count, "auto")
        intercept, coefficients, r_squared, local = lime.explain_instance_with_data(
            rows, predictions, distance, label, count, feature_selection="auto"
        )
        results.append({
            "num_features": count,
            "auto_means": "forward_selection" if count <= 6 else "highest_weights",
            "features_in_selection_order": numbers(selected),
            "features_by_abs_coef": [int(feature) for feature, _ in coefficients],
            "coef": [float(coefficient) for _, coefficient in coefficients],
            "intercept": float(intercept),
            "score_r2": float(r_squared),
            "local_pred": float(local[0]),
        })  # fmt: skip
    return {
        "name": name,
        "note": note,
        "n": len(rows),
        "d": rows.shape[1],
        "label": label,
        "Z_rows": ["".join(map(str, row)) for row in rows],
        "predictions_of_label": numbers(predictions[:, label]),
        "cosine_distance": numbers(distance),
        "kernel_weight": numbers(kernel(distance)),
        "results": results,
    }


def make_regressions(folder):
    generator = np.random.default_rng(CONFIG["data_seed"] + 1)

    def neighbours(count, segments):
        rows = generator.integers(0, 2, (count, segments))
        rows[0] = 1
        return rows

    def scores(rows, labels):
        segments = rows.shape[1]
        effects = generator.normal(0, 1.2, (segments, labels)) * (generator.random((segments, labels)) < 0.6)
        noise = generator.normal(0, 0.02, (len(rows), labels))
        return 1 / (1 + np.exp(-(rows @ effects / np.sqrt(segments) * 2 + noise)))

    cases = []
    rows = neighbours(250, 30)
    note = "num_features 100000 = all, the lime_image default"
    cases.append(regression("d30", rows, scores(rows, 1), 0, [5, 10, ALL], note))
    rows = neighbours(200, 57)
    cases.append(regression("d57_three_labels", rows, scores(rows, 3), 1, [5, 10, ALL]))
    order = [15, 0, 8, 4, 2, 1, 12, 10, 9, 6, 5, 3, 14, 13, 11, 7]
    rows = np.array([[int(bit) for bit in f"{value:04b}"] for value in order])
    note = "row 1 is all zeros: sklearn gives cosine distance 1"
    cases.append(regression("d4_all_combinations", rows, scores(rows, 2), 1, [2, 4, ALL], note))
    rows = neighbours(60, 12)
    note = "degenerate: coefficients ~ 0, intercept 0.37; compare no feature order, "
    note += "and accept any score in {0, 1, NaN-free}"
    cases.append(regression("constant_predictions", rows, np.full((60, 1), 0.37), 0, [5, 10, ALL], note))
    rows = neighbours(40, 8)
    rows[:, 5] = rows[:, 2]
    note = "columns 2 and 5 equal: Ridge gives them equal coefficients; selection among the two may differ"
    cases.append(regression("duplicate_column", rows, scores(rows, 1), 0, [3, ALL], note))
    write_json(folder, "lime/lime_base.json", {
        "kernel": "sqrt(exp(-d^2 / 0.25^2))",
        "model": "Ridge(alpha=1, fit_intercept)",
        "cases": cases,
    })  # fmt: skip


def make(folder, only=()):
    make_lab(folder)
    make_segments(folder)
    make_regressions(folder)


if __name__ == "__main__":
    main(make)
