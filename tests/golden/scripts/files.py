"""How the numbers are written: float32 with 9 significant digits, float64 in full, `null` where undefined."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import save

GOLDEN = Path(__file__).parent.parent


def numbers(values):
    """Tensors, arrays and lists as JSON has them."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().numpy()
    if isinstance(values, (np.ndarray, list, tuple)):
        return [numbers(value) for value in values]
    if isinstance(values, np.float32):
        return float(f"{values:.9g}")
    if isinstance(values, (np.floating, float)):
        return None if np.isnan(values) else float(values)
    return values.item() if isinstance(values, np.generic) else values


def summary(tensor, count):
    exact = tensor.detach().double()
    return {
        "shape": list(tensor.shape),
        "mean": exact.mean().item(),
        "std_population": exact.std(unbiased=False).item(),
        f"first{count}": numbers(tensor.flatten()[:count]),
    }


def write_json(folder, name, value):
    text = json.dumps(value, indent=1)
    # Each list of numbers stands on one line.
    text = re.sub(r'\[[^\[\]{}"]*\]', lambda found: re.sub(r"\s+", " ", found[0]), text)
    path(folder, name).write_text(text + "\n")


def write_tensors(folder, name, tensors):
    path(folder, name).write_bytes(save({key: np.ascontiguousarray(value) for key, value in tensors.items()}))


def write_png(folder, name, pixels):
    Image.fromarray(pixels).save(path(folder, name), optimize=True)


def path(folder, name):
    found = Path(folder) / name
    found.parent.mkdir(parents=True, exist_ok=True)
    return found


def main(make):
    """`python make_X.py OUTDIR [case ...]`"""
    if len(sys.argv) < 2:
        sys.exit(f"usage: python {sys.argv[0]} OUTDIR [case ...]")
    make(sys.argv[1], sys.argv[2:])
