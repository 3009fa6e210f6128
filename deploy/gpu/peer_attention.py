#!/usr/bin/env python3
"""PyTorch's ways of computing attention on this GPU, for check.sh to set beside Elastic's: forward and backward, each 20 times.

    peer_attention.py --micro N

Causal attention of GPT-2 124M in bf16: N sequences, 12 heads, 1024 tokens of 64 channels. Of each way: the median of the times, and how many of
the results and gradients have the bits of the first. Only FlashAttention-2 is run with PyTorch's deterministic algorithms, too: of cuDNN's
attention PyTorch never asks the deterministic one. The last line has all of it.
"""
import argparse
import os
import statistics
import time

# PyTorch's deterministic mode asks for it.
os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

HEADS, TOKENS, CHANNELS, REPEATS = 12, 1024, 64, 20
WAYS = [
    ("plain operators", SDPBackend.MATH, False),
    ("FlashAttention-2", SDPBackend.FLASH_ATTENTION, False),
    ("the same, deterministic", SDPBackend.FLASH_ATTENTION, True),
    ("memory-efficient", SDPBackend.EFFICIENT_ATTENTION, False),
    ("cuDNN", SDPBackend.CUDNN_ATTENTION, False),
]


def measure(backend, given):
    """Milliseconds of the median, and how many of the repeats have the bits of the first."""
    first, same, times = None, 0, []
    for _ in range(REPEATS):
        q, k, v = (x.detach().requires_grad_(True) for x in given[:3])
        torch.cuda.synchronize()
        began = time.perf_counter()
        with sdpa_kernel(backend):
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            y.backward(given[3])
        torch.cuda.synchronize()
        times.append(1000 * (time.perf_counter() - began))
        bits = [x.contiguous().view(torch.int16) for x in (y.detach(), q.grad, k.grad, v.grad)]
        first = first or bits
        same += all(torch.equal(a, b) for a, b in zip(first, bits))
    # The first of them sets up libraries.
    return statistics.median(times[1:]), same


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--micro", type=int, required=True)
    shape = (parser.parse_args().micro, HEADS, TOKENS, CHANNELS)
    torch.manual_seed(1)
    given = [torch.randn(shape, device="cuda", dtype=torch.bfloat16) for _ in range(4)]
    lines = []
    for name, backend, is_deterministic in WAYS:
        torch.use_deterministic_algorithms(is_deterministic)
        try:
            milliseconds, same = measure(backend, given)
            lines.append(f"{name} {milliseconds:.2f} ms, {same} of {REPEATS} the same")
        except RuntimeError as e:
            lines.append(f"{name} failed: {str(e).splitlines()[0]}")
        print(lines[-1])
    print(f"PyTorch {torch.__version__}: " + "; ".join(lines))


if __name__ == "__main__":
    main()
