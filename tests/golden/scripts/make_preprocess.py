"""Pictures decoded by Pillow, resized and normalised by torchvision: `preprocess/`.

    python make_preprocess.py OUTDIR

Starts from the three JPEGs that are kept there. They are NIH's radiographs, reduced to 320 x 320; `xrays` in the
configuration has their names. The third was cropped to (0, 20, 320, 281) and saved again, so that it is not square.
"""

import hashlib
import io

import numpy as np
from PIL import Image
from torchvision import transforms
from torchvision.transforms import functional

from files import GOLDEN, main, numbers, path, summary, write_json, write_png, write_tensors
from generator import CONFIG, SEED, draws

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
LEVELS = [0, 1, 127, 128, 129, 255, 256, 257, 385, 386, 1000, 32767, 32768, 40000]
LEVELS += [65278, 65279, 65280, 65406, 65407, 65534, 65535]


def jpeg(index):
    return (GOLDEN / f"preprocess/xray{index}.jpg").read_bytes()


def xray(index):
    image = Image.open(io.BytesIO(jpeg(index)))
    image.load()
    return image


def stretched(image, antialias=True):
    return functional.resize(image, [224, 224], antialias=antialias)


def cropped(image, antialias=True):
    return functional.center_crop(functional.resize(image, 256, antialias=antialias), 224)


PIPELINES = {"resize224": stretched, "resize256_center224": cropped}


def make_pictures(folder):
    normalise = transforms.Normalize(MEAN, STD)
    images, tensors = [], {}
    for index, source in enumerate(CONFIG["xrays"]):
        file, data, image = f"preprocess/xray{index}", jpeg(index), xray(index)
        path(folder, f"{file}.jpg").write_bytes(data)
        write_png(folder, f"{file}.decoded.png", np.array(image))
        pipelines = []
        for name, resize in PIPELINES.items():
            square = resize(image)
            write_png(folder, f"{file}.{name}.png", np.array(square))
            normalised = normalise(functional.to_tensor(square.convert("RGB")))
            levels = functional.to_tensor(square)
            in_floats = resize(functional.to_tensor(image))
            aliased = resize(functional.to_tensor(image), antialias=False)
            size = [224, 224] if resize is stretched else list(functional.resize(image, 256).size)
            pipelines.append({
                "name": name,
                "u8_image": f"{file}.{name}.png",
                "size_before_crop": size,
                "normalized": summary(normalised, 6),
                "channel_means": numbers(normalised.double().mean((1, 2))),
                "float_antialias_vs_pil_max_abs_u8_levels": float((in_floats - levels).abs().max() * 255),
                "WRONG_no_antialias_vs_pil_max_abs_u8_levels": float((aliased - levels).abs().max() * 255),
            })  # fmt: skip
            if index == 0:
                tensors[f"xray0/{name}/normalized_f16"] = normalised.numpy().astype(np.float16)
            if index == 2:
                tensors[f"xray2/{name}/normalized_f32"] = normalised.numpy()
            if index == 0 and resize is stretched:
                tensors["xray0/resize224/float_antialias_f32"] = in_floats.numpy()
        images.append({
            "jpeg": f"{file}.jpg",
            "source": source,
            "sha256": hashlib.sha256(data).hexdigest(),
            "width_height": list(image.size),
            "decoded": f"{file}.decoded.png",
            "pipelines": pipelines,
        })  # fmt: skip
    write_tensors(folder, "preprocess/tensors.safetensors", tensors)
    write_json(folder, "preprocess/images.json", {"mean": MEAN, "std": STD, "images": images})


def make_sixteen_bits(folder):
    """From 16 bits to 8: exactly, and in the ways that are wrong."""
    grey = (draws("png16", (16, 16), SEED) * 20000 + 30000).astype(np.uint16)
    write_png(folder, "preprocess/grey16.png", grey)
    grey = grey.astype(int)
    spread = (grey - grey.min()) / (grey.max() - grey.min())
    write_json(folder, "preprocess/sixteen_bit.json", {
        "values": LEVELS,
        "round_v_div_257": [(value + 128) // 257 for value in LEVELS],
        "shift_right_8": [value >> 8 for value in LEVELS],
        "pil_convert_L_TRAP": [min(value, 255) for value in LEVELS],
        "png": "preprocess/grey16.png",
        "png_values": numbers(grey),
        "png_round_v_div_257": numbers((grey + 128) // 257),
        "png_minmax_to_255_round": numbers(np.floor(spread * 255 + 0.5).astype(int)),
    })  # fmt: skip


def make(folder, only=()):
    make_pictures(folder)
    make_sixteen_bits(folder)


if __name__ == "__main__":
    main(make)
