"""Compares ONNX Runtime with what the test beside this wrote: a folder for each case, with `model.onnx`, `input.f32`, and for each output its
values of a batch of all pictures. The first picture is read alone, too."""

import json
import pathlib
import sys

import numpy
import onnx
import onnxruntime

# For logits up to 10, as those of trained networks are: of larger ones as a share.
TOLERANCE = 1e-4
USUAL = 10.0


def check(folder):
    expected = json.loads((folder / "expected.json").read_text())
    path = str(folder / "model.onnx")
    onnx.checker.check_model(path, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    facts = session.get_modelmeta().custom_metadata_map
    assert json.loads(facts["findings"]) == expected["findings"], facts["findings"]
    assert json.loads(facts["preprocessing"]) == json.loads(expected["preprocessing"]), facts["preprocessing"]
    [given] = session.get_inputs()
    pictures = numpy.fromfile(folder / "input.f32", "<f4").reshape(expected["input"])
    assert given.shape == ["batch", *pictures.shape[1:]], given.shape
    names = [output.name for output in session.get_outputs()]
    assert set(names) == set(expected["outputs"]), names
    worst = {}
    for batch in [1, len(pictures)]:
        outputs = session.run(names, {given.name: pictures[:batch]})
        for name, ours in zip(names, outputs):
            shape = expected["outputs"][name]
            theirs = numpy.fromfile(folder / f"{name}.f32", "<f4").reshape(shape)[:batch]
            assert ours.shape == theirs.shape, (name, ours.shape, theirs.shape)
            worst[name] = max(worst.get(name, 0.0), float(abs(ours - theirs).max()))
    # Evidence is what the logits are made of.
    [logits, evidence, bias] = session.run(["logits", "evidence", "bias"], {given.name: pictures})
    worst["sum"] = float(abs(evidence.sum((2, 3)) + bias - logits).max())
    size = float(abs(logits).max())
    print(folder.name, f"logits up to {size:.2f};", {name: f"{off:.1e}" for name, off in worst.items()})
    most = TOLERANCE * max(1.0, size / USUAL)
    return [f"{folder.name}, {name}: {off}" for name, off in worst.items() if not off <= most]


cases = sorted(path.parent for path in pathlib.Path(sys.argv[1]).glob("*/expected.json"))
wrong = [line for case in cases for line in check(case)]
print(len(cases), "cases")
sys.exit("\n".join(wrong) or None)
