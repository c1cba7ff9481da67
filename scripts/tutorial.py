#!/usr/bin/env python3
"""The program that Ganlet starts from, in PyTorch: two multi-layer perceptrons, binary cross-entropy, Adam, 200 epochs.

docs/guide.md goes through it piece by piece and says where each piece is in Ganlet.

usage:  pip install torch numpy
        python scripts/tutorial.py MNIST [EPOCHS]       then: ganlet import G.ckpt && ganlet sample G.safetensors

MNIST is the folder of train-images-idx3-ubyte.gz. Writes G.ckpt and D.ckpt into the current folder.
"""

import gzip
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

if len(sys.argv) not in (2, 3):
    sys.exit(__doc__)
folder, epochs = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 200

# The data: pixels of 0 to 255 become numbers in [-1, 1].
file = gzip.decompress((folder / "train-images-idx3-ubyte.gz").read_bytes())
pixels = np.frombuffer(file, np.uint8, offset=16).reshape(-1, 784)
images = torch.from_numpy(pixels / np.float32(127.5) - 1)
loader = DataLoader(images, batch_size=100, shuffle=True, drop_last=True)

# The networks.
G = nn.Sequential(
    nn.Linear(64, 256), nn.LeakyReLU(0.2), nn.Linear(256, 256), nn.LeakyReLU(0.2), nn.Linear(256, 784), nn.Tanh()
)
D = nn.Sequential(
    nn.Linear(784, 256), nn.LeakyReLU(0.2), nn.Linear(256, 256), nn.LeakyReLU(0.2), nn.Linear(256, 1), nn.Sigmoid()
)

# The loss and the optimizers.
loss = nn.BCELoss()
d_adam = torch.optim.Adam(D.parameters(), lr=0.0003)
g_adam = torch.optim.Adam(G.parameters(), lr=0.0003)
ones, zeros = torch.ones(100, 1), torch.zeros(100, 1)

for epoch in range(epochs):
    for step, real in enumerate(loader):
        # D learns to tell real images from fakes.
        fake = G(torch.randn(100, 64)).detach()
        d_loss = loss(D(real), ones) + loss(D(fake), zeros)
        d_adam.zero_grad()
        d_loss.backward()
        d_adam.step()

        # G learns to pass.
        g_loss = loss(D(G(torch.randn(100, 64))), ones)
        g_adam.zero_grad()
        g_loss.backward()
        g_adam.step()

        # Whoever watches.
        if (step + 1) % 300 == 0:
            print(f"Epoch [{epoch + 1}/{epochs}], Step [{step + 1}/{len(loader)}], d_loss: {d_loss:.4f}, g_loss: {g_loss:.4f}")

# The weights.
torch.save(G.state_dict(), "G.ckpt")
torch.save(D.state_dict(), "D.ckpt")
