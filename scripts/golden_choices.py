#!/usr/bin/env python3
"""What PyTorch does in a few steps of recipes that choose otherwise than `classic`, for our tests to be held to.

Writes crates/train/tests/golden/choices.safetensors. Between them, its cases use every loss, penalty, regulariser, optimizer and schedule;
autograd differentiates all of it, the penalties on slopes twice. Each case has a NAME, K is a step from 0, and I an update of D in it:
    NAME.initial.{generator,discriminator}.{0,2,4}.{weight,bias}     the weights before step 0; a maxout's rows as crates/ops wants them
    NAME.initial.discriminator.{0,2,4}.u                             with spectral normalisation, the first guesses
    NAME.pixels.K         (updates * batch, pixels) u8               the real batch
    NAME.labels.K         (updates * batch,) u8                      what they are, if there are labels
    NAME.latents.K        ((updates + 1) * batch, latent) f32        what the fakes are made of, G's last
    NAME.noise.K.I        (rows, pixels) f32                         added to all images of a pass, if anything is; the pass of G has I = g
    NAME.mask.K.I.{0,1,2} (rows, in) f32                             multiplied onto the inputs of D's layers, likewise
    NAME.shares.K.I       (batch, 1) f32                             of the real image in each mixture, likewise
    NAME.d_loss, NAME.g_loss  (steps,) f32                           without penalties; of the last update of D
    NAME.final...         the weights and u afterwards; NAME.average.{0,2,4}.{weight,bias} the averaged weights of G
The metadata hold each case's recipe, as TOML.

usage:  pip install torch safetensors numpy
        python scripts/golden_choices.py            write the file
        python scripts/golden_choices.py --check    compute it again, compare with what is there, write nothing
"""

import json
import math

import torch
from golden import BATCH, LATENT, PIXELS, bars, main
from torch.nn import functional as F

STEPS = 4
HIDDEN = [12, 9]

# The hinge and Wasserstein losses do not change with D's last bias: its gradient is rounding alone, which Adam must not blow up to a whole step.
NOT_TINY = 1e-3

COMMON = {
    "dataset": "custom",
    "seed": 0,
    "epochs": 1,
    "batch_size": BATCH,
    "report_every": 1,
    "latent": LATENT,
    "generator_hidden": HIDDEN,
    "discriminator_hidden": HIDDEN,
    "learning_rate": 0.003,
}
CASES = {
    "r1": {
        "generator_activation": "relu",
        "r1": 0.8,
        "r1_every": 2,
        "label_smoothing": 0.1,
        "instance_noise": 0.3,
        "beta1": 0.0,
        "beta2": 0.99,
        "epsilon": 1e-6,
        "discriminator_learning_rate": 0.002,
        "schedule": "linear",
        "learning_rate_end": 0.1,
        "ema_decay": 0.9,
    },
    "wgan-gp": {
        "loss": "wasserstein",
        "gradient_penalty": 10.0,
        "discriminator_steps": 2,
        "classes": 3,
        "schedule": "cosine",
        "beta1": 0.5,
        "beta2": 0.9,
        "epsilon": NOT_TINY,
    },
    "hinge": {
        "loss": "hinge",
        "spectral_norm": True,
        "r1": 0.5,
        "schedule": "exponential",
        "learning_rate_end": 0.5,
        "epsilon": NOT_TINY,
    },
    "minimax": {
        "loss": "minimax",
        "discriminator_activation": "maxout-3",
        "input_dropout": 0.2,
        "dropout": 0.5,
        "optimizer": "sgd",
        "momentum": 0.6,
        "learning_rate": 0.05,
    },
    "least-squares": {"loss": "least-squares", "discriminator_activation": "relu", "classes": 2, "dropout": 0.3, "r1": 0.3},
}


def pieces(activation):
    return int(activation.split("-")[1]) if activation.startswith("maxout-") else 1


def activate(activation, x):
    if activation == "relu":
        return F.relu(x)
    if activation == "leaky-relu":
        return F.leaky_relu(x, 0.2)
    return x.unflatten(1, (-1, pieces(activation))).amax(2)


