#!/usr/bin/env python3
"""What PyTorch does in ten steps of recipe `classic`, for our tests to be held to.

Writes two files into crates/train/tests/golden:

classic.safetensors   ten steps of the published program (nn.Sequential, nn.BCELoss, torch.optim.Adam) at reduced
                      width, so that the file stays small, and at ten times the recipe's learning rate, so that ten
                      steps go somewhere. It holds everything that goes in and comes out; K is the step, 0 to 9:
    initial.{generator,discriminator}.{0,2,4}.{weight,bias}     the weights before step 0
    pixels.K        (batch, pixels) u8                          the real batch
    images.K        (batch, pixels) f32 in [-1, 1]              the same as 2p/255 - 1
    noise_d.K, noise_g.K  (batch, latent) f32                   what G sees in the D step and in the G step
    d_loss, g_loss  (steps,) f32                                each before the update that it causes
    d_real, d_fake  (steps,) f32 in (0, 1)                      mean D(x) and mean D(G(z)) in the D step
    final.{generator,discriminator}.{0,2,4}.{weight,bias}       the weights after step 9
    final.{generator,discriminator}_adam.{exp_avg,exp_avg_sq}.{0,2,4}.{weight,bias}   and Adam's moments
                      The file's metadata hold every hyper-parameter.

losses.safetensors    binary_cross_entropy_with_logits and its gradient, element by element, computed in f64
                      (in f32 PyTorch loses what is below an ulp of the logit):
    logits                           (N,) f32, from -200 to 200
    {real,fake}.{loss,gradient}      (N,) f32, against target 1 (real) and 0 (fake)

usage:  pip install torch safetensors numpy
        python scripts/golden.py            write the files
        python scripts/golden.py --check    compute them again, compare with what is there, write nothing

Everything is seeded. Another version of PyTorch or another processor may round differently: --check allows 1e-5.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save
from torch import nn

ROOT = Path(__file__).resolve().parent.parent
# This script, or the one that imports it.
COMMAND = f"python scripts/{Path(sys.argv[0]).name}"
TOLERANCE = 1e-5

SEED = 0
STEPS = 10
BATCH = 10
SIDE = 4
PIXELS = SIDE * SIDE
LATENT = 8
# Unequal, so that a transposed matrix cannot go unnoticed.
DISCRIMINATOR = [PIXELS, 32, 24, 1]
GENERATOR = [LATENT, 32, 24, PIXELS]
SLOPE = 0.2
LEARNING_RATE = 3e-3
BETAS = (0.9, 0.999)
EPSILON = 1e-8


def mlp(widths, last):
    """Linear layers with LeakyReLU between them and `last` at the end."""
    layers = []
    for fan_in, fan_out in zip(widths, widths[1:]):
        layers += [nn.Linear(fan_in, fan_out), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers[:-1], last)


def bars():
    """One batch of noisy images, each with a bright row or column, as u8."""
    pixels = torch.randint(0, 64, (BATCH, SIDE, SIDE))
    for image in pixels:
        lines = image if torch.rand(()) < 0.5 else image.T
        lines[torch.randint(SIDE, ())] += 191
    return pixels.reshape(BATCH, PIXELS).to(torch.uint8)


def classic():
    """The training run: the tensors of classic.safetensors, and its metadata."""
    torch.manual_seed(SEED)
    networks = {"generator": mlp(GENERATOR, nn.Tanh()), "discriminator": mlp(DISCRIMINATOR, nn.Sigmoid())}
    g, d = networks.values()
    adam = {
        name: torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, betas=BETAS, eps=EPSILON)
        for name, network in networks.items()
    }
    bce = nn.BCELoss()
    real_labels, fake_labels = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)

    tensors = {}
    curves = {"d_loss": [], "g_loss": [], "d_real": [], "d_fake": []}

    def keep(prefix, named):
        tensors.update({f"{prefix}.{name}": tensor.detach().clone() for name, tensor in named})

    for name, network in networks.items():
        keep(f"initial.{name}", network.named_parameters())

    for step in range(STEPS):
        tensors[f"pixels.{step}"] = pixels = bars()
        tensors[f"images.{step}"] = images = pixels.float() * 2 / 255 - 1
        tensors[f"noise_d.{step}"] = noise_d = torch.randn(BATCH, LATENT)
        tensors[f"noise_g.{step}"] = noise_g = torch.randn(BATCH, LATENT)

        real_scores = d(images)
        fake_scores = d(g(noise_d).detach())
        d_loss = bce(real_scores, real_labels) + bce(fake_scores, fake_labels)
        adam["discriminator"].zero_grad()
        d_loss.backward()
        adam["discriminator"].step()

        g_loss = bce(d(g(noise_g)), real_labels)
        adam["generator"].zero_grad()
        g_loss.backward()
        adam["generator"].step()

        curves["d_loss"].append(d_loss.item())
        curves["g_loss"].append(g_loss.item())
        curves["d_real"].append(real_scores.mean().item())
        curves["d_fake"].append(fake_scores.mean().item())

    tensors.update({name: torch.tensor(values) for name, values in curves.items()})
    for name, network in networks.items():
        keep(f"final.{name}", network.named_parameters())
        for moment in ("exp_avg", "exp_avg_sq"):
            state = ((n, adam[name].state[p][moment]) for n, p in network.named_parameters())
            keep(f"final.{name}_adam.{moment}", state)

    return tensors, {
        "seed": SEED,
        "steps": STEPS,
        "batch": BATCH,
        "discriminator": DISCRIMINATOR,
        "generator": GENERATOR,
        "slope": SLOPE,
        "learning_rate": LEARNING_RATE,
        "beta1": BETAS[0],
        "beta2": BETAS[1],
        "epsilon": EPSILON,
    }


def losses():
    """The tensors of losses.safetensors."""
    around_zero = torch.arange(-200, 201) / 10
    tiny = torch.tensor([1e-3, 1e-6, 1e-30])
    far = torch.arange(21.0, 201.0)
    logits = torch.cat([-far.flip(0), around_zero, far, tiny, -tiny])
    tensors = {"logits": logits.clone()}
    for name, target in (("real", 1.0), ("fake", 0.0)):
        x = logits.double().requires_grad_()
        loss = nn.functional.binary_cross_entropy_with_logits(x, torch.full_like(x, target), reduction="none")
        (gradient,) = torch.autograd.grad(loss.sum(), x)
        tensors[f"{name}.loss"] = loss.detach().float()
        tensors[f"{name}.gradient"] = gradient.float()
    return tensors, {}


def encode(tensors, metadata):
    """The bytes of a safetensors file, the same ones each time: metadata in order, as JSON values."""
    metadata = metadata | {"torch": torch.__version__, "made_by": COMMAND}
    metadata = {k: v if isinstance(v, str) else json.dumps(v) for k, v in sorted(metadata.items())}
    encoded = save({name: tensor.numpy() for name, tensor in tensors.items()})
    size = int.from_bytes(encoded[:8], "little")
    header = json.dumps({"__metadata__": metadata} | json.loads(encoded[8 : 8 + size]), separators=(",", ":"))
    header += " " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header.encode() + encoded[8 + size :]


def check(path, tensors):
    """The largest difference between `tensors` and those in the file at `path`."""
    with safe_open(path, "np") as file:
        if set(file.keys()) != set(tensors):
            sys.exit(f"{path.name}: other tensors than expected; write it again with `{COMMAND}`")
        return max(
            np.abs(file.get_tensor(name).astype(np.float64) - tensor.numpy()).max()
            for name, tensor in tensors.items()
        )


def main(folder, files, usage):
    """Writes or checks the files below `folder`: of each name, the tensors and metadata that its function gives."""
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(usage)
    torch.set_num_threads(1)
    for name, make in files.items():
        tensors, metadata = make()
        path = ROOT / folder / f"{name}.safetensors"
        if "--check" in sys.argv:
            difference = check(path, tensors)
            print(f"{path.name}: largest difference {difference:.1e}")
            if not difference <= TOLERANCE:
                sys.exit(f"{path.name} is not what PyTorch {torch.__version__} computes (allowed: {TOLERANCE:.0e})")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            size = path.write_bytes(encode(tensors, metadata))
            print(f"{path.name}: {len(tensors)} tensors, {size:,} bytes")


if __name__ == "__main__":
    main("crates/train/tests/golden", {"classic": classic, "losses": losses}, __doc__)
