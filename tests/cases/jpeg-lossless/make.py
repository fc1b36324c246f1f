"""Lossless JPEGs of every depth and predictor: python make.py RADIOGRAPH FOLDER. Made with imagecodecs 2026.3.6 (libjpeg-turbo 3) and Pillow.

Each NAME.jpg has a NAME.png beside it: the samples that were coded, in full depth (from 9 bits on in 16-bit samples).
"""

import subprocess
import sys

import imagecodecs
import numpy as np
from PIL import Image

source, folder = sys.argv[1:]
width, height = 96, 80
grey = np.asarray(Image.open(source).convert("L").resize((width, height)), dtype=np.float64) / 255
grey[10:30, 20:60] = 0.5
# Noise over the whole range: differences of every size, the largest with them.
grey[50:60] = np.random.default_rng(17).integers(0, 2, (10, width))


def save(name, samples, bits, predictor):
    file = imagecodecs.jpeg8_encode(samples, lossless=True, predictor=predictor, bitspersample=bits)
    assert (imagecodecs.jpeg8_decode(file) == samples).all()
    assert b"\xff\xc3" in file
    open(f"{folder}/{name}.jpg", "wb").write(file)
    Image.fromarray(samples).save(f"{folder}/{name}.png")


for bits, predictor in ((8, 1), (8, 4), (10, 2), (12, 3), (12, 5), (14, 6), (16, 1), (16, 7)):
    kind = np.uint8 if bits == 8 else np.uint16
    save(f"grey-{bits}-{predictor}", (grey * (2**bits - 1)).round().astype(kind), bits, predictor)
colours = (np.stack([grey, grey**2, 1 - grey], axis=-1) * 255).round().astype(np.uint8)
save("rgb-8-4", colours, 8, 4)
