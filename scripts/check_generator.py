#!/usr/bin/env python3
"""Does PyTorch make the same images of our weights as we do?

Builds the generator as nn.Sequential from the shapes in the weight file alone, loads the file with
`load_state_dict(strict=True)`, runs it on the latents that the program was given and compares with its images.

usage:  pip install torch safetensors numpy
        python scripts/check_generator.py RUN z.npy                 writes 64 latents
        ganlet sample RUN --latents z.npy --out x.npy
        python scripts/check_generator.py RUN z.npy x.npy           compares

RUN is a run directory or a .safetensors file; z.npy holds (N, latent) and x.npy (N, pixels) f32 in [-1, 1].
Prints the largest difference; exits with 1 if it exceeds 1e-5. `cargo xtask parity RUN` does all three.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

TOLERANCE = 1e-5
SEED = 0
COUNT = 64
SLOPE = 0.2


def generator(state):
    """Linear layers of the shapes in `state`, LeakyReLU between them, Tanh at the end; with its weights."""
    weights = sorted((name for name in state if name.endswith(".weight")), key=lambda n: int(n.split(".")[0]))
    layers = []
    for name in weights:
        fan_out, fan_in = state[name].shape
        layers += [nn.Linear(fan_in, fan_out), nn.LeakyReLU(SLOPE)]
    network = nn.Sequential(*layers[:-1], nn.Tanh())
    network.load_state_dict(state, strict=True)
    return network


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    run, latents, *samples = map(Path, sys.argv[1:])
    network = generator(load_file(run / "generator.safetensors" if run.is_dir() else run))
    if not samples:
        np.save(latents, np.random.default_rng(SEED).standard_normal((COUNT, network[0].in_features), np.float32))
        return
    images = np.load(samples[0])
    with torch.no_grad():
        expected = network(torch.from_numpy(np.load(latents))).numpy()
    if images.shape != expected.shape:
        sys.exit(f"{samples[0]} holds {images.shape}, PyTorch makes {expected.shape}")
    difference = np.abs(images.astype(np.float64) - expected).max()
    print(f"{len(images)} images, largest difference {difference:.1e} (allowed: {TOLERANCE:.0e})")
    # Not `>`: a NaN must fail as well.
    if not difference <= TOLERANCE:
        sys.exit(1)


if __name__ == "__main__":
    main()
