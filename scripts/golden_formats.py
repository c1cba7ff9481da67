#!/usr/bin/env python3
"""Files as PyTorch, onnx and TensorBoard write them, for our readers and writers to be held to.

Writes into crates/formats/tests/golden:

zip.pt, legacy.pt   `torch.save(G.state_dict(), ...)` of one generator, in the format of today and in that before PyTorch 1.6
mixed.pt, mixed-legacy.pt   the same weights under longer names, in 64, 16, 16 and 32 bits, one a transposed view, beside other things
module.pt           `torch.save(G, ...)`: a whole module, which is refused
model.onnx          a network with every activation and with labels, put together by onnx's own helper
events.tfevents     two scalars and a picture, by TensorBoard's own writer

Every weight is a whole number of eighths, exact in 16 bits: number n, counted through all tensors, is (n mod 17 - 8) / 8.

usage:  pip install torch numpy onnx onnxruntime tensorboard
        python scripts/golden_formats.py            write the files
        python scripts/golden_formats.py --check    make them again; what is in them must be what is there
"""

import io
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter
from torch import nn

GOLDEN = Path(__file__).resolve().parent.parent / "crates/formats/tests/golden"
OPERATOR_SET = 13
IR_VERSION = 7


def counted():
    """The numbers that weights are made of."""
    n = 0
    while True:
        yield (n % 17 - 8) / 8
        n += 1


def filled(shapes):
    numbers = counted()
    return [np.array([next(numbers) for _ in range(np.prod(shape))], np.float32).reshape(shape) for shape in shapes]


def generator():
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 6), nn.Tanh())
    values = filled([tuple(parameter.shape) for parameter in network.parameters()])
    with torch.no_grad():
        for parameter, value in zip(network.parameters(), values):
            parameter.copy_(torch.from_numpy(value))
    return network


def mixed():
    weight0, bias0, weight2, bias2 = (parameter.detach() for parameter in generator().parameters())
    whole = torch.cat([torch.zeros(5), bias2])
    return {
        "module.net.fc1.weight": weight0.double(),
        "module.net.fc1.bias": bias0.half(),
        "module.net.fc2.weight": nn.Parameter(weight2.t().contiguous().t().bfloat16()),
        "module.net.fc2.bias": whole[5:],
        "epoch": 200,
        "history": {"loss": [0.5, 0.25], "best": None, "counts": torch.arange(3)},
    }


def saved(value, **how):
    file = io.BytesIO()
    torch.save(value, file, **how)
    return file.getvalue()


