"""The golden numbers of MixtureChangesTests, from the description in docs/determinism.md: with lists of what nobody has read, and without
running a permutation backwards. Prints blocks of every 17th position from 20 on."""
import hashlib

MASK = (1 << 64) - 1


def mix(z):
    z = (z + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def permutation(seed, epoch, n):
    half = max(1, ((n - 1).bit_length() + 1) // 2)
    state = mix(mix(seed) ^ epoch)
    keys = [mix((state + (i + 1) * 0x9E3779B97F4A7C15) & MASK) for i in range(8)]
    result = []
    for x in range(n):
        while True:
            left, right = x >> half, x & ((1 << half) - 1)
            for k in keys:
                left, right = right, left ^ (mix(right ^ k) & ((1 << half) - 1))
            x = (left << half) | right
            if x < n:
                break
        result.append(x)
    return result


def key(seed, name):
    return int.from_bytes(hashlib.sha256(f"elastic mixture {seed} {name}".encode()).digest()[:8], "little")


SEED, BLOCKS, FIRST, LENGTHS = 11, [40, 30, 50], [0, 40, 70], [100, 77, 500]
WEIGHTS = [[10, 15, 3], [5, 0, 20], [10, 10, 10]]  # tenths of an epoch
streams = [[first + x for epoch in range(60) for x in permutation(key(SEED, f"source {i}"), epoch, n)]
           for i, (n, first) in enumerate(zip(BLOCKS, FIRST))]
blocks, start = [], 0
for number, (weights, length) in enumerate(zip(WEIGHTS, LENGTHS)):
    samples = [w and max(1, n * w // 10) for n, w in zip(BLOCKS, weights)]
    read = [set() for _ in samples]
    seed = SEED if number == 0 else key(SEED, f"from sample {start}")
    for position in range(length):
        epoch, offset = divmod(position, sum(samples))
        sample, source = permutation(seed, epoch, sum(samples))[offset], 0
        while sample >= samples[source]:
            sample, source = sample - samples[source], source + 1
        index = epoch * samples[source] + sample
        blocks.append(streams[source][index])
        read[source].add(index)
    streams = [[b for i, b in enumerate(stream) if i not in gone] for stream, gone in zip(streams, read)]
    start += length
print([blocks[20 + i * 17] for i in range(24)])
