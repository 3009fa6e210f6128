"""Compares what Elastic read with what the other programs were given: check.py TEXT-FOLDER METADATA.jsonl EXPORTED.jsonl"""
import collections
import gzip
import json
import subprocess
import sys

from server import PAGES, text_of

folder, metadata, exported = sys.argv[1:]
problems = 0


def expect(what, found, wanted):
    global problems
    ok = found == wanted
    problems += not ok
    print(f"  {what:<74}{'as it should be' if ok else f'WRONG: {str(found)[:200]} and not {str(wanted)[:200]}'}")


def records(pattern):
    packed = subprocess.run(f"zstd -dcq {folder}/{pattern}", shell=True, check=True, capture_output=True).stdout
    return [json.loads(line) for line in packed.splitlines()]


rows = records("documents/*.zst")
texts = {row["id"]: row["text"] for row in records("text/*.zst")}
found = collections.defaultdict(list)
for row in rows:
    found[row["source"], row["name"].split(":")[0]].append(texts[row["id"]])

tables = json.load(open("tables/expected.json"))
for kind in ("parquet", "arrow"):
    names = [name for name in tables["files"] if name.endswith(kind) and name not in tables["refused"]]
    wrong = [name for name in names if found["tables", name] != tables["texts"]]
    expect(f"{len(names)} files of {kind} by arrow-rs and Apache Arrow", wrong, [])

lines = [json.loads(line)["text"] for line in open("lines.jsonl")]
for name in ("frames.jsonl.zst", "members.jsonl.gz", "few.jsonl.bz2", "few.jsonl.xz"):
    expect(f"600 lines of {name}", found["lines", name] == lines[:600], True)
expect(f"{len(lines)} lines of long.jsonl.zst, with a window of 2^27", found["lines", "long.jsonl.zst"] == lines, True)
expect("the same lines by nginx, in two attempts of two processes", found["web", "lines.jsonl"] == lines, True)


def pages_of(name):
    return sorted(" ".join(text.split()) for text in found["crawl", name] if text.startswith("Page"))


pages = sorted(" ".join(text_of(page).split()) for page in range(PAGES))
for name in ("crawl.warc.gz", "plain.warc"):
    expect(f"{len(pages)} pages of {name} by wget", pages_of(name), pages)
rejects = open(f"{folder}/rejects.txt").read().splitlines()
revisits = [line for line in rejects if "again.warc.gz" in line and ".html: a revisit" in line and "none.html" not in line]
# wget finds again what it has under the same address alone, so that it stores a few of the equal pages once more.
expect("a page that was stored before is named as a revisit, others are read", len(revisits) + len(pages_of("again.warc.gz")), PAGES)
expect("most of them are revisits", len(revisits) > PAGES / 2, True)

ours = [json.loads(line) for line in open(metadata)]
expect(f"{len(ours)} rows of our metadata, read by arrow-rs",
       [(row["id"], row["source"], row["bytes"], row["decision"]) for row in ours],
       [(row["id"], row["source"], row["bytes"], "kept") for row in rows])
theirs = [json.loads(line) for line in open(exported)]
kept = {row["id"]: row for row in rows}
expect(f"{len(theirs)} rows of our exported texts, read by arrow-rs",
       [tuple(row[c] for c in ("id", "text", "source", "language", "licence", "url", "date")) for row in theirs],
       [(r["id"], r["text"], r["source"], *(kept[r["id"]].get(c) for c in ("language", "licence", "url", "date")))
        for r in records("text/*.zst")])
sys.exit(problems > 0)
