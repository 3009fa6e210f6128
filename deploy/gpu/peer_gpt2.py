#!/usr/bin/env python3
"""Tokens a second of training GPT-2 124M with PyTorch on this GPU, for check.sh to set beside Elastic's.

    peer_gpt2.py --micro N [--compile]

A good plain implementation: bf16 autocast, PyTorch's own attention, fused AdamW, the vocabulary padded to 50304; random tokens, 8 micro-batches of
N x 1024 a step. The last line is the figure: the median of ten steps after three.
"""
import argparse
import statistics
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

LAYERS, WIDTH, HEADS, CONTEXT, VOCABULARY, MICRO_BATCHES = 12, 768, 12, 1024, 50304, 8


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attn, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = self.attn(self.ln_1(x)).view(b, t, 3, HEADS, c // HEADS).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, t, c)
        x = x + self.proj(y)
        return x + self.down(F.gelu(self.up(self.ln_2(x)), approximate="tanh"))


class Gpt2(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks, self.ln_f = nn.Sequential(*[Block() for _ in range(LAYERS)]), nn.LayerNorm(WIDTH)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.02)

    def forward(self, tokens, targets):
        h = self.ln_f(self.blocks(self.wte(tokens) + self.wpe.weight))
        return F.cross_entropy(F.linear(h, self.wte.weight).view(-1, VOCABULARY), targets.reshape(-1))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--micro", type=int, required=True)
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    torch.manual_seed(1)
    torch.set_float32_matmul_precision("high")
    model = Gpt2().cuda()
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    forward = torch.compile(model) if args.compile else model
    tokens = torch.randint(VOCABULARY, (args.micro, CONTEXT + 1), device="cuda")

    def step():
        for _ in range(MICRO_BATCHES):
            with torch.autocast("cuda", dtype=torch.bfloat16):
                loss = forward(tokens[:, :-1], tokens[:, 1:])
            (loss / MICRO_BATCHES).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        torch.cuda.synchronize()

    seconds = []
    for number in range(13):
        began = time.perf_counter()
        step()
        if number >= 3:
            seconds.append(time.perf_counter() - began)
    rate = MICRO_BATCHES * args.micro * CONTEXT / statistics.median(seconds)
    print(f"{rate:.0f} tokens/s, PyTorch {torch.__version__} in bf16{', compiled' if args.compile else ''}")


if __name__ == "__main__":
    main()
