"""A package's network for other runtimes: as ONNX, and as a list of steps for TensorFlow.js.

    python onnx_of_package.py PACKAGE SAMPLES OUT

The network is built in PyTorch, takes the package's weights strictly, and is exported by PyTorch itself. OUT then holds

- network.onnx: float32, any number of pictures
- steps.json, steps.bin: the nodes of that ONNX file in their order and their weights, channels last as TensorFlow has them
- pictures/N.png, pictures.f32: 8 pictures of the network's size made of the samples, and its input (NCHW)
- case.json: the logits that PyTorch computes of them, and the calibration that leads from the package's probabilities to logits

Prints what is in OUT as JSON.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
import torchvision
from onnx import numpy_helper
from PIL import Image, ImageOps
from torch import nn
from torch.nn import functional as F

PICTURES = 8
HEADER = 10
ALIGNMENT = 256


def cbor(data, at):
    """The value that starts at `at`, of the kinds that a table of contents has, and where it ends."""
    kind, value = data[at] >> 5, data[at] & 31
    at += 1
    if value >= 24:
        length = 1 << (value - 24)
        value = int.from_bytes(data[at : at + length], "big")
        at += length
    if kind == 0:
        return value, at
    if kind == 3:
        return data[at : at + value].decode(), at + value
    if kind == 4:
        items = []
        for _ in range(value):
            item, at = cbor(data, at)
            items.append(item)
        return items, at
    if kind == 5:
        items = {}
        for _ in range(value):
            key, at = cbor(data, at)
            items[key], at = cbor(data, at)
        return items, at
    raise ValueError(f"CBOR of kind {kind} is not expected here")


def tensors(weights):
    """A burnpack's tensors by name, as float32."""
    if weights[:4] != b"NRUB":
        raise ValueError("this is no burnpack")
    length = int.from_bytes(weights[6:HEADER], "little")
    contents, _ = cbor(weights, HEADER)
    start = -(-(HEADER + length) // ALIGNMENT) * ALIGNMENT
    types = {"F16": np.float16, "F32": np.float32}
    named = {}
    for name, about in contents["tensors"].items():
        first, last = about["data_offsets"]
        values = np.frombuffer(weights[start + first : start + last], types[about["dtype"]])
        named[name] = torch.from_numpy(values.astype(np.float32).reshape(about["shape"]))
    return named


class Same(nn.Conv2d):
    """TensorFlow's SAME padding: asymmetric at stride 2, where the side is even. It is exported with as many zeros before as after: see `same`."""

    def forward(self, x):
        kernel, stride = self.kernel_size[0], self.stride[0]
        if torch.onnx.is_in_onnx_export():
            return F.conv2d(x, self.weight, None, self.stride, kernel // 2, 1, self.groups)
        before = (kernel - stride) // 2
        after = kernel - stride - before
        return F.conv2d(F.pad(x, [before, after, before, after]), self.weight, None, self.stride, 0, 1, self.groups)


def conv_norm(inputs, outputs, kernel, stride=1, groups=1, activation=True):
    layers = [Same(inputs, outputs, kernel, stride, groups=groups, bias=False), nn.BatchNorm2d(outputs, 1e-3)]
    return nn.Sequential(*layers, *([nn.ReLU6()] if activation else []))


class Block(nn.Module):
    def __init__(self, inputs, outputs, expand, kernel, stride):
        super().__init__()
        middle = inputs * expand
        layers = [conv_norm(inputs, middle, 1)] if expand > 1 else []
        layers += [conv_norm(middle, middle, kernel, stride, middle), conv_norm(middle, outputs, 1, activation=False)]
        self.block = nn.Sequential(*layers)
        self.skip = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.block(x) if self.skip else self.block(x)


class Lite0(nn.Module):
    """EfficientNet-Lite0, under the names that torchvision gives to EfficientNets."""

    STAGES = [(1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3),
              (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)]

    def __init__(self, outputs):
        super().__init__()
        features, channels = [conv_norm(3, 32, 3, 2)], 32
        for expand, kernel, stride, width, repeats in self.STAGES:
            blocks = []
            for repeat in range(repeats):
                blocks.append(Block(channels, width, expand, kernel, 1 if repeat else stride))
                channels = width
            features.append(nn.Sequential(*blocks))
        features.append(conv_norm(channels, 1280, 1))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, outputs))

    def forward(self, x):
        return self.classifier(F.adaptive_avg_pool2d(self.features(x), 1).flatten(1))


