"""The golden numbers of MixtureChangesTests and WindowMixtureTests, from the descriptions in docs/determinism.md: with lists of what nobody
has read, and without running a permutation backwards. Prints blocks of every 17th position from 20 on, and of every 11th one."""
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


# A mixture in windows of three shards: (source, blocks) of each shard.
SHARDS, TENTHS, WINDOW = [("a", 5), ("b", 3), ("a", 0), ("a", 7), ("b", 4), ("c", 6), ("b", 2)], {"a": 25, "b": 5, "c": 10}, 3
firsts = [sum(n for _, n in SHARDS[:i]) for i in range(len(SHARDS))]


def samples_before(shard, source):
    return round(sum(n for name, n in SHARDS[:shard] if name == source) * TENTHS[source] / 10)  # of two equally near the even one


samples = [samples_before(i + 1, name) - samples_before(i, name) for i, (name, _) in enumerate(SHARDS)]


def epoch_of(epoch):
    for window in range(0, len(SHARDS), WINDOW):
        own = [(shard, j) for shard in range(window, min(len(SHARDS), window + WINDOW)) for j in range(samples[shard])]
        for x in permutation(window_key("window", window // WINDOW), epoch, len(own)):
            shard, j = own[x]
            turn, place = divmod(epoch * samples[shard] + j, SHARDS[shard][1])
            yield firsts[shard] + permutation(window_key("shard", shard), turn, SHARDS[shard][1])[place]


def window_key(what, number):
    return int.from_bytes(hashlib.sha256(f"elastic window mixture 11 {what} {number}".encode()).digest()[:8], "little")


stream = [block for epoch in range(4) for block in epoch_of(epoch)]
print(samples, [stream[i * 11] for i in range(12)])
