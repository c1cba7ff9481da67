#!/usr/bin/env python3
"""Computes what ganlet-metrics computes, from the same features, with other people's code; and makes the golden file.

    python scripts/check_metrics.py FILE       compare with FILE, as `ganlet-metrics`' example `dump` writes it
    python scripts/check_metrics.py --golden   write crates/metrics/tests/golden/metrics.safetensors
    python scripts/check_metrics.py --check    compute the numbers in that file again, and compare

Needs numpy, scipy, scikit-learn, prdc and safetensors. Written and run with numpy 2.4, scipy 1.17, scikit-learn 1.9, prdc 0.2.

- Fréchet distance: scipy.linalg.sqrtm of the product of the covariances, in complex numbers.
- Kernel distance: sklearn.metrics.pairwise.polynomial_kernel, and the unbiased estimate written out.
- Precision, recall, density, coverage: the prdc package of Naeem et al.
- Score, confidence and divergence: scipy.stats.entropy.
- Parzen: the formula of parzen_ll.py (github.com/goodfeli/adversarial), differences of all pairs written out.
- Nearest training image: sklearn.neighbors.NearestNeighbors, brute force.
"""

import contextlib
import io
import sys
from pathlib import Path

import numpy as np
from prdc import compute_prdc
from safetensors.numpy import load_file, save_file
from scipy.linalg import sqrtm
from scipy.special import logsumexp
from scipy.stats import entropy
from sklearn.metrics.pairwise import polynomial_kernel
from sklearn.neighbors import NearestNeighbors

GOLDEN = Path(__file__).resolve().parent.parent / "crates/metrics/tests/golden/metrics.safetensors"

# Relative, for every number.
TOLERANCE = 1e-4
K = 5


def frechet(real, fake):
    shift = real.mean(0) - fake.mean(0)
    a, b = np.cov(real, rowvar=False), np.cov(fake, rowvar=False)
    return shift @ shift + np.trace(a + b - 2 * sqrtm(a.astype(complex) @ b).real)


def kernel(real, fake):
    k = lambda x, y: polynomial_kernel(x, y, degree=3, gamma=None, coef0=1)  # gamma: 1 / features
    within = lambda x: (k(x, x).sum() - np.trace(k(x, x))) / (len(x) * (len(x) - 1))
    return within(real) + within(fake) - 2 * k(real, fake).mean()


def prdc(real, fake):
    with contextlib.redirect_stdout(io.StringIO()):
        found = compute_prdc(real_features=real, fake_features=fake, nearest_k=K)
    return [found[name] for name in ("precision", "recall", "density", "coverage")]


def classes(probabilities):
    score = np.exp(entropy(probabilities, probabilities.mean(0)[None], axis=1).mean())
    histogram = np.bincount(probabilities.argmax(1), minlength=probabilities.shape[1]) / len(probabilities)
    return [score, probabilities.max(1).mean(), entropy(histogram, np.full_like(histogram, 1 / len(histogram)))]


def log_likelihoods(x, samples, sigma):
    """Of each x: log mean exp(-0.5 ||(x - sample) / sigma||^2) - D log(sigma sqrt(2 pi))."""
    squares = np.stack([((row - samples) ** 2).sum(1) for row in x])
    mean = logsumexp(-0.5 * squares / sigma**2, axis=1) - np.log(len(samples))
    return mean - x.shape[1] * np.log(sigma * np.sqrt(2 * np.pi))


def parzen(samples, validation, test):
    samples, validation, test = ((x.astype(np.float64) + 1) / 2 for x in (samples, validation, test))
    sigmas = np.logspace(-1, 0, 10)
    sigma = sigmas[np.argmax([log_likelihoods(validation, samples, sigma).mean() for sigma in sigmas])]
    found = log_likelihoods(test, samples, sigma)
    return [found.mean(), found.std() / np.sqrt(len(test)), sigma]


def nearest(samples, train):
    samples, train = ((x.astype(np.float64) + 1) / 2 for x in (samples, train))
    return NearestNeighbors(n_neighbors=1, algorithm="brute").fit(train).kneighbors(samples)[0][:, 0]


def expected(sets):
    """Every number, by its name in the file."""
    real, fake = sets["real"].astype(np.float64), sets["fake"].astype(np.float64)
    return {
        "frechet": [frechet(real, fake)],
        "kernel": [kernel(real, fake)],
        "prdc": prdc(real, fake),
        "classes": classes(sets["probabilities"].astype(np.float64)),
        "parzen": parzen(sets["samples"], sets["validation"], sets["test"]),
        "nearest": nearest(sets["samples"], sets["train"]),
    }


def compare(found, wanted):
    worst = 0
    for name, values in wanted.items():
        # Numbers alternate with their errors, which are not other people's; but for Parzen's.
        numbers = {"nearest": found[name], "parzen": found[name][:3]}.get(name, found[name][::2])
        difference = np.abs(numbers / np.array(values) - 1).max()
        shown = " ".join(f"{value:.6g}" for value in values[:4])
        print(f"{name:8} {difference:.1e}  {shown}{' ...' if len(values) > 4 else ''}")
        worst = max(worst, difference)
    if not worst <= TOLERANCE:
        sys.exit(f"they differ by {worst:.1e}, allowed is {TOLERANCE:.0e}")


def golden_sets():
    """Small sets of every kind: correlated features of other means, distributions, and images."""
    rng = np.random.default_rng(5)
    mix = rng.normal(size=(16, 16)) / 4
    logits = 3 * rng.normal(size=(300, 10)) + np.linspace(0, 2, 10)
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    rng_images = np.random.default_rng(6)
    basis = rng_images.normal(size=(6, 30)) * 0.4
    image = lambda n: np.tanh(rng_images.normal(size=(n, 6)) @ basis).astype(np.float32)
    return {
        "real": (rng.normal(size=(320, 16)) @ mix).astype(np.float32),
        "fake": (rng.normal(size=(250, 16)) @ (mix * 0.8) + 0.1).astype(np.float32),
        "probabilities": probabilities,
        "samples": image(200),
        "validation": image(40),
        "test": image(90),
        "train": image(500),
    }


def main():
    match sys.argv[1:]:
        case ["--golden"]:
            sets = golden_sets()
            GOLDEN.parent.mkdir(parents=True, exist_ok=True)
            numbers = {f"expected.{name}": np.array(values, np.float64) for name, values in expected(sets).items()}
            save_file(sets | numbers, GOLDEN)
            print(f"{GOLDEN.name}: {GOLDEN.stat().st_size:,} bytes")
        case ["--check"]:
            sets = load_file(GOLDEN)
            wanted = expected(sets)
            difference = max(np.abs(sets[f"expected.{name}"] / wanted[name] - 1).max() for name in wanted)
            print(f"{GOLDEN.name}: largest difference {difference:.1e}")
            if not difference <= 1e-9:
                sys.exit("these are not the numbers of the file")
        case [path]:
            sets = load_file(path)
            compare(sets, expected(sets))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
