"""JPEGs of every kind of colour and orientation: python make_kinds.py RADIOGRAPH FOLDER. Made with Pillow 13.0.0 and libjpeg-turbo's cjpeg.

Each NAME.jpg has a NAME.png beside it: the pixels that libjpeg-turbo gives of it, as Pillow's L, upright.
"""

import io
import subprocess
import sys

from PIL import Image, ImageOps

source, folder = sys.argv[1:]
grey = Image.open(source).convert("L").resize((120, 152))
# A tint, so that colours count.
tinted = Image.merge("RGB", [grey.point(lambda v: min(255, v + 20)), grey, grey.point(lambda v: v * 3 // 4)])


def jpeg(image, **options):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=85, **options)
    return file.getvalue()


def cjpeg(image, *options):
    file = io.BytesIO()
    image.save(file, "PPM")
    return subprocess.run(["cjpeg", "-quality", "85", *options], input=file.getvalue(), capture_output=True, check=True).stdout


def turned(orientation):
    back = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}.get(orientation, 1)
    exif = Image.Exif()
    exif[0x0112] = back
    file = io.BytesIO()
    grey.save(file, "PNG", exif=exif)
    stored = ImageOps.exif_transpose(Image.open(file))
    exif[0x0112] = orientation
    return jpeg(stored, exif=exif)


cmyk = tinted.convert("CMYK")
adobe = jpeg(cmyk)
at = adobe.index(b"Adobe") + 11
kinds = {
    "cmyk": adobe,
    "ycck": adobe[:at] + b"\2" + adobe[at + 1 :],
    "rgb-by-marker": cjpeg(tinted, "-rgb"),
    "grey-2x2": cjpeg(grey, "-grayscale", "-sample", "2x2"),
    "grey-4x1-restarts": cjpeg(grey, "-grayscale", "-sample", "4x1", "-restart", "1"),
    "progressive-border": jpeg(ImageOps.expand(grey, (0, 60), 0), progressive=True),
    "zeros-behind": jpeg(grey)[:-2] + bytes(5000),
    "zeros-before-end": jpeg(grey)[:-2] + bytes(8) + b"\xff\xd9",
    **{f"orientation-{n}": turned(n) for n in range(1, 9)},
}
for name, file in kinds.items():
    open(f"{folder}/{name}.jpg", "wb").write(file)
    whole = file if file.endswith(b"\xff\xd9") else file.rstrip(b"\0") + b"\xff\xd9"
    ImageOps.exif_transpose(Image.open(io.BytesIO(whole))).convert("L").save(f"{folder}/{name}.png")
with open(f"{folder}/expect.csv", "w") as table:
    table.write("file,want\n")
    table.writelines(f"{name}.jpg,same:{name}.png:0.0005\n" for name in kinds)