def parameters(widths, activation):
    """Weights and biases as nn.Linear begins, keyed as by nn.Sequential."""
    made = {}
    for layer, (fan_in, fan_out) in enumerate(zip(widths, widths[1:])):
        rows = fan_out * (1 if layer + 2 == len(widths) else pieces(activation))
        linear = torch.nn.Linear(fan_in, rows)
        made |= {f"{2 * layer}.weight": linear.weight, f"{2 * layer}.bias": linear.bias}
    return made


def forward(named, activation, x, masks=None):
    layers = len(named) // 2
    for layer in range(layers):
        if masks and masks[layer] is not None:
            x = x * masks[layer]
        x = F.linear(x, named[f"{2 * layer}.weight"], named[f"{2 * layer}.bias"])
        if layer + 1 < layers:
            x = activate(activation, x)
    return x


def normalised(named, vectors):
    """The weights over their largest singular value after one power iteration, which moves `vectors` (Miyato et al., algorithm 1)."""
    made = dict(named)
    for name in vectors:
        weight = named[name.replace(".u", ".weight")]
        with torch.no_grad():
            v = F.normalize(weight.T @ vectors[name], dim=0, eps=1e-12)
            vectors[name] = F.normalize(weight @ v, dim=0, eps=1e-12)
        made[name.replace(".u", ".weight")] = weight / (vectors[name] @ weight @ v)
    return made


def d_loss(loss, real, fake, target):
    if loss in ("non-saturating", "minimax"):
        bce = F.binary_cross_entropy_with_logits
        return bce(real, torch.full_like(real, target)) + bce(fake, torch.zeros_like(fake))
    if loss == "least-squares":
        return 0.5 * ((real - target) ** 2).mean() + 0.5 * (fake**2).mean()
    if loss == "hinge":
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()
    return fake.mean() - real.mean()


def g_loss(loss, fake):
    if loss == "non-saturating":
        return F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))
    if loss == "minimax":
        return -F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
    if loss == "least-squares":
        return 0.5 * ((fake - 1) ** 2).mean()
    return -fake.mean()


def factor(schedule, progress, end):
    if schedule == "linear":
        return 1 + (end - 1) * progress
    if schedule == "cosine":
        return end + (1 - end) * (1 + math.cos(math.pi * progress)) / 2
    return end**progress if schedule == "exponential" else 1


