#!/usr/bin/env python3
"""Writes llama_*_reference.json: numbers that the C# tests check the architecture llama against, one file for each kind of model.

An independent implementation in float64 on PyTorch's autograd, written from the papers: norms from Zhang and Sennrich 2019, rotary
positions from Su et al. 2021 (as products of complex numbers), SwiGLU from Shazeer 2020, grouped heads from Ainslie et al. 2023, put
together as in Touvron et al. 2023; stretched positions from Chen et al. 2023, Peng et al. 2023 and the release of Llama 3.1. Made with
PyTorch 1.13; run it again only to add to it:

    python3 tests/Model/Reference/make_llama_reference.py

Arrays are little-endian float32 in base64. Parameters and tokens are not stored: both sides make them with `noise`, parameters in the order
in which the file names their gradients.
"""
import json
import math
import pathlib
import sys

import numpy as np
import torch

sys.dont_write_bytecode = True
from make_reference import encode, noise

torch.set_default_dtype(torch.float64)
LAYERS, WIDTH, CONTEXT, VOCABULARY, BATCH = 2, 16, 12, 53, 3

KINDS = {
    # Llama 2 and 3: a head of its own, queries in groups.
    "llama": dict(heads=4, key_heads=2, head_size=4, feed_forward=24, theta=10_000.0, epsilon=1e-5),
    # Llama 3.1: stretched positions.
    "llama_3_1": dict(heads=2, key_heads=1, head_size=8, feed_forward=20, theta=500.0, epsilon=1e-5,
                      rope=dict(kind="llama3", factor=8.0, original=32)),
    # Qwen2: biases, a tied head.
    "qwen2": dict(heads=4, key_heads=4, head_size=4, feed_forward=24, theta=1e6, epsilon=1e-6, tied=True, biases=True,
                  rope=dict(kind="yarn", factor=4.0, original=256)),
    # Qwen3: norms of heads, heads that are not width / heads.
    "qwen3": dict(heads=4, key_heads=2, head_size=6, feed_forward=24, theta=1e6, epsilon=1e-6, tied=True, norms=True,
                  rope=dict(kind="dynamic", factor=3.0, original=8)),
    # Mistral (Jiang et al. 2023, section 2): a token sees itself and those before it, five in all.
    "mistral": dict(heads=4, key_heads=2, head_size=4, feed_forward=24, theta=10_000.0, epsilon=1e-5, window=5),
}


def shapes(kind):
    """Names and shapes, in the order that numbers the streams of noise."""
    c, f, d = WIDTH, kind["feed_forward"], kind["head_size"]
    rows = {"q": kind["heads"] * d, "k": kind["key_heads"] * d, "v": kind["key_heads"] * d}
    yield "model.embed_tokens.weight", (VOCABULARY, c)
    for i in range(LAYERS):
        at = f"model.layers.{i}."
        yield at + "input_layernorm.weight", (c,)
        for name, count in rows.items():
            yield f"{at}self_attn.{name}_proj.weight", (count, c)
            if kind.get("biases"):
                yield f"{at}self_attn.{name}_proj.bias", (count,)
            if kind.get("norms") and name != "v":
                yield f"{at}self_attn.{name}_norm.weight", (d,)
        yield at + "self_attn.o_proj.weight", (c, rows["q"])
        yield at + "post_attention_layernorm.weight", (c,)
        yield at + "mlp.gate_proj.weight", (f, c)
        yield at + "mlp.up_proj.weight", (f, c)
        yield at + "mlp.down_proj.weight", (c, f)
    yield "model.norm.weight", (c,)
    if not kind.get("tied"):
        yield "lm_head.weight", (VOCABULARY, c)


def parameters(kind):
    p = {}
    for stream, (name, shape) in enumerate(shapes(kind)):
        values = noise(stream, math.prod(shape)).reshape(shape)
        gain = name.endswith("weight") and len(shape) == 1
        p[name] = torch.tensor(1 + values / 2 if gain else values).requires_grad_()
    return p


def batch():
    tokens = ((noise(1000, BATCH * (CONTEXT + 1)) + 0.5) * VOCABULARY).astype(np.int64).reshape(BATCH, CONTEXT + 1)
    return torch.tensor(tokens[:, :-1]), torch.tensor(tokens[:, 1:])


def turn_of(kind, pair):
    """Radians a token, of a pair of channels, without stretching."""
    return kind["theta"] ** (-2 * pair / kind["head_size"])


