"""Occlusion maps, by captum: `occlusion/<case>.json`.

    python make_occlusion.py OUTDIR [case ...]

How captum computes them is said in each file, under `algorithm`. `by_the_text` below does what is said there, and must
come to the same.
"""

import math
from importlib.metadata import version

import numpy as np
import torch
from captum.attr import Occlusion

from architectures import case
from files import main, numbers, write_json
from generator import CONFIG

BASELINE = 0.0
ALGORITHM = [
    "Along a side of n pixels there are ceil((n - window) / stride) + 1 windows.",
    "Window k covers the pixels from k * stride, included, to min(k * stride + window, n), excluded: "
    "the last is cut at the edge where the stride does not divide n - window; it is not moved back.",
    "Every pair of a vertical and a horizontal window is one occlusion: "
    "all channels of its pixels become the baseline, the other pixels stay.",
    "The difference of an occlusion is the logit of the picture less the logit of the occluded picture: "
    "positive where the hidden pixels spoke for the label.",
    "The attribution of a pixel is the sum of the differences of all occlusions that cover it, divided by their "
    "number, without regard to how many pixels were cut. Every pixel is covered at least once.",
    "The attribution is the same in all channels; nothing is normalised.",
]


def captum_map(model, x, label, window, stride):
    channels = x.shape[1]
    attribution = Occlusion(model).attribute(
        x,
        sliding_window_shapes=(channels, window, window),
        strides=(channels, stride, stride),
        target=label,
        baselines=BASELINE,
        perturbations_per_eval=16,
    )
    attribution = attribution[0].numpy()
    assert (attribution == attribution[:1]).all()
    return attribution[0]


@torch.no_grad()
def by_the_text(model, x, labels, starts, window):
    """`[label, h, w]`, and how many windows cover each pixel. `starts` of the windows, the same on both sides."""
    _, _, height, width = x.shape
    logits = model(x)[0, labels]
    total, covering = np.zeros((len(labels), height, width)), np.zeros((height, width), int)
    for top in starts:
        for left in starts:
            area = slice(top, top + window), slice(left, left + window)
            occluded = x.clone()
            occluded[:, :, *area] = BASELINE
            total[:, *area] += (logits - model(occluded)[0, labels]).numpy()[:, None, None]
            covering[area] += 1
    return total / covering, covering


def make_case(folder, spec):
    window, stride, labels = spec["window"], spec["stride"], spec["labels"]
    network = case(spec["network"])
    x = network.input()
    side = x.shape[2]
    assert x.shape[3] == side
    single = np.array([captum_map(network.model, x, label, window, stride) for label in labels])
    model, x = network.model.double(), x.double()
    exact = np.array([captum_map(model, x, label, window, stride) for label in labels])

    count = math.ceil((side - window) / stride) + 1
    starts = [k * stride for k in range(count)]
    ours, covering = by_the_text(model, x, labels, starts, window)
    assert np.abs(ours - exact).max() < 1e-7  # captum returns float32
    moved_back, _ = by_the_text(model, x, labels, [min(start, side - window) for start in starts], window)

    block = math.gcd(window, stride, side)
    blocks = exact[:, ::block, ::block]
    assert (blocks.repeat(block, 1).repeat(block, 2) == exact).all()
    with torch.no_grad():
        logits = model(x)[0]
    loss = float(np.abs(single - exact).max())
    tolerance = max(1e-4, 30 * loss)
    assert np.abs(exact).max(axis=(1, 2)).min() > 100 * tolerance
    if starts[-1] + window > side:
        assert np.abs(moved_back - exact).max() > 100 * tolerance
    write_json(folder, f"occlusion/{spec['case']}.json", {
        "case": spec["case"],
        "network": f"networks/{spec['network']}.json",
        "input": "the network's `input`",
        "case_seed": network.description["case_seed"],
        "library": f"captum {version('captum')}: captum.attr.Occlusion",
        "made_with": f"torch {version('torch')}, torchvision {version('torchvision')}, network in float64",
        "target": "logit (no sigmoid)",
        "window": window,
        "stride": stride,
        "baseline": BASELINE,
        "windows_per_side": count,
        "first_pixel_of_each_window": starts,
        "algorithm": ALGORITHM,
        "block": block,
        "block_note": "attributions are the same in each square of block x block pixels, and stored once for it",
        "covering_windows": numbers(covering[::block, ::block]),
        "maps": [
            {"label": label, "logit_f64": logits[label].item(), "attribution": numbers(blocks[index])}
            for index, label in enumerate(labels)
        ],
        "last_window_moved_back_would_differ_by": float(np.abs(moved_back - exact).max()),
        "max_abs_diff_f32_f64": loss,
        "tolerance_abs": float(f"{tolerance:.1e}"),
    })  # fmt: skip


def make(folder, only=()):
    for spec in CONFIG["occlusion"]:
        if not only or spec["case"] in only:
            make_case(folder, spec)


if __name__ == "__main__":
    main(make)
