"""Training steps (forward, backward, AdamW) in PyTorch, as `sightline-trainer bench` times them.

    python train.py densenet121|efficientnet_lite0 BATCH SIZE STEPS [DEVICE]

Prints {"batch": .., "seconds": [..]}. Lite0 is not in torchvision; it is built here from MBConv blocks as Google defined it.
"""

import json
import sys
import time

import torch
import torchvision
from torch import nn
from torch.nn import functional as F


class Same(nn.Conv2d):
    """TensorFlow's SAME padding: asymmetric at stride 2."""

    def forward(self, x):
        pads = []
        for size, kernel, stride in zip(reversed(x.shape[2:]), reversed(self.kernel_size), reversed(self.stride)):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        return F.conv2d(F.pad(x, pads) if any(pads) else x, self.weight, None, self.stride, 0, 1, self.groups)


def conv_norm(inputs, outputs, kernel, stride=1, groups=1, activation=True):
    layers = [Same(inputs, outputs, kernel, stride, groups=groups, bias=False), nn.BatchNorm2d(outputs, 1e-3, 0.01)]
    return nn.Sequential(*layers, *([nn.ReLU6(inplace=True)] if activation else []))


class Block(nn.Module):
    def __init__(self, inputs, outputs, expand, kernel, stride):
        super().__init__()
        middle = inputs * expand
        layers = [conv_norm(inputs, middle, 1)] if expand > 1 else []
        layers += [conv_norm(middle, middle, kernel, stride, middle), conv_norm(middle, outputs, 1, activation=False)]
        self.layers = nn.Sequential(*layers)
        self.skip = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.layers(x) if self.skip else self.layers(x)


def lite0(outputs):
    stages = [(1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3),
              (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)]
    layers, channels = [conv_norm(3, 32, 3, 2)], 32
    for expand, kernel, stride, width, repeats in stages:
        for repeat in range(repeats):
            layers.append(Block(channels, width, expand, kernel, stride if repeat == 0 else 1))
            channels = width
    head = [conv_norm(channels, 1280, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(1280, outputs)]
    return nn.Sequential(*layers, *head)


def main():
    architecture, batch, size, steps = sys.argv[1], *map(int, sys.argv[2:5])
    device = sys.argv[5] if len(sys.argv) > 5 else "cpu"
    network = lite0(14) if architecture == "efficientnet_lite0" else getattr(torchvision.models, architecture)(num_classes=14)
    network.to(device).train()
    optimizer = torch.optim.AdamW(network.parameters(), 1e-4)
    seconds = []
    for step in range(steps + 1):
        x = torch.rand(batch, 3, size, size, device=device)
        y = (torch.rand(batch, 14, device=device) < 0.3).float()
        start = time.perf_counter()
        loss = F.binary_cross_entropy_with_logits(network(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()
        if step > 0:
            seconds.append(time.perf_counter() - start)
    print(json.dumps({"batch": batch, "seconds": seconds, "torch": torch.__version__, "threads": torch.get_num_threads()}))


main()
