#!/usr/bin/env python3
"""Opens an exported model with Transformers and compares its logits with Elastic's.

    compare_logits.py FOLDER SCORES TEXT...

FOLDER is what "elastic export" wrote, SCORES what "elastic eval --json --data TEXT..." wrote, with the sum of nats of each text. Here the
same sums come from Transformers' logits: of a text with an end of text before it, the cross-entropy of each token. Texts that are
beginnings of each other tell where they part, because each further token adds its own. They must be shorter than the model's context.
"""
import json
import pathlib
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

TOLERANCE = 1e-4  # nats a token: both sides compute in fp32, in other orders


def nats(model, tokenizer, text):
    """The sum of the cross-entropies of a text's tokens, and how many they are."""
    tokens = torch.tensor([tokenizer.eos_token_id] + tokenizer.encode(text, add_special_tokens=False))
    with torch.no_grad():
        logits = model(tokens[None, :]).logits[0].double()
    return torch.nn.functional.cross_entropy(logits[:-1], tokens[1:], reduction="sum").item(), len(tokens) - 1


def main(folder, scores, *texts):
    model = AutoModelForCausalLM.from_pretrained(folder).float().eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ours, worst, wrong = json.loads(pathlib.Path(scores).read_text())["sources"], 0.0, []
    for path in texts:
        theirs, tokens = nats(model, tokenizer, pathlib.Path(path).read_text())
        score = ours[pathlib.Path(path).name]
        error = abs(score["nats"] - theirs) / max(1, tokens)
        worst = max(worst, error)
        if score["tokens"] != tokens or not error < TOLERANCE:
            wrong.append(f"{path}: {score['nats']} nats of {score['tokens']} tokens by Elastic, {theirs} of {tokens} by Transformers")
    print("\n".join(wrong) or f"{len(texts)} texts agree, to {worst:.1e} nats a token")
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
