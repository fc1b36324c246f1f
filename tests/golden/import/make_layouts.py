"""Weight files in the layouts that people have, small enough to keep, and the logits that PyTorch computes with them.

    pip install torch torchvision timm safetensors numpy onnx onnxscript
    python make_layouts.py            # writes beside itself

`layouts.json` says of each network's file how it is imported and what the network answers, as `expected.json` does. The
files in `containers/` hold a few small tensors each (`containers.json` has their values), in every container that
torch.save has had.
"""

import collections
import io
import json
import pickle
import struct
import sys
import tarfile
import types
import zlib
from pathlib import Path

import numpy as np
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

import make_fixtures as fixtures

HERE = Path(__file__).parent
CONTAINERS = HERE / "containers"
fixtures.LENGTH = 2048
fixtures.DRAWS = fixtures.DRAWS[:2048].clone()
CONVERTED = {}


CHEXPERT = ["No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema", "Consolidation",
            "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture", "Support Devices"]  # fmt: skip


def converted(tensor, dtype):
    """The same view of the same numbers in another precision; what shared a storage shares it still."""
    if not tensor.is_floating_point():
        return tensor
    key = (tensor.untyped_storage().data_ptr(), dtype)
    if key not in CONVERTED:
        whole = torch.tensor([], dtype=tensor.dtype).set_(tensor.untyped_storage())
        assert torch.equal(whole.to(dtype).float(), whole), "the values are not exact"
        CONVERTED[key] = whole.to(dtype)
    return CONVERTED[key].as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())


def networks():
    expected = []

    def case(file, model, checkpoint, arguments, findings, side=224):
        fixtures.compressed(file, lambda path: torch.save(checkpoint, path))
        answer = fixtures.logits(model, side, side, *fixtures.IMAGENET)
        assert np.std(answer) > 0.05 or len(answer) == 1, (file, answer)
        assert np.all(np.isfinite(answer)), (file, answer)
        expected.append(dict(file=file, side=side, logits=answer, findings=findings, **arguments))

    five = ["Cardiomegaly", "Edema", "Consolidation", "Atelectasis", "Pleural Effusion"]
    # timm's EfficientNet in bfloat16, without the counters of batch normalisation, compiled.
    model = timm.create_model("efficientnet_b0", num_classes=5)
    state = fixtures.weights(model)
    state = {
        "_orig_mod." + name: converted(tensor, torch.bfloat16)
        for name, tensor in state.items()
        if "num_batches_tracked" not in name
    }
    case("timm_b0_bf16.pth", model, state, dict(), five)

    # timm's checkpoint with the averaged weights beside the trained ones; its other padding is said by "arch".
    model = timm.create_model("tf_efficientnet_b0", num_classes=15)
    averaged = fixtures.weights(model)
    trained = {name: tensor * 0 if tensor.is_floating_point() and tensor.dim() == 1 else tensor for name, tensor in averaged.items()}
    trained = {name: averaged[name] if "running" in name else tensor for name, tensor in trained.items()}
    checkpoint = {"epoch": 7, "arch": "tf_efficientnet_b0", "state_dict": trained, "state_dict_ema": averaged}
    names = ["Atelectasis", "Cardiomegaly", "Pleural Effusion", None, None, None, "Pneumonia", "Pneumothorax", "Consolidation",
             "Edema", None, None, None, None, "No Finding"]  # fmt: skip
    case("timm_tf_b0_ema.pth.tar", model, checkpoint, dict(prefix="state_dict_ema"), names)

    # Lightning's checkpoint in half precision: the network in a member, an optimiser, a loss with weights, one output.
    model = fixtures.replaced(torchvision.models.densenet121(), 5)
    model.classifier = nn.Sequential(nn.Dropout(0.2), model.classifier)
    state = fixtures.weights(model)
    state = {name: tensor[:1] if name.startswith("classifier") else tensor for name, tensor in state.items()}
    model.classifier[1] = nn.Linear(1024, 1)
    fixtures.load(model, state)
    half = {"model.backbone." + name: converted(tensor, torch.float16) for name, tensor in state.items()}
    half["criterion.pos_weight"] = torch.ones(1)
    checkpoint = {
        "epoch": 3,
        "global_step": 12,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": half,
        "loops": {"fit_loop": {"state_dict": {}}},
        "callbacks": {"ModelCheckpoint{'monitor': 'val'}": {"best_model_score": torch.tensor(0.5)}},
        "optimizer_states": [{"state": {0: {"step": torch.tensor(3.0), "exp_avg": fixtures.DRAWS[:64].clone()}}, "param_groups": [{"lr": 1e-4}]}],
        "lr_schedulers": [],
        "hparams_name": "kwargs",
        "hyper_parameters": {"lr": 1e-4, "arch": "densenet121"},
    }
    case("lightning_half.ckpt", model, checkpoint, dict(), ["Pneumonia"])

    # A whole module, in a class that is nowhere to be found, with the labels of its outputs.
    module = types.ModuleType("chest_models")
    sys.modules["chest_models"] = module
    model = fixtures.replaced(torchvision.models.densenet121(), 14)
    fixtures_weights = fixtures.weights(model)
    for name, tensor in fixtures_weights.items():
        owner, _, last = name.rpartition(".")
        owner = model.get_submodule(owner)
        if last in owner._parameters:
            owner._parameters[last] = nn.Parameter(tensor, requires_grad=False)
        else:
            owner._buffers[last] = tensor
    Net = type("Net", (nn.Module,), {"__module__": "chest_models", "forward": lambda self, x: self.net(x)})
    module.Net = Net
    whole = Net()
    whole.net = model
    whole.class_names = CHEXPERT
    case("whole_with_labels.pt", whole, whole.eval(), dict(), whole.class_names)
    expected += onnx()
    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__, "timm": timm.__version__}
    text = json.dumps({"versions": versions, "cases": expected}, indent=1)
    (HERE / "layouts.json").write_text(text + "\n")


