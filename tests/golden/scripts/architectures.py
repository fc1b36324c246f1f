"""The networks of the cases, as torchvision and the packages of EfficientNet build them."""

from dataclasses import dataclass

import torch
import torchvision
from efficientnet_lite_pytorch import EfficientNet as EfficientNetLite
from efficientnet_pytorch import EfficientNet
from torch import nn

from generator import CONFIG, fill, picture


@dataclass
class Case:
    """A network with its weights. `traced`: its stages, in order of execution."""

    description: dict
    model: nn.Module
    final_linear: str
    traced: list

    @property
    def seed(self):
        return int(self.description["case_seed"], 16)

    def input(self, name="input"):
        return picture(self.description["input_shape"], self.seed, name)


class Origin(nn.Module):
    """The original project keeps its network under the name `net`."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x)


class Combined(nn.Module):
    """The original project's combination: six backbones, their features side by side, one linear layer."""

    PARTS = ["densenet121", "densenet169", "densenet201", "mnasnet1_0", "vgg19_bn", "vgg19"]
    FEATURES = 1024 + 1664 + 1920 + 1280 + 25088 + 25088

    def __init__(self, outputs):
        super().__init__()
        self.parts = [f"net_{number}" for number, _ in enumerate(self.PARTS, 1)]
        for name, part in zip(self.parts, self.PARTS):
            net = torchvision.models.get_model(part)
            net.classifier = nn.Identity()
            setattr(self, name, net)
        self.classifier = nn.Sequential(nn.Linear(self.FEATURES, outputs))

    def forward(self, x):
        return self.classifier(torch.cat([getattr(self, name)(x).flatten(1) for name in self.parts], 1))


def case(name):
    """A case of the configuration, with its weights."""
    descriptions = CONFIG["networks"] + CONFIG["networks_of_cam_alone"]
    description = next(case for case in descriptions if case["case"] == name)
    model, final_linear, traced = build(description["architecture"], description["outputs"], description["input_shape"])
    fill(model, int(description["case_seed"], 16), description["gain"], final_linear)
    return Case(description, model, final_linear, traced)


def build(architecture, outputs, input_shape):
    """The model, the name of its last linear layer, and its stages; the last of them is the last feature map."""
    if architecture == "combined":
        model = Combined(outputs)
        return model, "classifier.0", model.parts
    if architecture == "mlmip_efficientnet_b5":
        net = EfficientNet.from_name("efficientnet-b5", image_size=input_shape[2:])
        net.set_swish(False)  # the memory-efficient one cannot be run in float64
        net._fc = nn.Sequential(nn.Linear(2048, outputs))
        blocks = [f"net._blocks.{number}" for number in range(len(net._blocks))]
        return Origin(net), "net._fc.0", ["net._bn0", *blocks, "net._bn1"]
    if architecture == "efficientnet_lite0":
        model = EfficientNetLite.from_name("efficientnet-lite0", num_classes=outputs)
        blocks = [f"_blocks.{number}._bn2" for number in range(len(model._blocks))]
        return model, "_fc", ["_bn0", *blocks, "_bn1"]

    model = torchvision.models.get_model(architecture.removeprefix("mlmip_").removeprefix("xrv_"))
    stages = [f"features.{name}" for name, _ in getattr(model, "features", nn.Module()).named_children()]
    if architecture == "mlmip_densenet121":
        model.classifier = nn.Sequential(nn.Linear(1024, 500), nn.Dropout(0.9), nn.Linear(500, outputs))
        return Origin(model), "net.classifier.2", [f"net.{stage}" for stage in stages]
    if "densenet" in architecture:
        model.features.conv0 = nn.Conv2d(input_shape[1], 64, 7, 2, 3, bias=False)
        model.classifier = nn.Linear(model.classifier.in_features, outputs)
        return model, "classifier", stages
    last = len(model.classifier) - 1
    model.classifier[last] = nn.Linear(model.classifier[last].in_features, outputs)
    if architecture == "mnasnet1_0":
        stages = [f"layers.{number}" for number in range(len(model.layers))]
    if architecture.startswith("vgg"):
        stages = [
            f"features.{number}" for number, layer in enumerate(model.features) if isinstance(layer, nn.MaxPool2d)
        ]
    return model, f"classifier.{last}", stages


def module(model, name):
    return dict(model.named_modules())[name]
