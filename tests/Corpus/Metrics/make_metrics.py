#!/usr/bin/env python3
"""Writes metrics.json: made-up lines and their scores, that MetricTests checks BLEU and chrF against.

Both metrics written anew from their definitions (Papineni et al. 2002; Popovic 2015; sacreBLEU's defaults, Post 2018) with Python's own
counters, regular expressions and white space. Checked against scores that sacreBLEU publishes, which MetricTests has, too:

    python3 tests/Corpus/Metrics/make_metrics.py
"""
import json
import math
import pathlib
import random
import re
from collections import Counter

ENTITIES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))
RULES = ((r"([ !-&(-+/:-@[-`{-~])", r" \1 "), (r"([^0-9])([.,])", r"\1 \2 "), (r"([.,])([^0-9])", r" \1 \2"), (r"([0-9])(-)", r"\1 \2 "))


def words(line):
    line = line.rstrip().replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for entity, sign in ENTITIES:
        line = line.replace(entity, sign)
    line = f" {line} "
    for pattern, replacement in RULES:
        line = re.sub(pattern, replacement, line)
    return line.split()


def grams(items, n):
    return Counter(tuple(items[i:i + n]) for i in range(len(items) - n + 1))


def bleu(hypotheses, references):
    common, total, hypothesis_words, reference_words = [0] * 4, [0] * 4, 0, 0
    for hypothesis, *others in zip(hypotheses, *references):
        own, others = words(hypothesis), [words(r) for r in others]
        hypothesis_words += len(own)
        reference_words += min((abs(len(r) - len(own)), len(r)) for r in others)[1]
        for n in range(4):
            most = Counter()
            for r in others:
                most |= grams(r, n + 1)
            total[n] += sum(grams(own, n + 1).values())
            common[n] += sum((grams(own, n + 1) & most).values())
    penalty = 1.0
    if hypothesis_words < reference_words:
        penalty = math.exp(1 - reference_words / hypothesis_words) if hypothesis_words else 0.0
    logs, doubling = 0.0, 1
    for n in range(4):
        if total[n] == 0 or not any(common):
            return 0.0
        doubling *= 1 if common[n] else 2
        logs += math.log(100 * common[n] / total[n] if common[n] else 100 / (doubling * total[n])) / 4
    return penalty * math.exp(logs)


def counts(hypothesis, reference):
    hypothesis, reference = ["".join(t.split()) for t in (hypothesis, reference)]
    for n in range(1, 7):
        own, other = grams(hypothesis, n), grams(reference, n)
        yield (sum(own.values()) if other else 0, sum(other.values()), sum((own & other).values()))


def f_score(statistics, beta):
    both = [s for s in statistics if s[0] and s[1]]
    if not any(s[2] for s in both):
        return 0.0
    precision, recall = sum(m / h for h, _, m in both) / len(both), sum(m / r for _, r, m in both) / len(both)
    return 100 * (1 + beta**2) * precision * recall / (beta**2 * precision + recall)


def chrf(hypotheses, references, beta=2):
    all_counts = [(0, 0, 0)] * 6
    for hypothesis, *others in zip(hypotheses, *references):
        best = max((list(counts(hypothesis, r)) for r in others), key=lambda s: f_score(s, beta))
        all_counts = [tuple(x + y for x, y in zip(a, b)) for a, b in zip(all_counts, best)]
    return f_score(all_counts, beta)


def lines(seed, count):
    random.seed(seed)
    pieces = ["a", "b", "ab", "3.14", "1,000", "2-3", "...", "don't", "(x)", "&amp;", "&quot;", "<skipped>", "\u00e9", "\U0001F600",
              "\u3000", "\u00a0", "\u001e", "\u200b", "-", ".", ",", "!", "?!", "[", "`", "{~}", "\u4e2d\u6587"]
    return ["".join(random.choice(pieces) + random.choice(["", " ", "  "]) for _ in range(random.randrange(14))) for _ in range(count)]


def main():
    published = bleu(["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."],
                     [["The dog bit the man.", "It was not unexpected.", "The man bit him first."],
                      ["The dog had bit the man.", "No one was surprised.", "The man had bitten the dog."]])
    assert abs(published - 48.530827) < 1e-6, published
    hypotheses, references = lines(1, 60), [lines(2, 60), lines(3, 60)]
    sets = [{"hypotheses": hypotheses, "references": refs, "bleu": bleu(hypotheses, refs), "chrf": chrf(hypotheses, refs)}
            for refs in (references[:1], references)]
    path = pathlib.Path(__file__).with_name("metrics.json")
    path.write_text(json.dumps(sets, indent=0) + "\n")
    print(path.name, [(s["bleu"], s["chrf"]) for s in sets])


main()
