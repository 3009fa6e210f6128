#!/usr/bin/env python3
"""Writes gpt2_reference.json: numbers that the C# tests check the model and the optimizer against.

An independent GPT-2 in float64 on PyTorch's autograd, written from the papers (Vaswani et al. 2017, Radford et al. 2019), and PyTorch's own
AdamW, clip_grad_norm_ and schedules. Made with PyTorch 1.13; run it again only to add to it:

    python3 tests/Model/Reference/make_reference.py

Arrays are little-endian float32 in base64. Parameters and tokens are not stored: both sides make them with `noise`.
"""
import base64
import json
import math
import pathlib

import numpy as np
import torch

torch.set_default_dtype(torch.float64)
LAYERS, WIDTH, HEADS, CONTEXT, VOCABULARY, BATCH = 2, 16, 4, 16, 97, 3


def noise(stream, count):
    """Numbers from [-0.5, 0.5), exact in float32: the upper 24 bits of an integer hash of (stream, index)."""
    x = (np.arange(count, dtype=np.uint64) + np.uint64(stream * 1_000_003 + 1)) * np.uint64(0x9E3779B97F4A7C15)
    x ^= x >> np.uint64(29)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    return (x >> np.uint64(40)).astype(np.float64) / 2**24 - 0.5


def encode(array):
    return base64.b64encode(np.asarray(array, dtype="<f4").tobytes()).decode()


def shapes():
    """Names and shapes, in the order that numbers the streams of noise."""
    c = WIDTH
    yield "transformer.wte.weight", (VOCABULARY, c)
    yield "transformer.wpe.weight", (CONTEXT, c)
    for i in range(LAYERS):
        h = f"transformer.h.{i}."
        yield h + "ln_1.weight", (c,)
        yield h + "ln_1.bias", (c,)
        yield h + "attn.c_attn.weight", (c, 3 * c)
        yield h + "attn.c_attn.bias", (3 * c,)
        yield h + "attn.c_proj.weight", (c, c)
        yield h + "attn.c_proj.bias", (c,)
        yield h + "ln_2.weight", (c,)
        yield h + "ln_2.bias", (c,)
        yield h + "mlp.c_fc.weight", (c, 4 * c)
        yield h + "mlp.c_fc.bias", (4 * c,)
        yield h + "mlp.c_proj.weight", (4 * c, c)
        yield h + "mlp.c_proj.bias", (c,)
    yield "transformer.ln_f.weight", (c,)
    yield "transformer.ln_f.bias", (c,)


def parameters():
    p = {}
    for stream, (name, shape) in enumerate(shapes()):
        values = noise(stream, math.prod(shape)).reshape(shape)
        gain = name.endswith("weight") and len(shape) == 1
        p[name] = torch.tensor(1 + values / 2 if gain else values).requires_grad_()
    return p


def batch(step):
    tokens = ((noise(1000 + step, BATCH * (CONTEXT + 1)) + 0.5) * VOCABULARY).astype(np.int64).reshape(BATCH, CONTEXT + 1)
    return torch.tensor(tokens[:, :-1]), torch.tensor(tokens[:, 1:])


def norm(x, gain, bias):
    centred = x - x.mean(-1, keepdim=True)
    return centred / torch.sqrt((centred**2).mean(-1, keepdim=True) + 1e-5) * gain + bias


