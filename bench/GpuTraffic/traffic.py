"""Predicts, kernel by kernel, how long a step of GPT-2 takes on a GPU, from the bytes that each kernel moves and the operations of products
and attention: see README.md. No GPU is used, nothing is measured."""

import argparse
from collections import namedtuple

Call = namedtuple("Call", "part what times bytes flops")


def bytes_of_elements(count, *types):
    """What a kernel moves that reads or writes so many elements of each type, e.g. "f32 bf16"."""
    return count * sum({"f32": 4, "bf16": 2}[t] for t in " ".join(types).split())


def calls(layers, channels, vocabulary, sequences, tokens):
    """Of a micro-batch, in bf16, as src/Torch/Cuda/Passes makes them; what lies in a cache counts nothing."""
    rows = sequences * tokens
    values, logits = rows * channels, rows * (-(-vocabulary // 64) * 64)
    parameters = vocabulary * channels + tokens * channels + layers * (12 * channels * channels + 13 * channels) + 2 * channels

    def kernel(what, times, count, *types, part="kernels"):
        return Call(part, what, times, bytes_of_elements(count, *types), 0)

    def product(what, times, inner, outer, part="products of the blocks"):
        return Call(part, what, times, 0, 2 * rows * inner * outer)

    pairs = rows * (tokens + 1) // 2
    yield kernel("embed", 1, values, "f32 f32")
    yield kernel("norm_forward, alone", 1, values, "f32 bf16")
    yield kernel("norm_forward, sum and norm", 2 * layers, values, "f32 bf16 f32 bf16")
    yield kernel("activation", layers, 4 * values, "bf16 bf16")
    yield kernel("cross_entropy", 1, logits, "bf16 bf16")
    yield kernel("norm_backward, of the last", 1, values, "bf16 f32 f32 bf16")
    yield kernel("norm_backward, added to dx", 2 * layers, values, "bf16 f32 f32 f32 bf16")
    yield kernel("activation_backward_sums", layers, 4 * values, "bf16 bf16 bf16")
    yield kernel("pack, gradients of q, k and v side by side", layers, 3 * values, "bf16 bf16")
    yield kernel("embedding_gradient", 1, values, "f32")
    yield kernel("sum of the positions' gradients (libtorch)", 1, values, "f32")
    yield kernel("gradient cleared", 1, parameters, "f32")
    yield kernel("sums_of_squares", 1, parameters, "f32")
    yield kernel("adamw_update_bf16", 1, parameters, "f32 f32 f32 f32 f32 f32 f32 bf16")
    for what, inner, outer in (("qkv", 1, 3), ("projection", 1, 1), ("up", 1, 4), ("down", 4, 1)):
        yield product(f"{what}, its gradient and its weight's", 3 * layers, inner * channels, outer * channels)
    yield product("logits, their rows' gradient and the weight's", 3, channels, vocabulary, part="products of the head")
    yield Call("attention", "attention", layers, 0, 4 * pairs * channels)
    yield Call("attention", "its gradient", layers, 0, 10 * pairs * channels)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, default=64, help="of a micro-batch; a step has one")
    parser.add_argument("--tokens", type=int, default=1024, help="of a sequence")
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--channels", type=int, default=768)
    parser.add_argument("--vocabulary", type=int, default=50257)
    parser.add_argument("--bandwidth", type=float, default=3.35, help="of the GPU's memory, TB/s")
    parser.add_argument("--peak", type=float, default=989, help="of the GPU, TFLOP/s in bf16")
    parser.add_argument("--kernels", type=float, default=0.85, help="the share of the bandwidth that kernels reach")
    parser.add_argument("--products", type=float, default=0.585, help="the share of the peak that products of the blocks reach")
    parser.add_argument("--head", type=float, default=0.657, help="the share of the peak that products of the head reach")
    parser.add_argument("--attention", type=float, default=0.195, help="the share of the peak that attention reaches")
    parser.add_argument("--budget", type=float, default=126, help="ms for a step")
    o = parser.parse_args()

    shares = {
        "kernels": o.kernels, "products of the blocks": o.products, "products of the head": o.head, "attention": o.attention}
    sums = {}
    print("A prediction, not a measurement.")
    for call in calls(o.layers, o.channels, o.vocabulary, o.sequences, o.tokens):
        seconds = call.times * max(
            call.bytes / (o.bandwidth * 1e12 * shares[call.part]), call.flops / (o.peak * 1e12 * shares[call.part]))
        amount = f"{call.times * call.bytes / 1e9:8.2f} GB" if call.bytes else f"{call.times * call.flops / 1e12:8.2f} TFLOP"
        print(f"{call.part:24}{call.what:50}{call.times:4} times {amount:15}{1e3 * seconds:8.2f} ms")
        sums[call.part] = sums.get(call.part, 0) + seconds
    for part, seconds in sums.items():
        print(f"{part:24}at {shares[part]:.1%} of the GPU's {'bandwidth' if part == 'kernels' else 'peak':40}{1e3 * seconds:29.2f} ms")
    step = sum(sums.values())
    print(
        f"a step: {1e3 * step:.1f} ms, {o.sequences * o.tokens / step / 1e3:.0f} thousand tokens a second; the budget is "
        f"{o.budget:.0f} ms, {o.sequences * o.tokens / o.budget:.0f} thousand")


if __name__ == "__main__":
    main()
