#!/usr/bin/env python3
"""Do onnxruntime and TensorBoard see in our files what we put in?

usage:  pip install onnx onnxruntime tensorboard numpy pillow
        ganlet sample RUN --latents z.npy --out x.npy           z.npy: python scripts/check_generator.py RUN z.npy
        ganlet export RUN --onnx g.onnx --tensorboard LOGS
        python scripts/check_export.py RUN g.onnx z.npy x.npy LOGS

Runs the model on the latents, all at once and one by one, and compares with our images: at most 1e-5 apart. Where the model takes
labels, it is asked for them in turn, as `ganlet sample --latents` draws them. Reads the event file with TensorBoard's own reader: every
number of metrics.jsonl and every sheet is there once, at its step, and nothing else. `cargo xtask parity RUN` does all of this.
"""

import io
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

TOLERANCE = 1e-5
PLACE = {"epoch", "step", "images_seen", "seconds"}


def check_onnx(model, latents, images):
    onnx.checker.check_model(onnx.load(model), full_check=True)
    session = onnxruntime.InferenceSession(model)
    inputs = {"latents": latents.astype(np.float32)}
    if len(session.get_inputs()) > 1:
        classes = next(int(p.value) for p in onnx.load(model).metadata_props if p.key == "classes")
        inputs["labels"] = np.arange(len(latents)) % classes
    (together,) = session.run(None, inputs)
    alone = np.concatenate([session.run(None, {k: v[i : i + 1] for k, v in inputs.items()})[0] for i in range(len(latents))])
    for found in (together, alone):
        if found.shape != images.shape:
            sys.exit(f"{model} makes {found.shape}, ganlet {images.shape}")
        difference = np.abs(found.astype(np.float64) - images).max()
        print(f"{model}: {len(images)} images, largest difference {difference:.1e} (allowed: {TOLERANCE:.0e})")
        # Not `>`: a NaN must fail as well.
        if not difference <= TOLERANCE:
            sys.exit(1)


def check_tensorboard(run, logs):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    expected = {}
    for line in lines:
        group = "quality" if "frechet" in line or "variety" in line else "training"
        for name, value in line.items():
            if name not in PLACE and isinstance(value, (int, float)) and not isinstance(value, bool):
                expected.setdefault(f"{group}/{name}", []).append((line["step"], np.float32(value)))
    events = EventAccumulator(str(logs), size_guidance={"scalars": 0, "images": 0})
    events.Reload()
    tags = events.Tags()
    if set(tags["scalars"]) != set(expected):
        sys.exit(f"{logs}: expected the scalars {sorted(expected)}, found {sorted(tags['scalars'])}")
    for tag, curve in expected.items():
        if [(event.step, np.float32(event.value)) for event in events.Scalars(tag)] != curve:
            sys.exit(f"{logs}: {tag} is not what metrics.jsonl says")

    sheets = sorted((run / "samples").glob("fake_images-*.png"), key=lambda path: int(path.stem.split("-")[1]))
    found = events.Images("samples/fake")
    if [event.encoded_image_string for event in found] != [path.read_bytes() for path in sheets]:
        sys.exit(f"{logs}: the sheets are not those of {run}")
    for event in [*found, *events.Images("samples/real")]:
        assert Image.open(io.BytesIO(event.encoded_image_string)).size == (event.width, event.height)
    steps = [event.step for event in found]
    if steps != sorted(set(steps)):
        sys.exit(f"{logs}: a step has two sheets")
    count = sum(map(len, expected.values()))
    print(f"{logs}: {count} numbers of {len(expected)} curves, {len(sheets)} sheets, each once and as in the run")


def main():
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    run, model, latents, images, logs = sys.argv[1:]
    check_onnx(model, np.load(latents), np.load(images))
    check_tensorboard(Path(run), logs)


if __name__ == "__main__":
    main()
