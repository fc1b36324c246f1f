"""Which tensors other libraries' networks have, as `state_dicts.json`; with a file of `export --to safetensors` and a network's name, whether
the library loads it.

python state_dicts.py > state_dicts.json
python state_dicts.py model.safetensors densenet121
"""

import hashlib
import json
import sys

import torch
import torchvision


def network(name, outputs=14):
    if "lite" in name or name.endswith("_same"):
        from efficientnet_lite_pytorch import EfficientNet

        return EfficientNet.from_name(name.replace("_", "-"), num_classes=outputs)
    return getattr(torchvision.models, name)(num_classes=outputs)


def tensors(name):
    state = network(name).state_dict()
    # A counter that PyTorch fills in where it is missing.
    lines = [f"{key} {list(value.shape)}\n" for key, value in state.items() if not key.endswith("num_batches_tracked")]
    return {"tensors": len(lines), "sha256": hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()}


def load(file, name):
    from safetensors.torch import load_file

    state = load_file(file)
    if name.startswith("mnasnet"):
        # It asks a state dict for its version, which safetensors do not have.
        state = torch.nn.Module().state_dict().__class__(state)
        state._metadata = {"": {"version": 2}}
    model = network(name)
    print(model.load_state_dict(state, strict=True))


if len(sys.argv) > 1:
    load(sys.argv[1], sys.argv[2])
else:
    names = ["densenet121", "densenet169", "efficientnet_b0", "efficientnet_b5", "efficientnet_lite0", "mnasnet1_0"]
    print(json.dumps({name: tensors(name) for name in names}, indent=1))
