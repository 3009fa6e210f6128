#!/usr/bin/env python3
"""Writes precision_reference.json: one step of GPT-2 in bf16 and in fp16, which the C# tests check the training step against.

The GPT-2 of make_reference.py once more, in float64, with numbers rounded where a step in 16 bits rounds them (Micikevicius et al. 2018):
the weights that products read, what each operation makes but for the residual stream, and the gradients of both but for weights'. Attention
is one operation, whose backward pass reads its rounded result (Dao et al. 2022, section 3.1). Rounding is written out below on float64, to
the nearest, ties to even, independent of PyTorch's own types. Made with PyTorch 1.13; run it again only to add to it:

    python3 tests/Model/Reference/make_precision_reference.py

Arrays are little-endian float32 in base64.
"""
import json
import math
import pathlib
import sys

import numpy as np
import torch

sys.dont_write_bytecode = True
from make_reference import BATCH, CONTEXT, HEADS, LAYERS, VOCABULARY, WIDTH, batch, encode, gelu, groups, norm, parameters

torch.set_default_dtype(torch.float64)

# Digits of the significand, the smallest exponent of a number with all of them, the largest number.
FORMATS = {"bf16": (8, -126, 2.0**127 * (2 - 2.0**-7)), "fp16": (11, -14, 65504.0)}


def nearest(x, kind):
    digits, smallest, largest = FORMATS[kind]
    _, exponent = np.frexp(x)
    unit = np.exp2(np.maximum(exponent - 1, smallest).astype(np.float64) - (digits - 1))
    rounded = np.rint(x / unit) * unit
    return np.where(np.abs(rounded) > largest, np.copysign(np.inf, x), rounded)


def cast(kind):
    class Cast(torch.autograd.Function):
        """Rounds a value on its way forwards, and its gradient on its way back."""

        @staticmethod
        def forward(_, x):
            return torch.from_numpy(nearest(x.numpy(), kind))

        @staticmethod
        def backward(_, gradient):
            return torch.from_numpy(nearest(gradient.numpy(), kind))

    return Cast.apply


def attention(kind):
    class Attention(torch.autograd.Function):
        """softmax(q k^T / sqrt(d)) v, causal."""

        @staticmethod
        def forward(context, q, k, v):
            t, d = q.shape[-2:]
            future = torch.triu(torch.ones(t, t, dtype=torch.bool), 1)
            weights = (q @ k.transpose(-1, -2) / math.sqrt(d)).masked_fill(future, -math.inf).softmax(-1)
            y = weights @ v
            context.save_for_backward(q, k, v, weights, torch.from_numpy(nearest(y.numpy(), kind)))
            return y

        @staticmethod
        def backward(context, dy):
            q, k, v, weights, rounded = context.saved_tensors
            d = weights * (dy @ v.transpose(-1, -2) - (dy * rounded).sum(-1, keepdim=True)) / math.sqrt(q.shape[-1])
            return d @ k, d.transpose(-1, -2) @ q, weights.transpose(-1, -2) @ dy

    return Attention.apply


def logits(p, tokens, kind):
    r = cast(kind)

    def weight(name):
        """Rounded for products; its gradient is the master's."""
        return p[name] + torch.from_numpy(nearest(p[name].detach().numpy(), kind)) - p[name].detach()

    b, t = tokens.shape
    x = p["transformer.wte.weight"][tokens] + p["transformer.wpe.weight"][:t]
    for i in range(LAYERS):
        at = f"transformer.h.{i}."
        linear = lambda x, name: r(x @ weight(at + name + ".weight") + p[at + name + ".bias"])
        h = r(norm(x, p[at + "ln_1.weight"], p[at + "ln_1.bias"]))
        q, k, v = [
            part.reshape(b, t, HEADS, WIDTH // HEADS).transpose(1, 2) for part in linear(h, "attn.c_attn").split(WIDTH, -1)
        ]
        mixed = attention(kind)(q, k, v).transpose(1, 2).reshape(b, t, WIDTH)
        x = x + linear(r(mixed), "attn.c_proj")
        h = r(norm(x, p[at + "ln_2.weight"], p[at + "ln_2.bias"]))
        x = x + linear(r(gelu(linear(h, "mlp.c_fc"))), "mlp.c_proj")
    return r(norm(x, p["transformer.ln_f.weight"], p["transformer.ln_f.bias"])) @ weight("transformer.wte.weight").T


def step(kind, scale, rate=1e-2, clip=0.5, decay=0.1, epsilon=1e-4):
    p = parameters()
    inputs, targets = batch(0)
    loss = torch.nn.functional.cross_entropy(logits(p, inputs, kind).reshape(-1, VOCABULARY), targets.reshape(-1))
    (loss * scale).backward()
    for v in p.values():
        v.grad /= scale
    gradients = {n: encode(v.grad.numpy()) for n, v in p.items()}
    adam = torch.optim.AdamW(groups(p, decay), lr=rate, betas=(0.9, 0.95), eps=epsilon)
    length = torch.nn.utils.clip_grad_norm_(p.values(), clip).item()
    adam.step()
    return {"loss": loss.item(), "norm": length, "gradients": gradients, "rate": rate, "clip": clip, "decay": decay, "epsilon": epsilon,
            "parameters": {n: encode(v.detach().numpy()) for n, v in p.items()}}


def main():
    reference = {"bf16": step("bf16", 1.0), "fp16": step("fp16", 65536.0)}
    path = pathlib.Path(__file__).with_name("precision_reference.json")
    path.write_text(json.dumps(reference, indent=0) + "\n")
    print(path.name, path.stat().st_size, "bytes;", {kind: (r["loss"], r["norm"]) for kind, r in reference.items()})


if __name__ == "__main__":
    main()
