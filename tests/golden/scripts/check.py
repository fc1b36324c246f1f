"""Makes the golden numbers again and compares them with those that are kept.

    python check.py [FOLDER ...]                  # of networks cam occlusion preprocess lime metrics labels
    python check.py --made OUTDIR [FOLDER ...]    # compares what is in OUTDIR already

For each file: `same bytes`, or the largest difference of two numbers, and the largest share that a difference is of
what is allowed to it. Ends with 1 if one is above what is allowed, if a text or a whole number differs, or if a file is
missing.
"""

import argparse
import importlib
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

from files import GOLDEN

FOLDERS = ["networks", "cam", "occlusion", "preprocess", "lime", "metrics", "labels"]
# What float32 loses on one machine, and the tolerance that is made of it.
LOSSES = {"max_abs_diff_f32_f64", "rel_diff_f32_f64", "tolerance_abs"}
# The largest pixel is decided by rounding where two are alike; the others name versions.
NOT_COMPARED = LOSSES | {"final_argmax_row_col", "made_with", "library", "sklearn"}
# Checks of the kept files that the scripts do not make again.
NOT_MADE = {"max_abs_diff_to_pypi_model", "plain_numpy_reimplementation_equal_pixels"}
# Regressions in which the order of some features, or the score, is decided by rounding.
AMBIGUOUS = {
    "constant_predictions": {"features_in_selection_order", "features_by_abs_coef", "score_r2"},
    "duplicate_column": {"features_in_selection_order", "features_by_abs_coef"},
}


class Comparison:
    """Of one file: the largest difference, the largest share of what is allowed, and what is wrong altogether."""

    def __init__(self):
        self.difference = self.share = 0.0
        self.wrong = []

    def numbers(self, where, made, kept, allowed):
        made, kept = np.asarray(made, float), np.asarray(kept, float)
        if made.shape != kept.shape:
            return self.wrong.append(f"{where}: {made.shape}, not {kept.shape}")
        difference = float(np.abs(made - kept).max(initial=0.0))
        if difference > 0 or np.isnan(difference):
            self.difference = max(self.difference, difference)
            share = difference / allowed if allowed else np.inf
            self.share = max(self.share, share)
            if not share <= 1:
                self.wrong.append(f"{where}: differs by {difference:.3g}, allowed is {allowed:.3g}")

    def values(self, where, made, kept, allowed, skipped=frozenset()):
        """Of JSON. `allowed(key, object it is in, allowed around it)` is the tolerance of what has this key."""
        if isinstance(kept, dict) and isinstance(made, dict):
            skipped = AMBIGUOUS.get(kept.get("name"), skipped)
            for key in sorted((made.keys() | kept.keys()) - NOT_COMPARED - NOT_MADE - skipped):
                if key not in made or key not in kept:
                    self.wrong.append(f"{where}.{key}: only in one")
                else:
                    inner = allowed.inside(key, kept)
                    self.values(f"{where}.{key}", made[key], kept[key], inner, skipped)
        elif isinstance(kept, list) and isinstance(made, list):
            if len(made) != len(kept):
                self.wrong.append(f"{where}: {len(made)} values, not {len(kept)}")
            for index, (one, other) in enumerate(zip(made, kept)):
                self.values(f"{where}[{index}]", one, other, allowed, skipped)
        elif isinstance(kept, float) and isinstance(made, (int, float)):
            self.numbers(where, made, kept, allowed.tolerance)
        elif made != kept:
            self.wrong.append(f"{where}: {made!r}, not {kept!r}")