def run(name, recipe):
    """A few steps of a recipe: the tensors of a case."""
    get = recipe.get
    updates, classes = get("discriminator_steps", 1), get("classes", 0)
    loss, g_activation = get("loss", "non-saturating"), get("generator_activation", "leaky-relu")
    d_activation = get("discriminator_activation", "leaky-relu")
    g = parameters([LATENT + classes, *HIDDEN, PIXELS], g_activation)
    d = parameters([PIXELS + classes, *HIDDEN, 1], d_activation)
    vectors = {}
    if get("spectral_norm"):
        vectors = {f"{n}.u": F.normalize(torch.randn(d[f"{n}.weight"].shape[0]), dim=0) for n in (0, 2, 4)}

    def optimizer(named, rate):
        if get("optimizer") == "sgd":
            return torch.optim.SGD(named.values(), lr=rate, momentum=get("momentum"))
        betas = (get("beta1", 0.9), get("beta2", 0.999))
        return torch.optim.Adam(named.values(), lr=rate, betas=betas, eps=get("epsilon", 1e-8))

    rates = {"g": recipe["learning_rate"], "d": get("discriminator_learning_rate", recipe["learning_rate"])}
    optimizers = {"g": optimizer(g, rates["g"]), "d": optimizer(d, rates["d"])}
    average = {n: p.detach().clone() for n, p in g.items()} if get("ema_decay") else {}
    tensors, curves = {}, {"d_loss": [], "g_loss": []}

    def keep(prefix, named):
        tensors.update({f"{name}.{prefix}{n}": t.detach().clone() for n, t in named.items()})

    keep("initial.generator.", g)
    keep("initial.discriminator.", d | vectors)

    for step in range(STEPS):
        progress = step / STEPS
        for which, rate in rates.items():
            end = get("learning_rate_end", 0.0)
            optimizers[which].param_groups[0]["lr"] = rate * factor(get("schedule", "constant"), progress, end)
        pixels = torch.cat([bars() for _ in range(updates)])
        latents = torch.randn((updates + 1) * BATCH, LATENT)
        keep("", {f"pixels.{step}": pixels, f"latents.{step}": latents})
        images = pixels.float() * 2 / 255 - 1
        hot = torch.zeros(updates * BATCH, 0)
        if classes:
            labels = torch.randint(0, classes, (updates * BATCH,)).to(torch.uint8)
            keep("", {f"labels.{step}": labels})
            hot = F.one_hot(labels.long(), classes).float()

        def judge(shown, hot, update):
            """D's output for several lots of images, and what went in."""
            x = torch.cat(shown)
            if get("instance_noise"):
                noise = torch.randn_like(x) * get("instance_noise") * (1 - progress)
                keep("", {f"noise.{step}.{update}": noise})
                x = x + noise
            x = torch.cat([x, hot.repeat(len(shown), 1)], 1)
            masks = [None] * 3
            for layer, width in enumerate([PIXELS + classes, *HIDDEN]):
                rate = get("dropout" if layer else "input_dropout", 0.0)
                if rate:
                    masks[layer] = (torch.rand(len(x), width) >= rate) / (1 - rate)
                    keep("", {f"mask.{step}.{update}.{layer}": masks[layer]})
            if not x.requires_grad:
                x.requires_grad_()
            return forward(normalised(d, vectors), d_activation, x, masks), x

        def made(rows, hot):
            return torch.tanh(forward(g, g_activation, torch.cat([latents[rows], hot], 1)))

        for update in range(updates):
            rows = slice(update * BATCH, (update + 1) * BATCH)
            shown = [images[rows], made(rows, hot[rows]).detach()]
            if get("gradient_penalty"):
                shares = torch.rand(BATCH, 1)
                keep("", {f"shares.{step}.{update}": shares})
                shown.append(shares * shown[0] + (1 - shares) * shown[1])
            logits, x = judge(shown, hot[rows], update)
            real, fake = logits[:BATCH], logits[BATCH : 2 * BATCH]
            value = d_loss(loss, real, fake, 1 - get("label_smoothing", 0.0))
            (slope,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
            slope = slope[:, :PIXELS]
            total = value
            if get("r1") and step % get("r1_every", 1) == 0:
                total = total + get("r1_every", 1) * get("r1") / 2 * (slope[:BATCH] ** 2).sum(1).mean()
            if get("gradient_penalty"):
                total = total + get("gradient_penalty") * ((slope[2 * BATCH :].norm(dim=1) - 1) ** 2).mean()
            optimizers["d"].zero_grad()
            total.backward()
            optimizers["d"].step()

        last = slice((updates - 1) * BATCH, updates * BATCH)
        logits, _ = judge([made(slice(updates * BATCH, None), hot[last])], hot[last], "g")
        lowered = g_loss(loss, logits)
        optimizers["g"].zero_grad()
        lowered.backward()
        optimizers["g"].step()
        curves["d_loss"].append(value.item())
        curves["g_loss"].append(lowered.item())
        decay = min(get("ema_decay", 0.0), (2 + step) / (11 + step))
        for n in average:
            average[n] = decay * average[n] + (1 - decay) * g[n].detach()

    keep("", {n: torch.tensor(values) for n, values in curves.items()})
    keep("final.generator.", g)
    keep("final.discriminator.", d | vectors)
    keep("average.", average)
    return tensors


def choices():
    tensors, recipes = {}, {}
    for number, (name, chosen) in enumerate(CASES.items()):
        torch.manual_seed(number)
        recipe = COMMON | {"recipe": name} | chosen
        tensors |= run(name, recipe)
        recipes[f"recipe.{name}"] = "".join(f"{field} = {json.dumps(value)}\n" for field, value in recipe.items())
    return tensors, recipes


if __name__ == "__main__":
    main("crates/train/tests/golden", {"choices": choices}, __doc__)
