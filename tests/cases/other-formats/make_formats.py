"""Pictures of formats beside PNG and JPEG: python make_formats.py RADIOGRAPH FOLDER. Made with Pillow 13.0.0.

All hold the same picture as control.png; what would be read in part is refused.
"""

import sys

from PIL import Image, ImageOps

source, folder = sys.argv[1:]
grey = Image.open(source).convert("L").resize((96, 120))
half = Image.new("L", grey.size, 255)
half.paste(0, (0, 0, 48, 120))
clear = Image.merge("LA", [grey, half])
turned = ImageOps.flip(grey)

grey.save(f"{folder}/control.png")
files = {}
for compression in ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"]:
    files[f"grey-{compression}.tif"] = (grey, {"compression": None if compression == "raw" else compression})
files["grey-and-opacity.tif"] = (clear, {"compression": "tiff_lzw"})
files["interlaced.gif"] = (grey, {"interlace": True})
files["two-pictures.gif"] = (grey, {"save_all": True, "append_images": [turned]})
files["a-level-is-clear.gif"] = (grey, {"transparency": 0})
files["lossless.webp"] = (grey, {"lossless": True})
files["clear.webp"] = (clear, {"lossless": True, "exact": True})
files["two-pictures.webp"] = (grey, {"save_all": True, "append_images": [turned], "lossless": True})
files["grey.bmp"] = (grey, {})
with open(f"{folder}/expect.csv", "w") as table:
    table.write("file,want\n")
    for name, (image, options) in files.items():
        image.save(f"{folder}/{name}", **options)
        table.write(f"{name},same:control.png:0.0005\n")
    clear.save(f"{folder}/two-clear-pictures.webp", save_all=True, append_images=[turned.convert("LA")], lossless=True)
    table.write("two-clear-pictures.webp,refuse:transparency\n")
    grey.save(f"{folder}/jpeg-in-it.tif", compression="jpeg")
    table.write("jpeg-in-it.tif,refuse:JPEG in it\n")
