"""Class activation maps, by pytorch-grad-cam: `cam/<network>.json` and `cam/<network>.safetensors`.

    python make_cam.py OUTDIR [network ...]

The target is the logit of a label. Keys of the tensors are `LAYER/METHOD/labelK/WHAT` (`any` for EigenCAM, which knows
no label). WHAT is `pre_relu`, the library's map before its ReLU; `cam`, that without what is negative; for some
`final`, what the library returns: between 0 and 1, of the input's size.
"""

from importlib.metadata import version

import numpy as np
import pytorch_grad_cam
import torch
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

from architectures import case, module
from files import main, numbers, write_json, write_tensors
from generator import CONFIG

METHODS = ["GradCAM", "HiResCAM", "GradCAMPlusPlus", "LayerCAM", "XGradCAM", "EigenCAM", "ScoreCAM"]
FIRST_LABEL_ALONE = ["EigenCAM", "ScoreCAM"]  # the one has no label, the other takes a pass for each channel
CONV2 = "features.denseblock4.denselayer16.conv2"
LAYERS = {
    "densenet121": ["last_relu", CONV2, "features.denseblock3"],
    "efficientnet_b0": ["features.8", "features.7"],
    "vgg19_bn": ["avgpool"],
    "vgg19_bn_small": ["avgpool"],
}
SCORE_CAM_LAYER = {"densenet121": CONV2, "efficientnet_b0": "features.7"}


class DenseNet(nn.Module):
    """torchvision's DenseNet with its last ReLU as a module.

    torchvision applies it in place: a hook on `features` sees the map after the ReLU and the gradient before it.
    """

    def __init__(self, net):
        super().__init__()
        self.features, self.last_relu, self.classifier = net.features, nn.ReLU(), net.classifier

    def forward(self, x):
        return self.classifier(self.last_relu(self.features(x)).mean((2, 3)))


def library_map(method, model, layer, x, label):
    """The library's map before its ReLU, and what it returns."""
    raw = []
    with getattr(pytorch_grad_cam, method)(model=model, target_layers=[module(model, layer)]) as library:
        inner = library.get_cam_image

        def get_cam_image(*arguments):
            raw.append(inner(*arguments))
            return raw[-1]

        library.get_cam_image = get_cam_image
        final = library(input_tensor=x, targets=[ClassifierOutputTarget(label)])[0]
    return np.asarray(raw[0][0]), final


def what_float32_loses(method, model, layer, x, label, raw):
    """The largest difference to the map in float64, as a share of the largest value."""
    exact, _ = library_map(method, model.double(), layer, x.double(), label)
    model.float()
    signs = [1, -1] if method == "EigenCAM" else [1]  # whose sign is arbitrary
    return float(min(np.abs(raw - sign * exact).max() for sign in signs) / np.abs(raw).max())


def make_network(folder, name):
    network = case(name)
    model, x, labels = network.model, network.input(), CONFIG["cam"][name]
    vgg = name.startswith("vgg")
    if name == "densenet121":
        model = DenseNet(model).eval()
    tensors, maps = {}, []
    for label in labels:
        first = label == labels[0]
        for layer in LAYERS[name]:
            for method in METHODS[:2] if vgg else METHODS:
                if method in FIRST_LABEL_ALONE and not first:
                    continue
                if method == "ScoreCAM" and layer != SCORE_CAM_LAYER[name]:
                    continue
                raw, final = library_map(method, model, layer, x, label)
                measured = (first or vgg) and method != "ScoreCAM"
                loss = what_float32_loses(method, model, layer, x, label, raw) if measured else None
                key = f"{layer}/{method}/" + ("any" if method == "EigenCAM" else f"label{label}")
                tensors[f"{key}/pre_relu"] = np.float32(raw)
                tensors[f"{key}/cam"] = np.float32(np.maximum(raw, 0))
                kept = ["GradCAM", "EigenCAM", "GradCAMPlusPlus", "LayerCAM"] if first else ["GradCAM"]
                kept = method == "ScoreCAM" or layer == LAYERS[name][0] and method in kept and not vgg
                if kept:
                    tensors[f"{key}/final"] = np.float32(final)
                maps.append({
                    "layer": layer,
                    "method": method,
                    "label": None if method == "EigenCAM" else label,
                    "key": key,
                    "shape": list(raw.shape),
                    "pre_relu_min": numbers(raw.min()),
                    "pre_relu_max": numbers(raw.max()),
                    "final_stored": kept,
                    "final_mean": float(final.astype(float).mean()),
                    "final_argmax_row_col": numbers(np.unravel_index(final.argmax(), final.shape)),
                    "rel_diff_f32_f64": loss,
                })  # fmt: skip
    about = {
        "case": f"networks/{name}.json (same weights, same input)",
        "target": "logit (no sigmoid)",
        "labels": labels,
    }
    if vgg:
        about |= about_vgg(network, labels, tensors)
    about["maps"] = maps
    if name == "densenet121":
        about |= stock_densenet(network.model, x, labels[0], tensors)
    write_tensors(folder, f"cam/{name}.safetensors", tensors)
    write_json(folder, f"cam/{name}.json", about)


