#!/usr/bin/env python3
"""Draws 10,000 samples of a generator in PyTorch and writes them to a .npy file. `cargo xtask bench --peers` times it.

usage:  pip install torch safetensors numpy
        python scripts/peers/torch_sample.py GENERATOR.safetensors OUT.npy [--threads N]

Prints one line: the name, and the milliseconds that it took but for starting Python and loading PyTorch; tab-separated.
"""

import argparse
import time

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

SAMPLES = 10_000

parser = argparse.ArgumentParser()
parser.add_argument("weights")
parser.add_argument("out")
parser.add_argument("--threads", type=int, default=1)
options = parser.parse_args()
torch.set_num_threads(options.threads)

start = time.perf_counter()
weights = load_file(options.weights)
layers = []
for index in range(0, len(weights), 2):
    outputs, inputs = weights[f"{index}.weight"].shape
    layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(0.2)]
generator = nn.Sequential(*layers[:-1], nn.Tanh())
generator.load_state_dict(weights)
with torch.inference_mode():
    latents = torch.randn(SAMPLES, generator[0].in_features)
    np.save(options.out, generator(latents).numpy())
print(f"PyTorch {torch.__version__}, samples", f"{(time.perf_counter() - start) * 1e3:.1f}", sep="\t")
