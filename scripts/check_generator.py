#!/usr/bin/env python3
"""Does PyTorch make the same images of our weights as we do?

Builds the generator as nn.Sequential from the shapes in the weight file and the activation that its metadata name, loads the file
with `load_state_dict(strict=True)`, runs it on the latents that the program was given and compares with its images. Where it
takes labels, these go round, as `ganlet sample --latents` has them.

usage:  pip install torch safetensors numpy
        python scripts/check_generator.py RUN z.npy                 writes 64 latents
        ganlet sample RUN --latents z.npy --out x.npy
        python scripts/check_generator.py RUN z.npy x.npy           compares

RUN is a run directory, whose averaged weights are taken where there are any, or a .safetensors file; z.npy holds (N, latent) and x.npy (N, pixels) f32 in [-1, 1].
Prints the largest difference; exits with 1 if it exceeds 1e-5. `cargo xtask parity RUN` does all three.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

TOLERANCE = 1e-5
SEED = 0
COUNT = 64
SLOPE = 0.2


class Maxout(nn.Module):
    def __init__(self, pieces):
        super().__init__()
        self.pieces = pieces

    def forward(self, x):
        return x.unflatten(1, (-1, self.pieces)).amax(2)


def activation(name):
    match name.split("-"):
        case ["leaky", "relu"]:
            return nn.LeakyReLU(SLOPE)
        case ["relu"]:
            return nn.ReLU()
        case ["maxout", pieces]:
            return Maxout(int(pieces))


def generator(path):
    """Linear layers of the shapes in the file, its activation between them, Tanh at the end; with its weights. And its configuration."""
    with safe_open(path, "pt") as file:
        config = json.loads((file.metadata() or {}).get("ganlet", '{"config": {}}'))["config"]
    state = load_file(path)
    weights = sorted((name for name in state if name.endswith(".weight")), key=lambda n: int(n.split(".")[0]))
    layers = []
    for name in weights:
        fan_out, fan_in = state[name].shape
        layers += [nn.Linear(fan_in, fan_out), activation(config.get("activation", "leaky-relu"))]
    network = nn.Sequential(*layers[:-1], nn.Tanh())
    network.load_state_dict(state, strict=True)
    return network, config


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    run, latents, *samples = map(Path, sys.argv[1:])
    if run.is_dir():
        run = next(path for name in ("generator-ema", "generator") if (path := run / f"{name}.safetensors").exists())
    network, config = generator(run)
    classes = config.get("classes", 0)
    if not samples:
        shape = (COUNT, network[0].in_features - classes)
        np.save(latents, np.random.default_rng(SEED).standard_normal(shape, np.float32))
        return
    images = np.load(samples[0])
    latents = torch.from_numpy(np.load(latents))
    labels = torch.eye(classes)[torch.arange(len(latents)) % max(classes, 1)] if classes else torch.zeros(len(latents), 0)
    with torch.no_grad():
        expected = network(torch.cat([latents, labels], 1)).numpy()
    if images.shape != expected.shape:
        sys.exit(f"{samples[0]} holds {images.shape}, PyTorch makes {expected.shape}")
    difference = np.abs(images.astype(np.float64) - expected).max()
    print(f"{len(images)} images, largest difference {difference:.1e} (allowed: {TOLERANCE:.0e})")
    # Not `>`: a NaN must fail as well.
    if not difference <= TOLERANCE:
        sys.exit(1)


if __name__ == "__main__":
    main()
