"""Grey JPEGs of 12 bits: python make.py RADIOGRAPH FOLDER. Made with imagecodecs 2026.3.6 (libjpeg-turbo 3) and Pillow.

Each NAME.jpg has a NAME.png beside it: the samples that libjpeg-turbo decodes from it, in 16 bits.
"""

import sys

import imagecodecs
import numpy as np
from PIL import Image

source, folder = sys.argv[1:]
width, height = 99, 83
grey = np.asarray(Image.open(source).convert("L").resize((width, height)), dtype=np.float64) / 255
grey[10:30, 20:60] = 0.5
# Edges from black to white, which overshoot.
grey[50:60] = np.random.default_rng(18).integers(0, 2, (10, width))
samples = (grey * 4095).round().astype(np.uint16)
for quality in (60, 90, 100):
    file = imagecodecs.jpeg8_encode(samples, quality, bitspersample=12)
    assert file[file.index(b"\xff\xc1") + 4] == 12
    open(f"{folder}/grey-{quality}.jpg", "wb").write(file)
    Image.fromarray(imagecodecs.jpeg8_decode(file)).save(f"{folder}/grey-{quality}.png")
