"""Weight files as PyTorch saves them, small enough to keep, and the logits that PyTorch computes with them.

    pip install torch torchvision efficientnet_pytorch safetensors
    python make_fixtures.py            # writes beside itself

Every tensor is a strided view into one short storage, so that a file of a network with millions of parameters holds
little but its names. The values are exact in float16, as packages store them. `expected.json` says how each file
is imported and what the network then answers for the picture p(i, j) = (31 i + 17 j + i j mod 97) mod 256.
"""

import gzip
import json
import zlib
from pathlib import Path

import numpy as np
import torch
import torchvision
from efficientnet_pytorch import EfficientNet
from safetensors.torch import save_file
from torch import nn

HERE = Path(__file__).parent
LENGTH = 8192
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
# Seven values, so that what is stored compresses well.
DRAWS = torch.tensor(np.random.RandomState(1).randint(-3, 4, LENGTH) / 4.0, dtype=torch.float32)
STORAGES = {}


def storage(exponent, shift):
    """The draws times 2^exponent, plus shift."""
    key = (exponent, shift)
    if key not in STORAGES:
        STORAGES[key] = DRAWS * 2.0**exponent + shift
    return STORAGES[key]


def view(base, shape, name):
    """A view that begins where the name says, and so differs from tensor to tensor."""
    strides, room = [], LENGTH // 2
    for index, size in enumerate(shape):
        stride = max(1, min(5 - index, room // max(1, (len(shape) - index) * size)))
        if size > room // 2:
            stride = 1 if size <= room else 0
        strides.append(stride)
    reach = sum((size - 1) * stride for size, stride in zip(shape, strides))
    offset = zlib.crc32(name.encode()) % (LENGTH - reach)
    return base.as_strided(shape, strides, offset)


def weights(model, crop=224, channels=3):
    """A state dict of views, with the largest weights that keep the logits moderate."""
    scale = 2048 if channels == 1 else 4.4
    x = torch.tensor((picture(crop) - 0.45)[None, None].repeat(channels, 1) * scale, dtype=torch.float32)
    for gain in (1.5, 1.0, 0.75, 0.5, 0.37, 0.25, 0.18, 0.12):
        result = views(model, gain)
        load(model, result)
        with torch.no_grad():
            spread = model.eval()(x).std().item()
        if 0.1 < spread < 10:
            return result
    raise ValueError(f"logits spread by {spread}")


def views(model, gain):
    state, result = model.state_dict(), {}
    for name, tensor in state.items():
        layer, kind = name.rsplit(".", 1)
        shape = tuple(tensor.shape)
        if kind == "num_batches_tracked":
            result[name] = tensor
        elif kind == "running_var":
            result[name] = view(storage(-2, 1.0), shape, name)
        elif layer + ".running_mean" in state:
            result[name] = view(storage(-3, 1.0 if kind == "weight" else 0.0), shape, name)
        elif kind == "bias":
            result[name] = view(storage(-3, 0.0), shape, name)
        else:
            fan_in = int(np.prod(shape[1:]))
            exponent = round(np.log2(gain * 2 * (1 / fan_in) ** 0.5))
            if shape[1] == 1 and name == "features.conv0.weight":
                exponent -= 10  # torchxrayvision's pixels reach 1024
            result[name] = view(storage(exponent, 0.0), shape, name)
    return result


def load(model, values):
    state = model.state_dict()  # MNASNet insists on the version that comes with it
    for name, tensor in values.items():
        state[name] = tensor.clone()
    model.load_state_dict(state)


def picture(side):
    i, j = np.meshgrid(np.arange(side), np.arange(side), indexing="ij")
    return ((31 * i + 17 * j + (i * j) % 97) % 256).astype(np.float64) / 255


def logits(model, side, crop, mean, std):
    grey, edge = picture(side), (side - crop) // 2
    grey = grey[edge : edge + crop, edge : edge + crop]
    x = np.stack([(grey - m) / s for m, s in zip(mean, std)])
    with torch.no_grad():
        return model.double().eval()(torch.tensor(x)[None])[0].tolist()


def compressed(name, save):
    plain = HERE / name
    save(plain)
    with open(HERE / (name + ".gz"), "wb") as out, gzip.GzipFile("", "wb", 9, out, mtime=0) as packed:
        packed.write(plain.read_bytes())
    plain.unlink()


def replaced(model, outputs):
    if isinstance(model.classifier, nn.Linear):
        model.classifier = nn.Linear(model.classifier.in_features, outputs)
    else:
        model.classifier[-1] = nn.Linear(model.classifier[-1].in_features, outputs)
    return model


class Wrapped(nn.Module):
    """The origin keeps its networks in a member called net."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x)


class Combined(nn.Module):
    """The origin's combined model: networks without their classifiers, and one layer over all their features."""

    def __init__(self, names):
        super().__init__()
        features = 0
        for index, name in enumerate(names, 1):
            net = getattr(torchvision.models, name)()
            if "vgg" in name:
                features += 512 * 7 * 7
                net.classifier = nn.Identity()
            else:
                last = net.classifier if isinstance(net.classifier, nn.Linear) else net.classifier[-1]
                features += last.in_features
                net.classifier = nn.Identity()
            setattr(self, f"net_{index}", net)
        self.classifier = nn.Sequential(nn.Linear(features, 14))

    def forward(self, x):
        return self.classifier(torch.cat([net(x) for net in list(self.children())[:-1]], 1))


def main():
    torch.manual_seed(1)
    expected = []

    def case(file, model, side, crop, arguments, mean=IMAGENET[0], std=IMAGENET[1], **more):
        answer = logits(model, side, crop, mean, std)
        assert np.std(answer) > 0.05 and np.all(np.isfinite(answer)), (file, answer)
        expected.append(dict(file=file, arguments=arguments, side=side, logits=answer, **more))

    # Before 2018 torchvision wrote norm.1; here inside DataParallel, in a checkpoint with the optimiser.
    model = replaced(torchvision.models.densenet121(), 14)
    state = weights(model)
    old = {}
    for name, tensor in state.items():
        if "denselayer" in name:
            for part in ("norm1", "norm2", "conv1", "conv2"):
                name = name.replace(f".{part}.", f".{part[:-1]}.{part[-1]}.")
        old["module." + name] = tensor
    optimizer = {"state": {0: {"exp_avg": DRAWS[:64], "step": torch.tensor(3.0)}}, "param_groups": [{"lr": 1e-4}]}
    checkpoint = {"epoch": 3, "state_dict": old, "best_loss": 0.5, "optimizer": optimizer}
    compressed("densenet121_2017.pth.tar", lambda path: torch.save(checkpoint, path))
    case("densenet121_2017.pth.tar", model, 224, 224, ["--from", "torchvision", "--architecture", "densenet121", "--findings", "chexpert"])

    # Torch's format before 1.6, five outputs.
    model = replaced(torchvision.models.efficientnet_b0(), 5)
    state = weights(model)
    compressed(
        "efficientnet_b0_legacy.pth",
        lambda path: torch.save(state, path, _use_new_zipfile_serialization=False),
    )
    five = ["Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion"]
    case(
        "efficientnet_b0_legacy.pth",
        model,
        224,
        224,
        ["--from", "torchvision", "--architecture", "efficientnet_b0", "--findings", ",".join(five)],
        findings=five,
    )

    net = torchvision.models.densenet121()
    net.classifier = nn.Sequential(nn.Linear(1024, 500), nn.Dropout(0.9), nn.Linear(500, 14))
    model = Wrapped(net)
    state = weights(model)
    compressed("origin_densenet121.pth", lambda path: torch.save(state, path))
    case("origin_densenet121.pth", model, 256, 224, ["--from", "mlmip"])

    net = EfficientNet.from_name("efficientnet-b5")
    net._fc = nn.Sequential(nn.Linear(2048, 14))
    model = Wrapped(net)
    state = weights(model, crop=456)
    compressed("origin_efficientnet_b5.pth", lambda path: torch.save(state, path))
    case("origin_efficientnet_b5.pth", model, 480, 456, ["--from", "mlmip"])

    mean, std = [0.50237626, 0.50237626, 0.502376264], [0.24580306, 0.24236229, 0.2603115]
    model = Combined(["densenet121", "mnasnet1_0"])
    state = weights(model)
    compressed("two_combined.pth", lambda path: torch.save(state, path))
    two = ["--from", "mlmip", "--architecture", "densenet121+mnasnet1_0"]
    case("two_combined.pth", model, 256, 224, two, mean, std)

    model = Combined(["densenet121", "densenet169", "densenet201", "mnasnet1_0", "vgg19_bn", "vgg19"])
    state = weights(model)
    compressed("origin_combined.pth", lambda path: torch.save(state, path))
    case("origin_combined.pth", model, 256, 224, ["--from", "mlmip", "--architecture", "combined"], mean, std)

    # torchxrayvision: one channel, 18 outputs, thresholds, of which some are no number.
    model = replaced(torchvision.models.densenet121(), 18)
    model.features.conv0 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    state = weights(model, channels=1)
    thresholds = [0.2, 0.06, None, 0.05, 0.14, None, None, 0.27, 0.08, None, 0.2, None, None, None, 0.1, 0.09, 0.33, 0.11]
    state["op_threshs"] = torch.tensor([float("nan") if t is None else t for t in thresholds])
    compressed("torchxrayvision.pt", lambda path: torch.save(state, path))
    names = [
        "Atelectasis", "Consolidation", None, "Pneumothorax", "Edema", None, None, "Pleural Effusion", "Pneumonia",
        None, "Cardiomegaly", None, None, None, "Lung Lesion", "Fracture", "Lung Opacity", "Enlarged Cardiomediastinum",
    ]  # fmt: skip
    case(
        "torchxrayvision.pt",
        model,
        224,
        224,
        ["--from", "torchxrayvision"],
        [0.5],
        [1 / 2048],
        findings=names,
        thresholds=thresholds,
    )

    model = replaced(torchvision.models.mnasnet1_0(), 14)
    state = weights(model)
    plain = {name: tensor.contiguous().clone() for name, tensor in state.items()}
    compressed("mnasnet1_0.safetensors", lambda path: save_file(plain, path))
    mnasnet = ["--from", "safetensors", "--architecture", "mnasnet1_0", "--findings", "chexpert"]
    case("mnasnet1_0.safetensors", model, 224, 224, mnasnet)

    # What is not a state dict: a whole module.
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU())
    compressed("whole_module.pt", lambda path: torch.save(module, path))

    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__}
    text = json.dumps({"versions": versions, "cases": expected}, indent=1)
    (HERE / "expected.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
