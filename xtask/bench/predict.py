"""`predict` as people write it with ONNX Runtime: Pillow decodes and resizes, every thread reads one picture at a time.

    python predict.py NETWORK.onnx MANIFEST.json CSV ROOT OUT THREADS

Writes the logits of each image of the CSV to OUT, and prints {"pictures": .., "seconds": ..}: seconds until OUT is there, without starting Python and
loading the network.
"""

import csv
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image


def main():
    network, manifest, rows, root, out = sys.argv[1:6]
    threads = int(sys.argv[6])
    about = json.loads(Path(manifest).read_text())["input"]
    size = about["size"]
    mean, std = (np.array(about[key], np.float32)[:, None, None] for key in ("mean", "std"))
    with open(rows, newline="") as file:
        paths = [row["Path"] for row in csv.DictReader(file)]
    # Each thread has a picture of its own, which is the fastest way to read many.
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def read(path):
        picture = Image.open(Path(root) / path).convert("L").resize((size, size), Image.BILINEAR)
        x = (np.asarray(picture, np.float32) / 255 - mean) / std
        return path, session.run(None, {name: x[None]})[0][0]

    read(paths[0])
    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool, open(out, "w", newline="") as file:
        writer = csv.writer(file)
        for path, logits in pool.map(read, paths):
            writer.writerow([path, *logits])
    seconds = time.perf_counter() - start
    print(json.dumps({"pictures": len(paths), "seconds": seconds, "onnxruntime": onnxruntime.__version__}))


main()