def periodic(model, gain):
    """Weights that repeat themselves, so that they are small when packed, also where an exporter multiplied them."""
    draws = fixtures.DRAWS[:61]
    state = model.state_dict()
    for name, tensor in state.items():
        layer, kind = name.rsplit(".", 1)
        if kind == "num_batches_tracked":
            continue
        turn = zlib.crc32(name.encode())
        values = draws.roll(turn % 61).repeat(-(-max(tensor.numel(), 1) // 61))[: tensor.numel()].view(tensor.shape)
        if kind == "running_var":
            values = torch.full(tensor.shape, 0.75 + turn % 5 / 4)
        elif layer + ".running_mean" in state and kind == "weight":
            values = torch.full(tensor.shape, 1.0 + turn % 3 / 4)
        elif tensor.dim() < 2:
            values = values / 8
        else:
            gain_here = gain * (8 if layer.startswith("classifier") else 1)
            values = values * 2.0 ** round(np.log2(gain_here * 2 * (1 / np.prod(tensor.shape[1:])) ** 0.5))
        state[name] = values
    model.load_state_dict(state)


def onnx():
    """PyTorch's first exporter folds every batch normalisation that follows a convolution."""
    cases = []
    for file, make in [("efficientnet_b0_folded.onnx", torchvision.models.efficientnet_b0)]:
        model = fixtures.replaced(make(), 14).eval()
        x = torch.tensor((fixtures.picture(224) - 0.45)[None, None].repeat(3, 1) * 4.4, dtype=torch.float32)
        for gain in (0.7, 0.5, 0.35):
            periodic(model, gain)
            with torch.no_grad():
                spread = model(x).std().item()
            if 0.1 < spread < 10:
                break
        else:
            raise ValueError(f"logits spread by {spread}")
        x = torch.zeros(1, 3, 224, 224)
        fixtures.compressed(file, lambda path: torch.onnx.export(model, (x,), str(path), dynamo=False))
        answer = fixtures.logits(model, 224, 224, *fixtures.IMAGENET)
        assert np.std(answer) > 0.05, (file, answer)
        cases.append(dict(file=file, side=224, logits=answer, findings=CHEXPERT))
    return cases


def write_tar(path, tensors):
    """A file as PyTorch wrote it before 0.1.10: torch.serialization.legacy_load reads it, nothing writes it any more."""
    storages, views, described = io.BytesIO(), [], io.BytesIO()
    keys = {}
    whole = {}
    for tensor in tensors.values():
        whole.setdefault(tensor.untyped_storage().data_ptr(), torch.tensor([], dtype=tensor.dtype).set_(tensor.untyped_storage()))
    pickle.dump(len(whole), storages, protocol=2)
    names = {torch.float32: "FloatStorage", torch.float64: "DoubleStorage", torch.int64: "LongStorage"}
    for number, (place, numbers) in enumerate(whole.items(), 1000):
        keys[place] = number
        pickle.dump((number, "cpu", getattr(torch, names[numbers.dtype])), storages, protocol=2)
        storages.write(struct.pack("<q", numbers.numel()) + numbers.numpy().tobytes())
    pickle.dump(views, storages, protocol=2)
    pickle.dump(len(tensors), described, protocol=2)

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return str(ids[id(value)]) if isinstance(value, torch.Tensor) else None

    ids = {}
    for number, tensor in enumerate(tensors.values(), 1):
        ids[id(tensor)] = number
        pickle.dump((number, keys[tensor.untyped_storage().data_ptr()], torch.FloatTensor), described, protocol=2)
        described.write(struct.pack("<i", tensor.dim()) + b"\0\0\0\0")
        described.write(struct.pack(f"<{tensor.dim()}q", *tensor.shape) + struct.pack(f"<{tensor.dim()}q", *tensor.stride()))
        described.write(struct.pack("<q", tensor.storage_offset()))
    pickled = io.BytesIO()
    Pickler(pickled, protocol=2).dump(tensors)
    with tarfile.open(path, "w:", format=tarfile.USTAR_FORMAT) as tar:
        for name, part in [("sys_info", b""), ("pickle", pickled.getvalue()), ("tensors", described.getvalue()), ("storages", storages.getvalue())]:
            info = tarfile.TarInfo(name)
            info.size = len(part)
            tar.addfile(info, io.BytesIO(part))


def containers():
    CONTAINERS.mkdir(exist_ok=True)
    base = torch.arange(24, dtype=torch.float32) / 4 - 2
    tensors = collections.OrderedDict(
        whole=base.view(4, 6),
        turned=base.view(4, 6).t(),
        part=base[5:9],
        number=torch.tensor(2.5),
        empty=torch.zeros(0, 3),
        double=torch.tensor([1.25, -3.5], dtype=torch.float64),
        counter=torch.tensor(7),
    )
    values = {name: [list(t.shape), t.double().flatten().tolist()] for name, t in tensors.items() if t.is_floating_point()}
    torch.save(tensors, CONTAINERS / "zip.pth")
    torch.save(tensors, CONTAINERS / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(tensors, CONTAINERS / "protocol4.pth", pickle_protocol=4)
    torch.save(tensors, CONTAINERS / "protocol3_legacy.pth", pickle_protocol=3, _use_new_zipfile_serialization=False)
    write_tar(CONTAINERS / "tar.pth", tensors)
    read = torch.load(CONTAINERS / "tar.pth", weights_only=False)
    assert all(torch.equal(read[name], tensors[name]) for name in tensors)
    torch.serialization.set_crc32_options(False)
    torch.save(tensors, CONTAINERS / "without_checksums.pth")
    torch.serialization.set_crc32_options(True)
    parameters = collections.OrderedDict((name, nn.Parameter(t)) if t.is_floating_point() else (name, t) for name, t in tensors.items())
    torch.save(parameters, CONTAINERS / "parameters.pth")
    torch.save({"half": tensors["whole"].half(), "brain": tensors["whole"].bfloat16()}, CONTAINERS / "halves.pth")
    torch.save({"half": tensors["whole"].half(), "brain": tensors["whole"].bfloat16()}, CONTAINERS / "halves_legacy.pth", _use_new_zipfile_serialization=False)
    save_file({"half": tensors["whole"].half(), "brain": tensors["whole"].bfloat16()}, CONTAINERS / "halves.safetensors")
    # Nested as checkpoints are, with everything that is no tensor beside it.
    nested = {"state_dict": tensors, 3: [tensors["part"], {"x": tensors["number"]}], "note": "text", "path": Path("a"), "big": 1 << 80,
              "set": {1, 2}, "np": np.float64(3.5), "space": types.SimpleNamespace(lr=0.1)}  # fmt: skip
    torch.save(nested, CONTAINERS / "nested.pth")
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU())
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.arange(parameter.numel()).view(parameter.shape) / 8)
    torch.save(module, CONTAINERS / "module.pt")
    torch.save({"model": nn.DataParallel(module), "ema": module}, CONTAINERS / "modules.pt")
    state = {name: [list(t.shape), t.double().flatten().tolist()] for name, t in module.state_dict().items() if t.is_floating_point()}
    torch.jit.script(module).save(CONTAINERS / "torchscript.pt")
    torch.export.save(torch.export.export(module.eval(), (torch.zeros(1, 1, 8, 8),)), CONTAINERS / "exported.pt2")
    text = json.dumps({"tensors": values, "module": state}, indent=1)
    (CONTAINERS / "containers.json").write_text(text + "\n")


if __name__ == "__main__":
    containers()
    networks()
