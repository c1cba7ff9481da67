#!/usr/bin/env python3
"""Cuts a data set for choosing recipes: a folder whose training images are the first 50,000 of the training images, and whose test images
are the last 10,000 of them. What is chosen on these has never seen the test images.

usage:  python scripts/validation_split.py FOLDER_WITH_MNIST NEW_FOLDER
        ganlet train --data-dir NEW_FOLDER --eval-every 10 --out runs/trial --set learning_rate=0.001
        ganlet eval runs/trial --data-dir NEW_FOLDER

Needs nothing but Python. Reads and writes IDX files, plain or gzipped, with the names of MNIST's.
"""

import gzip
import struct
import sys
from pathlib import Path

TRAIN = 50_000


def read(folder, name):
    """The dimensions and the bytes of an IDX file."""
    plain = folder / name
    data = plain.read_bytes() if plain.exists() else gzip.decompress((folder / f"{name}.gz").read_bytes())
    rank = data[3]
    return struct.unpack(f">{rank}I", data[4 : 4 + 4 * rank]), data[4 + 4 * rank :]


def write(path, dimensions, data):
    path.write_bytes(struct.pack(f">BBBB{len(dimensions)}I", 0, 0, 8, len(dimensions), *dimensions) + data)


def main(source, target):
    target.mkdir(parents=True, exist_ok=True)
    for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"):
        (count, *shape), data = read(source, f"train-{kind}")
        if count <= TRAIN:
            sys.exit(f"{source}: expected more than {TRAIN} training images, found {count}")
        cut = TRAIN * len(data) // count
        write(target / f"train-{kind}", (TRAIN, *shape), data[:cut])
        write(target / f"t10k-{kind}", (count - TRAIN, *shape), data[cut:])


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