def model():
    """Three inputs and a label of two; layers of 4, 3, 3, 3, 3 (the larger of two pieces each) and 2 outputs."""
    sizes = [(4, 5), (3, 4), (3, 3), (3, 3), (6, 3), (2, 3)]
    shapes = [shape for rows, columns in sizes for shape in [(rows, columns), (rows,)]]
    weights = filled(shapes)
    tensor = lambda name, kind, array: helper.make_tensor(name, kind, array.shape, array.tobytes(), raw=True)
    names = [f"{2 * layer}.{kind}" for layer in range(6) for kind in ("weight", "bias")]
    node = helper.make_node
    linear = lambda layer, before, after: node("Gemm", [before, f"{2 * layer}.weight", f"{2 * layer}.bias"], [after], transB=1)
    nodes = [
        node("OneHot", ["labels", "classes", "off_on"], ["one_hot"]),
        node("Concat", ["latents", "one_hot"], ["labelled"], axis=1),
        linear(0, "labelled", "linear0"),
        node("LeakyRelu", ["linear0"], ["hidden0"], alpha=0.25),
        linear(1, "hidden0", "linear1"),
        node("Relu", ["linear1"], ["hidden1"]),
        linear(2, "hidden1", "linear2"),
        node("Sigmoid", ["linear2"], ["hidden2"]),
        linear(3, "hidden2", "hidden3"),
        linear(4, "hidden3", "linear4"),
        node("Reshape", ["linear4", "shape4"], ["pieces4"]),
        node("ReduceMax", ["pieces4"], ["hidden4"], axes=[2], keepdims=0),
        linear(5, "hidden4", "linear5"),
        node("Tanh", ["linear5"], ["images"]),
    ]
    graph = helper.make_graph(
        nodes,
        "generator",
        inputs=[
            helper.make_tensor_value_info("latents", TensorProto.FLOAT, ["batch", 3]),
            helper.make_tensor_value_info("labels", TensorProto.INT64, ["batch"]),
        ],
        outputs=[helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 2])],
        initializer=[
            tensor("classes", TensorProto.INT64, np.array(2, np.int64)),
            tensor("off_on", TensorProto.FLOAT, np.array([0, 1], np.float32)),
            *(tensor(name, TensorProto.FLOAT, array) for name, array in zip(names[:10], weights)),
            tensor("shape4", TensorProto.INT64, np.array([0, -1, 2], np.int64)),
            *(tensor(name, TensorProto.FLOAT, array) for name, array in zip(names[10:], weights[10:])),
        ],
    )
    whole = helper.make_model(
        graph, producer_name="ganlet", ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", OPERATOR_SET)]
    )
    helper.set_model_props(whole, {"rows": "1", "columns": "2"})
    onnx.checker.check_model(whole, full_check=True)
    encoded = whole.SerializeToString(deterministic=True)

    # It is a network: the same by hand.
    x, label = np.array([[0.5, -1.0, 0.25]], np.float32), np.array([1], np.int64)
    (found,) = onnxruntime.InferenceSession(encoded).run(None, {"latents": x, "labels": label})
    value = np.concatenate([x, np.eye(2, dtype=np.float32)[label]], 1)
    activations = [
        lambda v: np.where(v > 0, v, 0.25 * v),
        lambda v: np.maximum(v, 0),
        lambda v: 1 / (1 + np.exp(-v)),
        lambda v: v,
        lambda v: v.reshape(len(v), -1, 2).max(2),
        np.tanh,
    ]
    for weight, bias, activation in zip(weights[::2], weights[1::2], activations):
        value = activation(value @ weight.T + bias)
    assert np.abs(found - value).max() < 1e-6
    return encoded


def events():
    png = b"\x89PNG stands for a picture"
    scalars = [Summary.Value(tag="training/d_loss", simple_value=0.5), Summary.Value(tag="training/d_fake", simple_value=0)]
    picture = Summary.Image(height=242, width=300, colorspace=1, encoded_image_string=png)
    file = io.BytesIO()
    writer = RecordWriter(file)
    for event in [
        Event(wall_time=1000.5, file_version="brain.Event:2"),
        Event(wall_time=1001.5, step=300, summary=Summary(value=scalars)),
        Event(wall_time=1002.5, step=600, summary=Summary(value=[Summary.Value(tag="samples", image=picture)])),
    ]:
        writer.write(event.SerializeToString(deterministic=True))
    return file.getvalue()


def tensors(encoded):
    """What there is to compare in a file of PyTorch's, whose other bytes depend on its version."""
    state = torch.load(io.BytesIO(encoded), weights_only=False)
    state = state.state_dict() if isinstance(state, nn.Module) else state
    return {name: value.tolist() if isinstance(value, torch.Tensor) else value for name, value in state.items() if name != "history"}


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    legacy = {"_use_new_zipfile_serialization": False}
    files = {
        "zip.pt": saved(generator().state_dict()),
        "legacy.pt": saved(generator().state_dict(), **legacy),
        "mixed.pt": saved(mixed()),
        "mixed-legacy.pt": saved(mixed(), **legacy),
        "module.pt": saved(generator()),
        "model.onnx": model(),
        "events.tfevents": events(),
    }
    for name, encoded in files.items():
        path = GOLDEN / name
        if "--check" in sys.argv:
            content = tensors if path.suffix == ".pt" else bytes
            if content(path.read_bytes()) != content(encoded):
                sys.exit(f"{name} is not what is made today")
            print(f"{name}: as it was")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            print(f"{name}: {path.write_bytes(encoded):,} bytes")


if __name__ == "__main__":
    main()
