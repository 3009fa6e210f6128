#!/usr/bin/env python3
"""Writes a file of records (jsonl) of any size, each another text, of sentences of the .NET SDK's reference documentation.

  bench/corpus/texts.py MEGABYTES FILE

One record in 20 is a copy of one of the thousand before it, and one in 20 such a copy with another last sentence. The same size gives the
same bytes wherever the SDK is the same.
"""
import json, os, random, re, shutil, sys
from pathlib import Path

SENTENCES_OF_RECORD = 40                # 4 KB
EVERY = 20                              # one of so many is a copy, and the next one nearly so

if len(sys.argv) != 3:
    sys.exit(__doc__)
size, path = float(sys.argv[1]) * 1e6, Path(sys.argv[2])

packs = Path(os.path.realpath(shutil.which("dotnet"))).parent / "packs"
sentences = set()
for xml in sorted(packs.glob("*/*/ref/*/*.xml")):
    text = re.sub(r"<[^>]*>", " ", xml.read_text(encoding="utf-8", errors="replace"))
    sentences.update(s.strip() for s in re.split(r"(?<=\.)\s+|\n\s*\n", text) if 40 <= len(s.strip()) <= 400)
sentences = [re.sub(r"\s+", " ", s) for s in sorted(sentences)]

chance = random.Random(1)
written, recent = 0, []
with path.open("w", encoding="utf-8") as out:
    number = 0
    while written < size:
        if recent and number % EVERY == 0:
            chosen = chance.choice(recent)
        elif recent and number % EVERY == 1:
            chosen = chance.choice(recent)[:-1] + [chance.choice(sentences)]
        else:
            chosen = chance.choices(sentences, k=SENTENCES_OF_RECORD)
            recent = recent[-999:] + [chosen]
        line = json.dumps({"text": "\n".join(chosen)}) + "\n"
        written += out.write(line)
        number += 1