class Allowed:
    """What may differ by how much, in a JSON file."""

    def __init__(self, name, tolerance):
        self.name, self.tolerance = name, tolerance

    @classmethod
    def of_file(cls, name, kept):
        exact = {"preprocess": 1e-6, "lime": 1e-9, "metrics": 1e-9, "labels": 0.0}
        tolerance = exact.get(name.split("/")[0], kept.get("tolerance_abs", 1e-4))
        return cls(name, 1e-3 if name.endswith("_imagenet.json") else tolerance)

    def inside(self, key, parent):
        tolerance = self.tolerance
        if self.name.startswith("networks") and "std_population" in parent:
            tolerance = 1e-3 * parent["std_population"]
        if key == "features_into_final_linear":
            tolerance = 1e-4 * parent[key]["l2_f64"]
        if key.startswith("pre_relu_"):
            tolerance = of_map(parent["method"]) * max(abs(parent["pre_relu_min"]), abs(parent["pre_relu_max"]))
        if key == "final_mean":
            tolerance = of_final(parent["method"])
        return Allowed(self.name, tolerance)


def of_map(method):
    """The share of its largest value by which a map may differ. XGradCAM divides by what can come near 0."""
    return 2e-2 if method == "XGradCAM" else 1e-3


def of_final(method):
    return 1e-2 if method == "ScoreCAM" else 2e-3


def compare_tensors(found, name, made, kept):
    if made.keys() != kept.keys():
        found.wrong.append(f"names of tensors: {sorted(made.keys() ^ kept.keys())}")
    for key in kept.keys() & made.keys():
        one, other = made[key], kept[key]
        if name.startswith("cam"):
            layer, method, label, what = key.split("/")
            raw = f"{layer}/{method}/{label}/pre_relu"
            if method == "EigenCAM" and (made[raw] * kept[raw]).sum() < 0:  # the sign is arbitrary
                if what != "pre_relu":
                    continue
                one = -one
            allowed = of_final(method) if what == "final" else of_map(method) * np.abs(kept[raw]).max()
        elif name.startswith("networks"):
            allowed = 1e-3
        else:
            allowed = 2e-3 if other.dtype == np.float16 else 1e-6
        found.numbers(key, one, other, allowed)


def compare(name, made, kept):
    found = Comparison()
    if name.endswith(".json"):
        one, other = (json.loads(file.read_text()) for file in (made, kept))
        found.values("", one, other, Allowed.of_file(name, other))
    elif name.endswith(".safetensors"):
        compare_tensors(found, name, load_file(made), load_file(kept))
    elif name.endswith(".png"):
        found.numbers("pixels", *(np.array(Image.open(file)) for file in (made, kept)), 0)
    elif made.read_bytes() != kept.read_bytes():
        found.wrong.append("other bytes")
    return found


def check(folder, made):
    """Whether all files of a folder are as they are kept."""
    right = True
    names = {str(file.relative_to(root)) for root in (made, GOLDEN) for file in (root / folder).iterdir()}
    for name in sorted(names):
        if not (made / name).exists() or not (GOLDEN / name).exists():
            print(f"{name:45} {'not made' if (GOLDEN / name).exists() else 'not kept'}")
            right = False
            continue
        found = compare(name, made / name, GOLDEN / name)
        result = f"largest difference {found.difference:.1e}, {found.share:.1e} of what is allowed"
        if (made / name).read_bytes() == (GOLDEN / name).read_bytes():
            result = "same bytes"
        elif not found.wrong and not found.difference:
            result = "same numbers"
        print(f"{name:45} {result}", flush=True)
        for wrong in found.wrong[:10]:
            print(f"    {wrong}")
        right &= not found.wrong
    return right


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--made", type=Path)
    parser.add_argument("folders", nargs="*", metavar="FOLDER")
    arguments = parser.parse_args()
    folders = arguments.folders or FOLDERS
    if unknown := set(folders) - set(FOLDERS):
        parser.error(f"no such folder: {', '.join(sorted(unknown))}")
    right = True
    with tempfile.TemporaryDirectory() as temporary:
        for folder in folders:
            if not arguments.made:
                importlib.import_module(f"make_{folder}").make(temporary)
            right &= check(folder, arguments.made or Path(temporary))
    sys.exit(0 if right else 1)


if __name__ == "__main__":
    main()
