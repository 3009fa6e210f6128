#!/usr/bin/env python3
"""Writes muon_reference.json: numbers that MuonTests checks the optimizer against.

Muon in float64, written from Jordan et al. 2024 (momentum in Nesterov's form, five Newton-Schulz iterations) and Liu et al. 2025 (weight
decay, scale 0.2 sqrt(max(rows, columns))), and PyTorch's own AdamW for what is no hidden matrix. Made with PyTorch 1.13; run it again only
to add to it:

    python3 tests/Model/Reference/make_muon.py

Arrays are little-endian float32 in base64. Parameters and gradients are not stored: both sides make them with `noise`.
"""
import base64
import json
import math
import pathlib

import numpy as np
import torch

torch.set_default_dtype(torch.float64)
STEPS, RATE, DECAY, MOMENTUM, CLIP, ADAMW_RATE = 5, 0.02, 0.1, 0.95, 0.5, 0.25
# Name, shape, hidden matrices in it, decays.
PARAMETERS = [("embedding", (11, 24), 0, True), ("wide", (24, 40), 1, True), ("tall", (40, 24), 1, True), ("square", (32, 32), 1, True),
              ("packed", (16, 48), 3, True), ("undecayed", (8, 16), 1, False), ("bias", (24,), 0, False)]


def noise(stream, count):
    """Numbers from [-0.5, 0.5), exact in float32: the upper 24 bits of an integer hash of (stream, index)."""
    x = (np.arange(count, dtype=np.uint64) + np.uint64(stream * 1_000_003 + 1)) * np.uint64(0x9E3779B97F4A7C15)
    x ^= x >> np.uint64(29)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    return (x >> np.uint64(40)).astype(np.float64) / 2**24 - 0.5


def draw(stream, shape):
    return torch.tensor(noise(stream, math.prod(shape)).reshape(shape))


def encode(tensor):
    return base64.b64encode(np.asarray(tensor.detach().numpy(), dtype="<f4").tobytes()).decode()


def orthogonal(matrix):
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix / (torch.linalg.norm(matrix) + 1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


def main():
    values = {name: draw(i, shape) for i, (name, shape, _, _) in enumerate(PARAMETERS)}
    momenta = {name: torch.zeros(shape) for name, shape, _, _ in PARAMETERS}
    others = {name: values[name].clone().requires_grad_() for name, _, hidden, _ in PARAMETERS if hidden == 0}
    adam = torch.optim.AdamW([{"params": [others["embedding"]], "weight_decay": DECAY}, {"params": [others["bias"]], "weight_decay": 0.0}],
                             lr=RATE * ADAMW_RATE, betas=(0.9, 0.95), eps=1e-8)
    for step in range(STEPS):
        for i, (name, shape, hidden, decays) in enumerate(PARAMETERS):
            gradient = CLIP * draw(100 + 10 * step + i, shape)
            if hidden == 0:
                others[name].grad = gradient
                continue
            momenta[name] = MOMENTUM * momenta[name] + (1 - MOMENTUM) * gradient
            ahead = MOMENTUM * momenta[name] + (1 - MOMENTUM) * gradient
            scale = 0.2 * math.sqrt(max(shape[0], shape[1] // hidden))
            update = torch.cat([scale * orthogonal(part) for part in ahead.chunk(hidden, 1)], 1)
            values[name] = values[name] * (1 - RATE * (DECAY if decays else 0)) - RATE * update
        adam.step()
    values.update(others)
    reference = {"steps": STEPS, "rate": RATE, "decay": DECAY, "momentum": MOMENTUM, "clip": CLIP, "adamwRate": ADAMW_RATE,
                 "parameters": [{"name": name, "shape": shape, "hidden": hidden, "decays": decays, "values": encode(values[name]),
                                 "momentum": encode(momenta[name])} for name, shape, hidden, decays in PARAMETERS]}
    path = pathlib.Path(__file__).with_name("muon_reference.json")
    path.write_text(json.dumps(reference, indent=0) + "\n")
    print(path.name, path.stat().st_size, "bytes")


main()
