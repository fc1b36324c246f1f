"""Small pictures of every kind that is read: python make_pictures.py FOLDER (needs Pillow, numpy and libjpeg-turbo's cjpeg)."""
import struct
import subprocess
import sys

import numpy
from PIL import Image

folder = sys.argv[1]
y, x = numpy.indices((28, 37))
grey = (128 + 90 * numpy.sin(x / 5) * numpy.cos(y / 7) + (x * 7 + y * 13) % 9).astype("uint8")
rgb = numpy.dstack([grey, 255 - grey, numpy.roll(grey, 5, 1)])
sixteen = grey.astype("uint16") * 16
for name, picture in {
    "grey": Image.fromarray(grey),
    "rgb": Image.fromarray(rgb),
    "alpha": Image.fromarray(numpy.dstack([rgb, grey])),
    "palette": Image.fromarray(rgb).quantize(16),
    "bit": Image.fromarray(grey > 128),
    "sixteen": Image.fromarray(sixteen),
}.items():
    picture.save(f"{folder}/{name}.png")
    if name != "bit":
        picture.save(f"{folder}/{name}.tif", compression="tiff_lzw" if name == "rgb" else None)
Image.fromarray(grey).save(f"{folder}/grey.bmp")
Image.fromarray(rgb).save(f"{folder}/rgb.bmp")
Image.fromarray(rgb).save(f"{folder}/rgb.webp", lossless=True)
Image.fromarray(rgb).save(f"{folder}/lossy.webp")
frames = [Image.fromarray(numpy.roll(grey, k, 0)) for k in range(3)]
frames[0].save(f"{folder}/moving.gif", save_all=True, append_images=frames[1:])
Image.fromarray(numpy.dstack([rgb, grey]), "CMYK").save(f"{folder}/cmyk.jpg")
turned = Image.Exif()
turned[0x0112] = 6
Image.fromarray(grey).save(f"{folder}/turned.jpg", exif=turned)
Image.fromarray(rgb).save("/tmp/seed.ppm")
open("/tmp/scans", "w").write("0;\n1;\n2;\n")
for name, options in {
    "together": ["-sample", "2x2"],
    "apart": ["-sample", "2x2", "-scans", "/tmp/scans"],
    "halved": ["-sample", "2x1", "-restart", "1"],
    "progressive": ["-progressive"],
    "grey-progressive": ["-grayscale", "-progressive", "-restart", "2"],
    "optimised": ["-grayscale", "-optimize"],
}.items():
    subprocess.run(["cjpeg", *options, "-outfile", f"{folder}/{name}.jpg", "/tmp/seed.ppm"], check=True)

# Kinds that were misread once: colours apart in a TIFF, opacity beside grey, clear levels, animations.
strip = grey.tobytes()
entries = [(256, 3, 1, 37), (257, 3, 1, 28), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 3, 134), (277, 3, 1, 3),
           (278, 3, 1, 28), (279, 4, 3, 146), (284, 3, 1, 2)]
planar = b"II*\0" + struct.pack("<IH", 8, len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
planar += struct.pack("<6I", *(158 + k * len(strip) for k in range(3)), *[len(strip)] * 3) + 3 * strip
open(f"{folder}/planar.tif", "wb").write(planar)
two = Image.fromarray(numpy.dstack([grey, 255 - grey]), "LA")
two.save(f"{folder}/opacity.tif")
Image.fromarray(grey).save(f"{folder}/clear.gif", transparency=0)
Image.fromarray(grey).save(f"{folder}/moving.webp", save_all=True, append_images=frames[1:], lossless=True)