def rotations(kind, tokens):
    """(T, D/2) complex numbers: what each pair of channels of each position is multiplied by."""
    d, rope, magnitude = kind["head_size"], kind.get("rope", {"kind": "none"}), 1.0
    turns = [turn_of(kind, j) for j in range(d // 2)]
    if rope["kind"] == "llama3":
        for j, f in enumerate(turns):
            wavelength = 2 * math.pi / f
            if wavelength > rope["original"] / 1.0:
                turns[j] = f / rope["factor"]
            elif wavelength >= rope["original"] / 4.0:
                smooth = (rope["original"] / wavelength - 1.0) / (4.0 - 1.0)
                turns[j] = (1 - smooth) * f / rope["factor"] + smooth * f
    elif rope["kind"] == "yarn":
        pair_that_turns = lambda n: d * math.log(rope["original"] / (n * 2 * math.pi)) / (2 * math.log(kind["theta"]))
        low, high = max(math.floor(pair_that_turns(32)), 0), min(math.ceil(pair_that_turns(1)), d - 1)
        for j, f in enumerate(turns):
            ramp = min(max((j - low) / (high - low), 0.0), 1.0)
            turns[j] = ramp * f / rope["factor"] + (1 - ramp) * f
        magnitude = 0.1 * math.log(rope["factor"]) + 1
    elif rope["kind"] == "dynamic" and tokens > rope["original"]:
        s = rope["factor"]
        base = kind["theta"] * (s * tokens / rope["original"] - (s - 1)) ** (d / (d - 2))
        turns = [base ** (-2 * j / d) for j in range(d // 2)]
    angles = torch.arange(tokens)[:, None] * torch.tensor(turns)
    return torch.polar(torch.full_like(angles, magnitude), angles)


def rotate(x, by):
    """(B, H, T, D): channels j and j + D/2 are a complex number."""
    half = x.shape[-1] // 2
    z = torch.complex(x[..., :half].contiguous(), x[..., half:].contiguous()) * by
    return torch.cat([z.real, z.imag], -1)


def norm(x, gain, epsilon):
    return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + epsilon) * gain


def logits(kind, p, tokens):
    b, t = tokens.shape
    heads, groups, d, epsilon = kind["heads"], kind["key_heads"], kind["head_size"], kind["epsilon"]
    x = p["model.embed_tokens.weight"][tokens]
    query, key = torch.arange(t)[:, None], torch.arange(t)[None, :]
    hidden = (key > query) | (query - key >= kind.get("window", t))
    by = rotations(kind, t)
    for i in range(LAYERS):
        w = lambda name: p[f"model.layers.{i}.{name}.weight"]
        h = norm(x, w("input_layernorm"), epsilon)

        def project(name, count):
            y = h @ w(f"self_attn.{name}_proj").T
            if kind.get("biases"):
                y = y + p[f"model.layers.{i}.self_attn.{name}_proj.bias"]
            y = y.reshape(b, t, count, d)
            if kind.get("norms") and name != "v":
                y = norm(y, w(f"self_attn.{name}_norm"), epsilon)
            return y.transpose(1, 2)

        q, k, v = rotate(project("q", heads), by), rotate(project("k", groups), by), project("v", groups)
        mixed = []
        for head in range(heads):
            group = head // (heads // groups)
            scores = (q[:, head] @ k[:, group].transpose(-1, -2) / math.sqrt(d)).masked_fill(hidden, -math.inf)
            mixed.append(scores.softmax(-1) @ v[:, group])
        x = x + torch.cat(mixed, -1) @ w("self_attn.o_proj").T
        h = norm(x, w("post_attention_layernorm"), epsilon)
        gate = h @ w("mlp.gate_proj").T
        x = x + (gate / (1 + torch.exp(-gate)) * (h @ w("mlp.up_proj").T)) @ w("mlp.down_proj").T
    return norm(x, p["model.norm.weight"], epsilon) @ p["model.embed_tokens.weight" if kind.get("tied") else "lm_head.weight"].T


def main():
    inputs, targets = batch()
    for name, kind in KINDS.items():
        p = parameters(kind)
        z = logits(kind, p, inputs)
        loss = torch.nn.functional.cross_entropy(z.reshape(-1, VOCABULARY), targets.reshape(-1))
        loss.backward()
        reference = {
            "shape": {"layers": LAYERS, "width": WIDTH, "context": CONTEXT, "vocabulary": VOCABULARY, "batch": BATCH},
            "kind": kind, "logits": encode(z.detach().numpy()), "loss": loss.item(),
            "gradients": {n: encode(v.grad.numpy()) for n, v in p.items()},
        }
        path = pathlib.Path(__file__).with_name(f"{name}_reference.json")
        path.write_text(json.dumps(reference, indent=0) + "\n")
        print(path.name, path.stat().st_size, "bytes; loss", loss.item())


main()
