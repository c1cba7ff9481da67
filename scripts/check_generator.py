#!/usr/bin/env python3
"""Does PyTorch make the same images of our weights as we do?

Builds the generator as nn.Sequential from the shapes in the weight file alone, loads the file with
`load_state_dict(strict=True)`, runs it on the latents that the program drew and compares with its images.

usage:  pip install torch safetensors numpy
        ganlet sample RUN --seeds 0-63 --out x.npy --latents z.npy
        python scripts/check_generator.py RUN x.npy z.npy

RUN is a run directory or a .safetensors file; z.npy holds (N, latent) and x.npy (N, pixels), in [-1, 1].
Prints the largest difference; exits with 1 if it exceeds 1e-5.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

TOLERANCE = 1e-5
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
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    run, samples, latents = map(Path, sys.argv[1:])
    network = generator(load_file(run / "generator.safetensors" if run.is_dir() else run))
    images = np.load(samples)
    with torch.no_grad():
        expected = network(torch.from_numpy(np.load(latents))).numpy()
    if images.shape != expected.shape:
        sys.exit(f"{samples} holds {images.shape}, PyTorch makes {expected.shape}")
    difference = np.abs(images.astype(np.float64) - expected).max()
    print(f"{len(images)} images, largest difference {difference:.1e} (allowed: {TOLERANCE:.0e})")
    # Not `>`: a NaN must fail as well.
    if not difference <= TOLERANCE:
        sys.exit(1)


if __name__ == "__main__":
    main()
