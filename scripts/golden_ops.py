#!/usr/bin/env python3
"""What PyTorch computes of what `crates/ops` computes by hand, for its tests to be held to.

Writes two files into crates/ops/tests/golden. Every number is f32.

critic.safetensors    second derivatives: penalties on the slope of critics, differentiated by autograd for the weights
                      (create_graph=True). Each critic has a NAME: leaky, relu, maxout, dropout; and holds
    NAME.x                        (batch, in)    where the slope is taken
    NAME.K.weight, NAME.K.bias    layer K        (out, in), (out,); a maxout's rows as crates/ops wants them
    NAME.K.mask                   (batch, in)    what the layer's input is multiplied by, if it is
    NAME.gradient                 (batch, in)    g, the gradient of the outputs' sum for x
    NAME.r1.K                     (out, in)      of gamma / 2 mean |g|^2 for the weight of layer K
    NAME.wgan_gp.K                (out, in)      of lambda mean (|g| - 1)^2
                      The file's metadata hold gamma, lambda, the slopes, and the pieces of a maxout.

spectral.safetensors  torch.nn.utils.parametrizations.spectral_norm with one iteration:
    weight (out, in), u (out,)    before the iteration
    normalized, u_after, v_after, sigma, and normalized_again after a second iteration
    gradient (out, in)            a gradient for `normalized`
    weight_gradient               what autograd makes of it for `weight`

optimizers.safetensors    five steps of torch.optim.SGD with momentum, and torch.optim.swa_utils' moving average of them
    initial, gradient.K, parameter.K, average.K    (n,), K from 0 to 4

usage:  pip install torch safetensors numpy
        python scripts/golden_ops.py            write the files
        python scripts/golden_ops.py --check    compute them again, compare with what is there, write nothing
"""

import torch
from golden import main
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

BATCH = 7
# Unequal, so that a transposed matrix cannot go unnoticed.
WIDTHS = [12, 18, 10, 1]
SLOPE = 0.2
PIECES = 3
GAMMA = 0.7
LAMBDA = 10.0
DROPOUT = 0.4
RATE, MOMENTUM, DECAY = 0.1, 0.7, 0.9


class Maxout(nn.Module):
    """The largest of PIECES neighbouring columns."""

    def forward(self, x):
        return x.unflatten(1, (-1, PIECES)).amax(2)


def critic(activation, pieces=1, dropout=0.0):
    """The tensors of one critic, named as above without NAME."""
    pairs = list(zip(WIDTHS, WIDTHS[1:]))
    layers = [nn.Linear(i, o if k == len(pairs) - 1 else o * pieces) for k, (i, o) in enumerate(pairs)]
    masks = [(torch.rand(BATCH, i) >= dropout).float() / (1 - dropout) for i, _ in pairs]
    x = torch.randn(BATCH, WIDTHS[0], requires_grad=True)

    def slope():
        h = x
        for k, (layer, mask) in enumerate(zip(layers, masks)):
            h = layer(h * mask if dropout else h)
            h = h if k == len(layers) - 1 else activation(h)
        return torch.autograd.grad(h.sum(), x, create_graph=True)[0]

    tensors = {"x": x, "gradient": slope()}
    penalties = {
        "r1": lambda g: GAMMA / 2 * g.square().sum(1).mean(),
        "wgan_gp": lambda g: LAMBDA * (g.norm(dim=1) - 1).square().mean(),
    }
    for name, penalty in penalties.items():
        gradients = torch.autograd.grad(penalty(slope()), [layer.weight for layer in layers])
        tensors.update({f"{name}.{k}": gradient for k, gradient in enumerate(gradients)})
    for k, (layer, mask) in enumerate(zip(layers, masks)):
        tensors.update({f"{k}.weight": layer.weight, f"{k}.bias": layer.bias})
        if dropout:
            tensors[f"{k}.mask"] = mask
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def critics():
    torch.manual_seed(0)
    of = {
        "leaky": critic(nn.LeakyReLU(SLOPE)),
        "relu": critic(nn.ReLU()),
        "maxout": critic(Maxout(), pieces=PIECES),
        "dropout": critic(Maxout(), pieces=PIECES, dropout=DROPOUT),
    }
    tensors = {f"{name}.{key}": tensor for name, tensors in of.items() for key, tensor in tensors.items()}
    return tensors, {"slope": SLOPE, "pieces": PIECES, "gamma": GAMMA, "lambda": LAMBDA}


def spectral():
    torch.manual_seed(1)
    layer = nn.Linear(9, 14, bias=False)
    tensors = {"weight": layer.weight.detach().clone(), "gradient": torch.randn(14, 9)}
    # PyTorch iterates from v. Algorithm 1 of the paper does from u: that is PyTorch's on the transposed matrix, its u being the paper's v.
    nn.utils.parametrizations.spectral_norm(layer, n_power_iterations=1, dim=1)
    (norm,) = layer.parametrizations.weight
    # It has made some iterations already.
    norm._v.copy_(nn.functional.normalize(torch.randn(14), dim=0))
    tensors["u"] = norm._v.clone()
    normalized = layer.weight
    tensors |= {"normalized": normalized.detach(), "u_after": norm._v.clone(), "v_after": norm._u.clone()}
    tensors["sigma"] = tensors["weight"].norm() / normalized.detach().norm()
    normalized.backward(tensors["gradient"])
    tensors["weight_gradient"] = layer.parametrizations.weight.original.grad
    tensors["normalized_again"] = layer.weight.detach()
    return tensors, {}


def optimizers():
    torch.manual_seed(2)
    model = nn.Linear(5, 4, bias=False)
    sgd = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(DECAY))
    average.update_parameters(model)  # the first only copies
    tensors = {"initial": model.weight.detach().clone()}
    for k in range(5):
        model.weight.grad = tensors[f"gradient.{k}"] = torch.randn(4, 5)
        sgd.step()
        average.update_parameters(model)
        tensors[f"parameter.{k}"] = model.weight.detach().clone()
        tensors[f"average.{k}"] = average.module.weight.detach().clone()
    return tensors, {"learning_rate": RATE, "momentum": MOMENTUM, "decay": DECAY}


if __name__ == "__main__":
    files = {"critic": critics, "spectral": spectral, "optimizers": optimizers}
    main("crates/ops/tests/golden", files, __doc__)
