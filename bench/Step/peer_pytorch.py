#!/usr/bin/env python3
"""The other side of bench/Step: training steps of GPT-2 or of the Llama kind with PyTorch, on request.

Reads lines from stdin: a number of steps to do. Answers each with the seconds they took. A good plain implementation for PyTorch 1.13, which
has no scaled_dot_product_attention: one matrix product for q, k and v, a causal mask kept as a buffer, F.cross_entropy, AdamW. In the Llama
kind gate and up are one product, too.
"""
import argparse
import math
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

parser = argparse.ArgumentParser()
for name in ("layers", "width", "heads", "key-heads", "feed-forward", "tokens", "batch", "vocabulary", "threads"):
    parser.add_argument("--" + name, type=int, required=True)
parser.add_argument("--architecture", choices=("gpt2", "llama"), required=True)
parser.add_argument("--foreach", action="store_true")
args = parser.parse_args()
torch.set_num_threads(args.threads)
torch.manual_seed(1)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        c = args.width
        self.ln_1, self.ln_2 = nn.LayerNorm(c), nn.LayerNorm(c)
        self.attn, self.proj = nn.Linear(c, 3 * c), nn.Linear(c, c)
        self.up, self.down = nn.Linear(c, 4 * c), nn.Linear(4 * c, c)
        self.register_buffer("mask", torch.triu(torch.full((args.tokens, args.tokens), -math.inf), 1))

    def forward(self, x):
        b, t, c = x.shape
        d = c // args.heads
        q, k, v = self.attn(self.ln_1(x)).view(b, t, 3, args.heads, d).permute(2, 0, 3, 1, 4)
        scores = torch.baddbmm(self.mask.expand(b * args.heads, t, t), q.reshape(-1, t, d), k.reshape(-1, t, d).transpose(1, 2), alpha=1 / math.sqrt(d))
        y = torch.bmm(F.softmax(scores, -1), v.reshape(-1, t, d)).view(b, args.heads, t, d).transpose(1, 2).reshape(b, t, c)
        x = x + self.proj(y)
        return x + self.down(F.gelu(self.up(self.ln_2(x)), approximate="tanh"))


class Gpt2(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte = nn.Embedding(args.vocabulary, args.width)
        self.wpe = nn.Embedding(args.tokens, args.width)
        self.blocks = nn.Sequential(*[Block() for _ in range(args.layers)])
        self.ln_f = nn.LayerNorm(args.width)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.02)

    def forward(self, tokens, targets):
        x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
        h = self.ln_f(self.blocks(x))
        return F.cross_entropy(F.linear(h, self.wte.weight).view(-1, args.vocabulary), targets.reshape(-1))


class RmsNorm(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.gain


class LlamaBlock(nn.Module):
    def __init__(self):
        super().__init__()
        c, d = args.width, args.width // args.heads
        self.norm_1, self.norm_2 = RmsNorm(c), RmsNorm(c)
        self.attn = nn.Linear(c, (args.heads + 2 * args.key_heads) * d, bias=False)
        self.proj = nn.Linear(c, c, bias=False)
        self.gate_up, self.down = nn.Linear(c, 2 * args.feed_forward, bias=False), nn.Linear(args.feed_forward, c, bias=False)
        self.register_buffer("mask", torch.triu(torch.full((args.tokens, args.tokens), -math.inf), 1))
        angles = torch.arange(args.tokens)[:, None] * 10000.0 ** (-torch.arange(d // 2) * 2 / d)
        self.register_buffer("cos", torch.cat([angles, angles], -1).cos()[:, None])
        self.register_buffer("sin", torch.cat([-angles, angles], -1).sin()[:, None])

    def forward(self, x):
        b, t, c = x.shape
        h, k, d = args.heads, args.key_heads, c // args.heads
        qk, v = self.attn(self.norm_1(x)).view(b, t, h + 2 * k, d).split([h + k, k], 2)
        swapped = torch.cat([qk[..., d // 2 :], qk[..., : d // 2]], -1)
        q, key = (qk * self.cos + swapped * self.sin).split([h, k], 2)
        key, v = key.repeat_interleave(h // k, 2), v.repeat_interleave(h // k, 2)
        q, key, v = [part.transpose(1, 2).reshape(b * h, t, d) for part in (q, key, v)]
        scores = torch.baddbmm(self.mask.expand(b * h, t, t), q, key.transpose(1, 2), alpha=1 / math.sqrt(d))
        x = x + self.proj(torch.bmm(F.softmax(scores, -1), v).view(b, h, t, d).transpose(1, 2).reshape(b, t, c))
        gate, up = self.gate_up(self.norm_2(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class Llama(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte = nn.Embedding(args.vocabulary, args.width)
        self.blocks = nn.Sequential(*[LlamaBlock() for _ in range(args.layers)])
        self.norm = RmsNorm(args.width)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.02)

    def forward(self, tokens, targets):
        h = self.norm(self.blocks(self.wte(tokens)))
        return F.cross_entropy(F.linear(h, self.wte.weight).view(-1, args.vocabulary), targets.reshape(-1))


model = Llama() if args.architecture == "llama" else Gpt2()
matrices = [p for p in model.parameters() if p.dim() > 1]
vectors = [p for p in model.parameters() if p.dim() == 1]
adam = torch.optim.AdamW(
    [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}], lr=1e-3, betas=(0.9, 0.95), foreach=args.foreach
)


def step():
    block = torch.randint(args.vocabulary, (args.batch, args.tokens + 1))
    adam.zero_grad(set_to_none=True)
    loss = model(block[:, :-1], block[:, 1:])
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    adam.step()
    return loss.item()


for line in sys.stdin:
    start = time.perf_counter()
    for _ in range(int(line)):
        step()
    print(time.perf_counter() - start, flush=True)