def gelu(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def logits(p, tokens):
    b, t = tokens.shape
    x = p["transformer.wte.weight"][tokens] + p["transformer.wpe.weight"][:t]
    future = torch.triu(torch.ones(t, t, dtype=torch.bool), 1)
    for i in range(LAYERS):
        w = lambda name: p[f"transformer.h.{i}.{name}"]
        h = norm(x, w("ln_1.weight"), w("ln_1.bias"))
        q, k, v = [
            part.reshape(b, t, HEADS, WIDTH // HEADS).transpose(1, 2)
            for part in (h @ w("attn.c_attn.weight") + w("attn.c_attn.bias")).split(WIDTH, -1)
        ]
        scores = (q @ k.transpose(-1, -2) / math.sqrt(WIDTH // HEADS)).masked_fill(future, -math.inf)
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(b, t, WIDTH)
        x = x + mixed @ w("attn.c_proj.weight") + w("attn.c_proj.bias")
        h = norm(x, w("ln_2.weight"), w("ln_2.bias"))
        x = x + gelu(h @ w("mlp.c_fc.weight") + w("mlp.c_fc.bias")) @ w("mlp.c_proj.weight") + w("mlp.c_proj.bias")
    return norm(x, p["transformer.ln_f.weight"], p["transformer.ln_f.bias"]) @ p["transformer.wte.weight"].T


def loss(p, step, smoothing):
    inputs, targets = batch(step)
    return torch.nn.functional.cross_entropy(logits(p, inputs).reshape(-1, VOCABULARY), targets.reshape(-1), label_smoothing=smoothing)


def groups(p, decay):
    return [
        {"params": [v for v in p.values() if v.dim() > 1], "weight_decay": decay},
        {"params": [v for v in p.values() if v.dim() == 1], "weight_decay": 0.0},
    ]


def gradients(smoothing):
    p = parameters()
    value = loss(p, 0, smoothing)
    value.backward()
    return {"smoothing": smoothing, "loss": value.item(), "gradients": {n: encode(v.grad.numpy()) for n, v in p.items()}}


def trajectory(steps=5, rate=1e-2, clip=0.5, decay=0.1, epsilon=1e-4):
    """Whole training steps. The epsilon is large because the true gradient of the keys' bias is zero: float32 leaves 1e-9 of it, and
    with 1e-8 AdamW would make steps of its sign."""
    p = parameters()
    adam = torch.optim.AdamW(groups(p, decay), lr=rate, betas=(0.9, 0.95), eps=epsilon)
    losses, norms = [], []
    for step in range(steps):
        adam.zero_grad()
        value = loss(p, step, 0.1)
        value.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(p.values(), clip).item())
        adam.step()
        losses.append(value.item())
    return {"rate": rate, "clip": clip, "decay": decay, "epsilon": epsilon, "losses": losses, "norms": norms,
            "parameters": {n: encode(v.detach().numpy()) for n, v in p.items()}}


def adamw(steps=10, count=64):
    """AdamW alone, on given gradients of very different sizes; the first vector decays."""
    vectors = [torch.tensor(noise(2000 + i, count)).requires_grad_() for i in range(2)]
    adam = torch.optim.AdamW([{"params": vectors[:1], "weight_decay": 0.1}, {"params": vectors[1:], "weight_decay": 0.0}],
                             lr=3e-3, betas=(0.9, 0.95), eps=1e-8)
    for step in range(steps):
        for i, v in enumerate(vectors):
            v.grad = torch.tensor(noise(3000 + 2 * step + i, count) * 10.0 ** (np.arange(count) % 7 - 5))
        adam.step()
    return [{"parameters": encode(v.detach().numpy()), "first": encode(adam.state[v]["exp_avg"].numpy()),
             "second": encode(adam.state[v]["exp_avg_sq"].numpy())} for v in vectors]


def schedules(total=20, warmup=5, peak=1.0, minimum=0.1):
    """A linear warm-up that ends at the peak, then PyTorch's own schedule from the first step after it."""
    result = {}
    for name in ("cosine", "linear", "constant"):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=peak)
        after = {
            "cosine": lambda: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total - warmup, minimum),
            "linear": lambda: torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, minimum / peak, total - warmup),
            "constant": lambda: torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0, 1),
        }[name]()
        rates = [peak * (i + 1) / warmup for i in range(warmup)]
        for _ in range(total - warmup):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            after.step()
        result[name] = rates
    return result


def main():
    inputs, _ = batch(0)
    reference = {
        "shape": {"layers": LAYERS, "width": WIDTH, "heads": HEADS, "context": CONTEXT, "vocabulary": VOCABULARY, "batch": BATCH},
        "logits": encode(logits(parameters(), inputs).detach().numpy()),
        "gradients": [gradients(0.0), gradients(0.1)],
        "trajectory": trajectory(),
        "adamw": adamw(),
        "schedules": schedules(),
    }
    path = pathlib.Path(__file__).with_name("gpt2_reference.json")
    path.write_text(json.dumps(reference, indent=0) + "\n")
    print(path.name, path.stat().st_size, "bytes; losses", reference["trajectory"]["losses"], "norms", reference["trajectory"]["norms"])


if __name__ == "__main__":
    main()
