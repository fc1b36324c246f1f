"""Pillow's order of passes: python make_order.py FOLDER writes a tall and a wide picture, and what Pillow makes of them.

Pillow 13 shrinks columns first where the height loses more than twice as many pixels as the width. Made with Pillow 13.0.0.
"""
import sys

import numpy
from PIL import Image

folder = sys.argv[1]
random = numpy.random.default_rng(13)
for name, (width, height) in {"tall": (90, 260), "wide": (260, 90)}.items():
    picture = Image.fromarray(random.integers(0, 256, (height, width), dtype=numpy.uint8))
    picture.save(f"{folder}/{name}.png")
    picture.resize((64, 64), Image.BILINEAR).save(f"{folder}/{name}.resize64.png")
