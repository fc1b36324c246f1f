"""The numbers that weights and inputs are made of: a formula of a tensor's name and a case's seed.

FNV-1a 64 of the name, xor the seed, is the state of a SplitMix64; each draw is `(z >> 11) * 2^-52 - 1`, in [-1, 1).
Formulas are evaluated in float64 and rounded to float32 at the end.
"""

import json
from pathlib import Path

import numpy as np
import torch

CONFIG = json.loads((Path(__file__).parent / "config.json").read_text())
SEED = int(CONFIG["seed"], 16)
MASK = (1 << 64) - 1
CHUNK = 1 << 22


def fnv1a(name):
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


def draws(name, shape, seed):
    """A tensor of draws, float64, in row-major order."""
    values = np.empty(int(np.prod(shape)))
    state = np.uint64(fnv1a(name) ^ seed)
    for start in range(0, len(values), CHUNK):  # the integers of a large tensor would not fit
        end = min(start + CHUNK, len(values))
        with np.errstate(over="ignore"):
            z = state + np.arange(start + 1, end + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            z ^= z >> np.uint64(31)
        values[start:end] = (z >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1
    return values.reshape(shape)


def picture(shape, seed, name="input"):
    """`[1, C, H, W]`: a pattern of 8 x 8 fields with noise, which goes into the network as it is."""
    _, channels, height, width = shape
    coarse = draws(f"{name}.coarse", (channels, 8, 8), seed)
    fine = draws(name, (channels, height, width), seed)
    rows, columns = np.arange(height) * 8 // height, np.arange(width) * 8 // width
    values = 1.5 * coarse[:, rows][:, :, columns] + 0.5 * fine
    return torch.from_numpy(values.astype(np.float32))[None]


@torch.no_grad()
def fill(model, seed, gain, final_linear):
    """Gives a model its weights and sets it to evaluation.

    `gain`: a number, or one for each prefix of names. The final linear layer has gain 1.
    """
    state = model.state_dict()
    normalisations = {name.removesuffix(".running_mean") for name in state if name.endswith(".running_mean")}
    for name, tensor in state.items():
        module, kind = name.rsplit(".", 1)
        if kind == "num_batches_tracked":
            continue
        u = draws(name, tuple(tensor.shape), seed)
        if module in normalisations and kind == "weight":
            u = 1 + 0.1 * u
        elif kind == "running_var":
            u = 1 + 0.5 * np.abs(u)
        elif kind == "weight":
            of_prefix = gain if isinstance(gain, dict) else {"": gain}
            found = (value for prefix, value in of_prefix.items() if name.startswith(prefix))
            g = 1.0 if module == final_linear else next(found)
            u = u * (np.sqrt(3.0 / np.prod(tensor.shape[1:])) * g)
        else:  # biases and running means
            u = 0.1 * u
        tensor.copy_(torch.from_numpy(u.astype(np.float32)))
    return model.eval()
