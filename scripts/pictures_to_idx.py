#!/usr/bin/env python3
"""A folder of pictures as a data set: the four IDX files that `ganlet train --data-dir` takes.

usage:  pip install numpy pillow
        python scripts/pictures_to_idx.py PICTURES OUT [SIDE]

PICTURES has a folder for each class, ten at most, or the pictures themselves, which then are one class. Each picture becomes grey, white
on black where it was so, and SIDE x SIDE pixels (28). What is transparent becomes black behind light strokes, and white behind dark
ones. Every seventh is held back as a test image. Writes into the folder OUT.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"}


def write_idx(path, array):
    """Images are uint8 (N, rows, columns), labels uint8 (N,) of 0 to 9."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    Path(path).write_bytes(bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes())


def pictures(folder):
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)


def read(path, side):
    """The picture as uint8 (side, side)."""
    try:
        picture = Image.open(path)
        if picture.mode.startswith("I"):
            # 16 bits of grey, which `convert` would cut off at 255.
            grey = Image.fromarray((np.asarray(picture) / 257).round().clip(0, 255).astype(np.uint8))
        elif picture.has_transparency_data:
            grey, alpha = picture.convert("RGBA").convert("LA").split()
            strokes = np.asarray(grey)[np.asarray(alpha) > 127]
            behind = 0 if strokes.size and strokes.mean() > 127 else 255
            grey = Image.composite(grey, Image.new("L", grey.size, behind), alpha)
        else:
            grey = picture.convert("L")
    except (OSError, SyntaxError, ValueError) as error:
        sys.exit(f"{path}: expected a picture, found none that can be read: {error}")
    return np.asarray(grey.resize((side, side), Image.Resampling.BOX))


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    folder, out = map(Path, sys.argv[1:3])
    side = sys.argv[3] if len(sys.argv) > 3 else "28"
    if not side.isascii() or not side.isdigit() or int(side) == 0:
        sys.exit(f"SIDE: expected a number of pixels, found {side}")
    if not folder.is_dir():
        sys.exit(f"{folder}: expected a folder of pictures, found none")
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and pictures(path)) or [folder]
    if len(classes) > 10:
        sys.exit(f"{folder} has {len(classes)} folders of pictures, and labels go from 0 to 9")
    files = [(path, label) for label, each in enumerate(classes) for path in pictures(each)]
    if len(files) < 2:
        sys.exit(f"{folder}: expected pictures ({' '.join(sorted(PICTURES))}), found {len(files)}")

    images = np.stack([read(path, int(side)) for path, _ in files])
    labels = np.array([label for _, label in files])
    order = np.random.default_rng(0).permutation(len(files))
    held_back = np.arange(len(files)) % 7 == 0
    out.mkdir(parents=True, exist_ok=True)
    for name, part in [("train", order[~held_back]), ("t10k", order[held_back])]:
        write_idx(out / f"{name}-images-idx3-ubyte", images[part])
        write_idx(out / f"{name}-labels-idx1-ubyte", labels[part])
    for label, each in enumerate(classes):
        print(f"label {label}: {each.name}, {(labels == label).sum()} pictures")


if __name__ == "__main__":
    main()
