#!/usr/bin/env python3
"""A training step of recipe `classic` in JAX, jitted whole, timed. `cargo xtask bench --peers` runs it, on a GPU
`cargo xtask bench --device cuda`.

scan  up to a hundred steps per call, under lax.scan
step  one step per call

Both donate their state, so that XLA can update it in place; take their batches from u8 images in memory, in a fresh
order each epoch; and read the losses once per interval, as Ganlet does. The images are made here: a bright spot of
radius 7 in another place on each. Real and fake images pass through D as one batch, as in Ganlet. Products are f32: on a
GPU, JAX would round their factors to TF32 if it were not asked for more.

On the CPU, XLA makes its threads one per core that the process may use, so the process limits itself to as many (on Linux;
elsewhere it only tells one thread from all).

usage:  pip install jax optax numpy
        python scripts/peers/jax_step.py scan|step [--device cpu|cuda] [--threads N] [--hidden N] [--batch N]
                                         [--intervals N] [--interval STEPS]

Prints one line: the name, and milliseconds per step, the median over the intervals after the first; tab-separated.
Exits with status 3, and says why, where it cannot run at all: no JAX, or no GPU for it.
"""

import argparse
import os
import statistics
import sys
import time
from functools import partial

IMAGES, SIDE, LATENT = 60_000, 28, 64

parser = argparse.ArgumentParser()
parser.add_argument("mode", choices=["scan", "step"])
parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
for flag, default in [("--threads", 1), ("--hidden", 256), ("--batch", 100), ("--intervals", 3), ("--interval", 300)]:
    parser.add_argument(flag, type=int, default=default)
options = parser.parse_args()
# At most a hundred, as many as are an interval's even share, and no more than an epoch has.
SCANNED = max(n for n in range(1, 101) if options.interval % n == 0 and n <= IMAGES // options.batch)



def cannot_run(why):
    print(f"jax_step.py: {why}", file=sys.stderr)
    sys.exit(3)


# Before JAX is loaded.
if options.device == "cpu":
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    if options.threads == 1:
        os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false"
os.environ["JAX_PLATFORMS"] = options.device

try:
    import jax
    import jax.numpy as jnp
    import numpy as np
    import optax
except ImportError as error:
    cannot_run(f"{error}: expected jax, optax and numpy for {sys.executable}: pip install jax optax numpy")

if options.device == "cuda":
    jax.config.update("jax_default_matmul_precision", "highest")
try:
    jax.devices()
# Without the part for GPUs it fails with an assertion of its own.
except (RuntimeError, AssertionError) as error:
    why = str(error) or "it does not say why"
    cannot_run(f"--device {options.device}: JAX {jax.__version__} sees none, {why}: it takes jax[cuda13] and NVIDIA's driver")


def spots():
    image = np.arange(IMAGES)
    x, y = 8 + image * 7919 % 12, 8 + image * 104_729 // 12 % 12
    side = np.arange(SIDE)
    distance = ((side - x[:, None]) ** 2)[:, None, :] + ((side - y[:, None]) ** 2)[:, :, None]
    return jnp.asarray(np.maximum(255 - 5 * distance, 0).astype(np.uint8).reshape(IMAGES, SIDE * SIDE))


def initial(key, widths):
    layers = []
    for inputs, outputs in zip(widths, widths[1:]):
        key, for_weight, for_bias = jax.random.split(key, 3)
        draw = partial(jax.random.uniform, minval=-(inputs**-0.5), maxval=inputs**-0.5)
        layers.append((draw(for_weight, (inputs, outputs)), draw(for_bias, (outputs,))))
    return layers


def forward(layers, x):
    *before, (weight, bias) = layers
    for w, b in before:
        x = jax.nn.leaky_relu(x @ w + b, 0.2)
    return x @ weight + bias


def generate(generator, latents):
    return jnp.tanh(forward(generator, latents))


# Binary cross-entropy on logits, against 1 and against 0.
def against_one(logits):
    return jax.nn.softplus(-logits).mean()


def against_zero(logits):
    return jax.nn.softplus(logits).mean()


adam = optax.adam(3e-4, b1=0.9, b2=0.999, eps=1e-8)
B = options.batch


def update(loss, parameters, moments):
    value, gradient = jax.value_and_grad(loss)(parameters)
    change, moments = adam.update(gradient, moments)
    return value, optax.apply_updates(parameters, change), moments


def step(images, order, state, at):
    generator, discriminator, generator_moments, discriminator_moments, key = state
    key, for_d, for_g = jax.random.split(key, 3)
    indices = jax.lax.dynamic_slice(order, (at * B,), (B,))
    real = images[indices].astype(jnp.float32) * (2 / 255) - 1
    fake = generate(generator, jax.random.normal(for_d, (B, LATENT)))

    def d_loss(discriminator):
        logits = forward(discriminator, jnp.concatenate([real, fake]))
        return against_one(logits[:B]) + against_zero(logits[B:])

    d_value, discriminator, discriminator_moments = update(d_loss, discriminator, discriminator_moments)
    latents = jax.random.normal(for_g, (B, LATENT))

    def g_loss(generator):
        return against_one(forward(discriminator, generate(generator, latents)))

    g_value, generator, generator_moments = update(g_loss, generator, generator_moments)
    return (generator, discriminator, generator_moments, discriminator_moments, key), (d_value, g_value)


@partial(jax.jit, donate_argnums=2)
def one(images, order, state, at):
    return step(images, order, state, at)


@partial(jax.jit, donate_argnums=2)
def many(images, order, state, first):
    return jax.lax.scan(partial(step, images, order), state, first + jnp.arange(SCANNED))


call, steps = (many, SCANNED) if options.mode == "scan" else (one, 1)
images = spots()
hidden = [options.hidden] * 2
generator = initial(jax.random.key(0), [LATENT, *hidden, SIDE * SIDE])
discriminator = initial(jax.random.key(1), [SIDE * SIDE, *hidden, 1])
state = (generator, discriminator, adam.init(generator), adam.init(discriminator), jax.random.key(2))
rng = np.random.default_rng(0)
per_epoch = IMAGES // B // steps * steps
order, at, times = None, per_epoch, []
# The first interval warms up, and compiles.
for _ in range(1 + options.intervals):
    start = time.perf_counter()
    for _ in range(0, options.interval, steps):
        if at + steps > per_epoch:
            order, at = jnp.asarray(rng.permutation(IMAGES).astype(np.int32)), 0
        state, losses = call(images, order, state, at)
        at += steps
    values = [float(loss if loss.ndim == 0 else loss[-1]) for loss in losses]
    times.append((time.perf_counter() - start) / options.interval * 1e3)
    assert all(np.isfinite(values)), values
print(f"JAX {jax.__version__}, {options.mode}", f"{statistics.median(times[1:]):.4f}", sep="\t")
