#!/usr/bin/env python3
"""Builds a corpus of each of some sizes and says how much memory that took at most.

  bench/corpus/memory.py FOLDER MEGABYTES... [-- STAGE...]       stages by default: clean exact-duplicates near-duplicates

FOLDER takes the texts (texts.py) and the data directories.
"""
import os, shutil, subprocess, sys
from pathlib import Path

from measured import build

arguments, stages = sys.argv[1:], ["clean", "exact-duplicates", "near-duplicates"]
if "--" in arguments:
    at = arguments.index("--")
    arguments, stages = arguments[:at], arguments[at + 1:]
if len(arguments) < 2:
    sys.exit(__doc__)
folder = Path(arguments[0]).resolve()
folder.mkdir(parents=True, exist_ok=True)

for size in arguments[1:]:
    texts, data = folder / f"{size}.jsonl", folder / f"data-{size}"
    if not texts.exists():
        subprocess.run([Path(__file__).resolve().parent / "texts.py", size, texts], check=True)
    code, seconds, most = build(f'{{ name = texts, paths = ["{texts}"] }}', stages, data)
    if code != 0:
        sys.exit(f"the build of {size} MB failed with {code}: {data}.log")
    print(f"{size} MB: {most['all']:.0f} MiB at most (own {most['own']:.0f}, files {most['files']:.0f}), "
        f"{seconds:.0f} s of processor time, load {os.getloadavg()[0]:.0f}", flush=True)
    shutil.rmtree(data)