def stock_densenet(model, x, label, tensors):
    """What comes of hooking torchvision's own DenseNet before its ReLU in place: not to be reproduced."""
    raw, _ = library_map("GradCAM", model, "features.norm5", x, label)
    right = tensors[f"last_relu/GradCAM/label{label}/pre_relu"]
    tensors[f"stock_torchvision_norm5/GradCAM/label{label}/pre_relu"] = np.float32(raw)
    return {
        "stock_torchvision_norm5_correlation_with_last_relu": float(np.corrcoef(raw.ravel(), right.ravel())[0, 1]),
        "stock_torchvision_norm5_max_abs_diff_over_max": float(np.abs(raw - right).max() / np.abs(right).max()),
    }


def about_vgg(network, labels, tensors):
    """How the network is made, and that before hidden layers, too, HiResCAM and a bias add up to the logit."""
    model, x = network.model.double(), network.input().double()
    fc1, fc2, fc3 = (model.classifier[index] for index in (0, 3, 6))
    with torch.no_grad():
        cells = model.avgpool(model.features(x)).flatten(1)
        first = fc1(cells)
        second = fc2(first.relu())
        logits = fc3(second.relu())[0]
        # Each ReLU is open or closed for this picture; with the cells at zero, what is left is the bias.
        bias = fc3((second > 0) * fc2((first > 0) * fc1.bias))[0]
    sums = [library_map("HiResCAM", model, "avgpool", x, label)[0].sum() for label in labels]
    model.float()
    for label, total in zip(labels, sums):
        assert abs(total + bias[label] - logits[label]) < 1e-9
    apart = []
    for label in labels:
        grad_cam, hires_cam = (tensors[f"avgpool/{method}/label{label}/pre_relu"] for method in METHODS[:2])
        apart.append(float(np.abs(grad_cam - hires_cam).max() / np.abs(hires_cam).max()))
    return network.description | {
        "final_linear": network.final_linear,
        "library": f"pytorch-grad-cam {version('grad-cam')}: GradCAM, HiResCAM",
        "made_with": f"torch {version('torch')}, torchvision {version('torchvision')}, float32",
        "layer": "avgpool: the last feature map after its max-pool, averaged onto 7 x 7, as the classifier flattens it",
        "tolerance_of_largest": 1e-3,
        "logits_f64": numbers(logits),
        "hirescam_sum_f64": numbers(np.array(sums)),
        "bias_f64": numbers(bias[labels]),
        "sum_rule": "for each of the labels, hirescam_sum_f64 + bias_f64 = its logit; GradCAM has no such rule here",
        "gradcam_max_abs_diff_to_hirescam_over_max": apart,
    }


def make(folder, only=()):
    for name in CONFIG["cam"]:
        if not only or name in only:
            make_network(folder, name)


if __name__ == "__main__":
    main(make)
