#!/usr/bin/env python3
"""A training step of recipe `classic` in PyTorch, timed. `cargo xtask bench --peers` runs it beside ours, on a GPU
`cargo xtask bench --device cuda`.

published  as tutorials have it: both losses reach G and D, BCELoss on probabilities, Adam as it comes
best       the fakes of the D step detached, D's weights frozen in the G step, fused Adam
compile    the same, both losses under torch.compile
graph      best, the whole step recorded as a CUDA graph and replayed: batch and noise too; needs --device cuda

All modes compute in f32 (no TF32), take their batches from u8 images in memory, in a fresh order each epoch, and read the
losses once per interval, as Ganlet does. The images are made here: a bright spot of radius 7 in another place on each; or
they are those of an IDX file, such as MNIST's train-images-idx3-ubyte.gz.

usage:  pip install torch numpy
        python scripts/peers/torch_step.py published|best|compile|graph [--device cpu|cuda] [--threads N] [--hidden N]
                                           [--batch N] [--intervals N] [--interval STEPS] [--images FILE]

Prints one line: the name, and milliseconds per step, the median over the intervals after the first; tab-separated.
Exits with status 3, and says why, where it cannot run at all: no PyTorch, or no GPU for it.
"""

import argparse
import gzip
import statistics
import sys
import time

try:
    import numpy as np
    import torch
    from torch import nn
except ImportError as error:
    print(f"torch_step.py: {error}: expected numpy and torch for {sys.executable}: pip install torch numpy", file=sys.stderr)
    sys.exit(3)

IMAGES, SIDE, LATENT = 60_000, 28, 64

parser = argparse.ArgumentParser()
parser.add_argument("mode", choices=["published", "best", "compile", "graph"])
parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
for flag, default in [("--threads", 1), ("--hidden", 256), ("--batch", 100), ("--intervals", 3), ("--interval", 300)]:
    parser.add_argument(flag, type=int, default=default)
parser.add_argument("--images")
options = parser.parse_args()
if options.mode == "graph" and options.device == "cpu":
    parser.error("graph: expected --device cuda, found cpu: only a GPU replays CUDA graphs")
if options.device == "cuda" and not torch.cuda.is_available():
    print(
        f"torch_step.py: --device cuda: PyTorch {torch.__version__} sees no GPU: it takes a build of PyTorch with CUDA, and "
        "NVIDIA's driver",
        file=sys.stderr,
    )
    sys.exit(3)
on_gpu = options.device == "cuda"
lean = options.mode != "published"
torch.set_num_threads(options.threads)
torch.manual_seed(0)
device = torch.device(options.device)


def spots():
    image = np.arange(IMAGES)
    x, y = 8 + image * 7919 % 12, 8 + image * 104_729 // 12 % 12
    side = np.arange(SIDE)
    distance = ((side - x[:, None]) ** 2)[:, None, :] + ((side - y[:, None]) ** 2)[:, :, None]
    return torch.from_numpy(np.maximum(255 - 5 * distance, 0).astype(np.uint8).reshape(IMAGES, SIDE * SIDE))


def read(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
        file.read(16)
        return torch.from_numpy(np.frombuffer(bytearray(file.read()), dtype=np.uint8)).view(-1, SIDE * SIDE)


def network(widths, last):
    layers = []
    for inputs, outputs in zip(widths, widths[1:]):
        layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers[:-1], last).to(device)


images = (read(options.images) if options.images else spots()).to(device)
hidden = [options.hidden] * 2
generator = network([LATENT, *hidden, SIDE * SIDE], nn.Tanh())
discriminator = network([SIDE * SIDE, *hidden, 1], nn.Sigmoid())
adam = {"lr": 3e-4, "betas": (0.9, 0.999), "eps": 1e-8}
if lean:
    adam["fused"] = True
if options.mode == "graph":
    adam["capturable"] = True
generator_adam = torch.optim.Adam(generator.parameters(), **adam)
discriminator_adam = torch.optim.Adam(discriminator.parameters(), **adam)
bce = nn.BCELoss()
ones, zeros = torch.ones(options.batch, 1, device=device), torch.zeros(options.batch, 1, device=device)


def discriminator_loss(real, latents):
    fake = generator(latents)
    if lean:
        fake = fake.detach()
    return bce(discriminator(real), ones) + bce(discriminator(fake), zeros)


def generator_loss(latents):
    return bce(discriminator(generator(latents)), ones)


if options.mode == "compile":
    discriminator_loss, generator_loss = torch.compile(discriminator_loss), torch.compile(generator_loss)


def step(indices):
    real = images[indices].float() * (2 / 255) - 1
    d_loss = discriminator_loss(real, torch.randn(options.batch, LATENT, device=device))
    discriminator_adam.zero_grad()
    d_loss.backward()
    discriminator_adam.step()

    if lean:
        discriminator.requires_grad_(False)
    g_loss = generator_loss(torch.randn(options.batch, LATENT, device=device))
    generator_adam.zero_grad()
    g_loss.backward()
    generator_adam.step()
    if lean:
        discriminator.requires_grad_(True)
    return d_loss, g_loss


def batches():
    while True:
        order = torch.randperm(len(images), device=device)
        yield from order[: len(images) // options.batch * options.batch].split(options.batch)


class Recorded:
    """The step as a CUDA graph, as PyTorch's notes on CUDA semantics record a whole network.

    It takes its batch from `order` at `at`, and moves on, on the GPU; so between two replays there is nothing for the host
    to do but an order for each epoch.
    """

    def __init__(self):
        self.order = torch.randperm(len(images), device=device)
        self.at = torch.arange(options.batch, device=device)
        self.left = len(images) // options.batch
        self.per_epoch = self.left
        # What is allocated or loaded once must be there before the recording; on a stream of its own.
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.work()
        torch.cuda.current_stream().wait_stream(side)
        # Then the backward passes make the gradients anew, in the graph's own memory.
        generator_adam.zero_grad(set_to_none=True)
        discriminator_adam.zero_grad(set_to_none=True)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.losses = self.work()
        self.begin()

    def work(self):
        losses = step(self.order[self.at])
        self.at += options.batch
        return losses

    def begin(self):
        self.order.copy_(torch.randperm(len(images), device=device))
        self.at.copy_(torch.arange(options.batch, device=device))
        self.left = self.per_epoch

    def __call__(self):
        if self.left == 0:
            self.begin()
        self.left -= 1
        self.graph.replay()
        return self.losses


def synchronize():
    if on_gpu:
        torch.cuda.synchronize()


if options.mode == "graph":
    next_step = Recorded()
else:
    batch = batches()

    def next_step():
        return step(next(batch))


times = []
# The first interval warms up (and compiles).
for _ in range(1 + options.intervals):
    synchronize()
    start = time.perf_counter()
    for _ in range(options.interval):
        losses = next_step()
    values = [loss.item() for loss in losses]
    synchronize()
    times.append((time.perf_counter() - start) / options.interval * 1e3)
    assert all(np.isfinite(values)), values
print(f"PyTorch {torch.__version__}, {options.mode}", f"{statistics.median(times[1:]):.4f}", sep="\t")