def network(manifest, weights):
    architecture = manifest["architecture"]
    name = architecture["family"] + "-" + architecture["variant"]
    outputs = len(manifest["findings"])
    if name == "efficientnet-lite0":
        model = Lite0(outputs)
    elif name == "densenet-121":
        model = torchvision.models.densenet121(num_classes=outputs)
    elif name == "efficientnet-b5":
        model = torchvision.models.efficientnet_b5(num_classes=outputs)
    else:
        raise ValueError(f"{name} is not built here")
    state = tensors(weights)
    # PyTorch counts batches in training; a package does not.
    counted = {name: value for name, value in model.state_dict().items() if name.endswith("num_batches_tracked")}
    model.load_state_dict({**state, **counted}, strict=True)
    return model.eval()


def pictures(samples, manifest, out):
    """The samples, mirrored and cropped ones of them, in files of the network's size; and the input that the network is given."""
    size = manifest["input"]["size"]
    files = sorted(samples.glob("*.jpg"))
    made = []
    for change in [lambda i: i, ImageOps.mirror, lambda i: ImageOps.crop(i, i.width // 10)]:
        made += [change(Image.open(file).convert("L")).resize((size, size), Image.BILINEAR) for file in files]
    folder = out / "pictures"
    folder.mkdir(exist_ok=True)
    mean, std = manifest["input"]["mean"], manifest["input"]["std"]
    values = np.empty((PICTURES, len(mean), size, size), np.float32)
    for number, picture in enumerate(made[:PICTURES]):
        picture.save(folder / f"{number}.png")
        for channel, (m, s) in enumerate(zip(mean, std)):
            values[number, channel] = (np.asarray(picture, np.float32) / 255 - m) / s
    return torch.from_numpy(values)


def same(model):
    """Gives an exported Lite0 its asymmetric zeros: ONNX has them in a convolution, where PyTorch would add a node for them alone."""
    for node in model.graph.node:
        about = {attribute.name: attribute for attribute in node.attribute}
        if node.op_type == "Conv" and list(about["strides"].ints) == [2, 2]:
            kernel = about["kernel_shape"].ints[0]
            before = (kernel - 2) // 2
            about["pads"].ints[:] = [before, before, kernel - 2 - before, kernel - 2 - before]


def steps(model):
    """The graph as TensorFlow.js can walk it: convolutions with the activation behind them, and no tensor longer than it is needed."""
    graph = model.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes = []
    for node in graph.node:
        if node.op_type == "Constant":
            constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        elif node.op_type == "Identity" and node.input[0] in constants:
            constants[node.output[0]] = constants[node.input[0]]
        else:
            nodes.append(node)
    users = {}
    for node in nodes:
        for name in node.input:
            users.setdefault(name, []).append(node)
    weights, listed, replaced = bytearray(), [], {}

    def weight(values):
        values = np.ascontiguousarray(values, np.float32)
        offset = len(weights)
        weights.extend(values.tobytes())
        return {"offset": offset, "shape": list(values.shape)}

    def activation(node):
        if node.op_type == "Relu":
            return "relu"
        if node.op_type == "Clip" and constants[node.input[1]] == 0 and constants[node.input[2]] == 6:
            return "relu6"
        return None

    for node in nodes:
        name, output = node.op_type, node.output[0]
        if output in replaced:
            continue
        about = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
        step = {"op": name, "inputs": [i for i in node.input if i and i not in constants], "output": output}
        if name == "Conv":
            filters = constants[node.input[1]]
            step["depthwise"] = about["group"] > 1
            if about["group"] not in (1, filters.shape[0]) or about["dilations"] != [1, 1]:
                raise ValueError("such a convolution is not written here")
            step["filter"] = weight(filters.transpose(2, 3, 0, 1) if step["depthwise"] else filters.transpose(2, 3, 1, 0))
            step["bias"] = weight(constants[node.input[2]]) if len(node.input) > 2 else None
        if name in ("Conv", "MaxPool", "AveragePool"):
            top, left, bottom, right = about.get("pads", [0, 0, 0, 0])
            step |= {"strides": about["strides"], "pads": [[0, 0], [top, bottom], [left, right], [0, 0]], "kernel": about["kernel_shape"]}
        if name == "BatchNormalization":
            scale, offset, mean, variance = (constants[i] for i in node.input[1:5])
            step |= {"mean": weight(mean), "variance": weight(variance), "offset": weight(offset), "scale": weight(scale)}
            step["epsilon"] = about["epsilon"]
        if name == "Gemm":
            if about.get("transB", 0) != 1 or about.get("alpha", 1) != 1 or about.get("beta", 1) != 1:
                raise ValueError("such a product is not written here")
            step |= {"matrix": weight(constants[node.input[1]].T), "bias": weight(constants[node.input[2]])}
        if name in ("Relu", "Clip"):
            step["op"] = activation(node)
        if name == "Conv":
            followers = users[output]
            step["activation"] = activation(followers[0]) if len(followers) == 1 else None
            if step["activation"]:
                step["output"] = followers[0].output[0]
                replaced[step["output"]] = output
        known = {"Conv", "BatchNormalization", "relu", "relu6", "Concat", "MaxPool", "AveragePool", "GlobalAveragePool", "Flatten", "Gemm", "Add",
                 "Sigmoid", "Mul"}
        if step["op"] not in known:
            raise ValueError(f"{name} is not written here")
        listed.append(step)
    last = {}
    for number, step in enumerate(listed):
        for name in step["inputs"]:
            last[name] = number
    for number, step in enumerate(listed):
        step["last_used"] = [name for name in dict.fromkeys(step["inputs"]) if last[name] == number and name != graph.input[0].name]
    return {"input": graph.input[0].name, "output": graph.output[0].name, "steps": listed}, bytes(weights)


def main():
    package, samples, out = map(Path, sys.argv[1:4])
    out.mkdir(parents=True, exist_ok=True)
    manifest = json.loads((package / "manifest.json").read_text())
    model = network(manifest, (package / manifest["weights"]["file"]).read_bytes())
    inputs = pictures(samples, manifest, out)
    with torch.no_grad():
        logits = model(inputs)
    file = out / "network.onnx"
    names = {"input_names": ["pictures"], "output_names": ["logits"]}
    axes = {"pictures": {0: "batch"}, "logits": {0: "batch"}}
    torch.onnx.export(model, (inputs[:1],), str(file), opset_version=17, dynamo=False, dynamic_axes=axes, **names)
    exported = onnx.load(file)
    if isinstance(model, Lite0):
        same(exported)
    onnx.checker.check_model(exported, full_check=True)
    onnx.save(exported, file)
    listed, weights = steps(exported)
    (out / "steps.json").write_text(json.dumps(listed))
    (out / "steps.bin").write_bytes(weights)
    (out / "pictures.f32").write_bytes(inputs.numpy().tobytes())
    findings = [{"trained": f["trained"], "calibration": f["calibration"]} for f in manifest["findings"]]
    case = {"package": package.name, "input": list(inputs.shape), "logits": logits.tolist(), "findings": findings}
    (out / "case.json").write_text(json.dumps(case))
    kinds = sorted({node.op_type for node in exported.graph.node})
    print(json.dumps({"package": package.name, "torch": torch.__version__, "onnx": onnx.__version__, "nodes": kinds}))


main()
