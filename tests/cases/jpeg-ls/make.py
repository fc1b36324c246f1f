"""JPEG-LS files of every depth and interleaving: python make.py RADIOGRAPH FOLDER. Made with pyjpegls 1.5.1 (CharLS) and Pillow.

Each NAME.jls has a NAME.png beside it: the samples that CharLS decodes from it, in full depth (from 9 bits on in 16-bit samples).
"""

import sys

import jpeg_ls
import numpy as np
from PIL import Image

source, folder = sys.argv[1:]
width, height = 96, 80
grey = np.asarray(Image.open(source).convert("L").resize((width, height)), dtype=np.float64) / 255
# Flat parts, which are coded as runs, and noise, which never is.
grey[10:30, 20:60] = 0.5
grey[50:60] = np.random.default_rng(16).random((10, width))


def save(name, samples, bits, near=0, interleaving=None):
    components = 1 if samples.ndim == 2 else 3
    given = samples.transpose(2, 0, 1) if interleaving == 0 else samples
    file = jpeg_ls.encode_buffer(
        np.ascontiguousarray(given).tobytes(), height, width, components, bits, lossy_error=near, interleave_mode=interleaving
    )
    open(f"{folder}/{name}.jls", "wb").write(file)
    decoded = np.frombuffer(bytes(jpeg_ls.decode_buffer(bytes(file))[0]), samples.dtype)
    shape = (3, height, width) if interleaving == 0 else samples.shape
    decoded = decoded.reshape(shape)
    decoded = decoded.transpose(1, 2, 0) if interleaving == 0 else decoded
    assert abs(decoded.astype(int) - samples).max() <= near
    Image.fromarray(np.ascontiguousarray(decoded)).save(f"{folder}/{name}.png")


for bits in (8, 10, 12, 15, 16):
    kind = np.uint8 if bits == 8 else np.uint16
    samples = (grey * (2**bits - 1)).round().astype(kind)
    save(f"grey-{bits}", samples, bits)
    save(f"grey-{bits}-near", samples, bits, near=3)
colours = np.stack([grey, grey**2, 1 - grey], axis=-1)
colours = (colours * 255).round().astype(np.uint8)
for interleaving, name in enumerate(("planes", "lines", "pixels")):
    save(f"rgb-{name}", colours, 8, interleaving=interleaving)
    save(f"rgb-{name}-near", colours, 8, near=2, interleaving=interleaving)
