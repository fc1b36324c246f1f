"""torchvision's EfficientNet-B5 with random weights, for speed alone.

    python random_b5.py SAMPLES SIZE OUT.pth

Batch normalisation gets the statistics of the samples, so that no layer's values grow or vanish.
"""

import sys
from pathlib import Path

import numpy as np
import torch
import torchvision
from PIL import Image

OUTPUTS = 14
SEED = 1


def main():
    samples, size, out = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    torch.manual_seed(SEED)
    model = torchvision.models.efficientnet_b5(num_classes=OUTPUTS)
    pictures = [Image.open(file).convert("L").resize((size, size)) for file in sorted(samples.glob("*.jpg"))]
    x = torch.from_numpy(np.stack([np.asarray(picture, np.float32) / 255 - 0.5 for picture in pictures]))
    x = 4 * x[:, None].repeat(1, 3, 1, 1)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
        if isinstance(module, torchvision.ops.StochasticDepth):
            module.p = 0.0
    with torch.no_grad():
        model.train()(x)
        logits = model.eval()(x)
    if not torch.isfinite(logits).all():
        raise ValueError("the random network gives no numbers")
    torch.save(model.state_dict(), out)


main()
