#!/usr/bin/env python3
"""Writes texts of any size in four forms, each text another one, of sentences of the .NET SDK's reference documentation.

  bench/corpus/texts.py MEGABYTES FOLDER      records.jsonl (half of it), packed.jsonl.gz (a quarter), book.txt (a fifth), pages.zip (HTML)
  bench/corpus/texts.py MEGABYTES FILE.jsonl  records alone

One text in 20 is a copy of one of the thousand before it in its file, and one in 20 such a copy with another last sentence. The same size
gives the same bytes wherever the SDK and Python's zlib are the same.
"""
import collections, gzip, html, json, os, random, re, shutil, sys, zipfile
from pathlib import Path

SENTENCES_OF_TEXT = 40                  # 4 KB
EVERY = 20                              # one of so many is a copy, and the next one nearly so
TEXTS_OF_PAGE = 25                      # 100 KB


def read_sentences():
    packs = Path(os.path.realpath(shutil.which("dotnet"))).parent / "packs"
    sentences = set()
    for xml in sorted(packs.glob("*/*/ref/*/*.xml")):
        text = re.sub(r"<[^>]*>", " ", xml.read_text(encoding="utf-8", errors="replace"))
        sentences.update(s.strip() for s in re.split(r"(?<=\.)\s+|\n\s*\n", text) if 40 <= len(s.strip()) <= 400)
    return [re.sub(r"\s+", " ", s) for s in sorted(sentences)]


def texts(seed, size, count, of):
    """Lists of numbers of sentences, until `of(text)` has said that `size` bytes are written."""
    chance, recent, number, written = random.Random(seed), collections.deque(maxlen=1000), 0, 0
    while written < size:
        if recent and number % EVERY == 0:
            chosen = chance.choice(recent)
        elif recent and number % EVERY == 1:
            chosen = chance.choice(recent)[:-1] + [chance.randrange(count)]
        else:
            chosen = chance.choices(range(count), k=SENTENCES_OF_TEXT)
            recent.append(chosen)
        number += 1
        written += of(chosen)


def write_records(out, seed, size, sentences):
    quoted = [json.dumps(s)[1:-1] for s in sentences]       # once, and not in each text
    texts(seed, size, len(quoted),
          lambda chosen: out.write(('{"text": "' + "\\n".join([quoted[s] for s in chosen]) + '"}\n').encode()))


def write_book(out, seed, size, sentences):
    texts(seed, size, len(sentences), lambda chosen: out.write(("\n".join([sentences[s] for s in chosen]) + "\n\n").encode()))


def write_pages(path, seed, size, sentences):
    quoted, page = [html.escape(s) for s in sentences], []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as pages:
        def end_page():
            number = len(pages.namelist())
            about = zipfile.ZipInfo(f"{number:06}.html", (1980, 1, 1, 0, 0, 0))
            about.compress_type = zipfile.ZIP_DEFLATED
            pages.writestr(about, f"<html><head><title>Page {number}</title></head><body>{''.join(page)}</body></html>")
            page.clear()

        def add(chosen):
            text = "<p>" + "</p><p>".join([quoted[s] for s in chosen]) + "</p>"
            page.append(text)
            if len(page) == TEXTS_OF_PAGE:
                end_page()
            return len(text)

        texts(seed, size, len(quoted), add)
        if page:
            end_page()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    size, path, sentences = float(sys.argv[1]) * 1e6, Path(sys.argv[2]), read_sentences()
    if path.suffix == ".jsonl":
        with path.open("wb") as out:
            write_records(out, 1, size, sentences)
        sys.exit()
    path.mkdir(parents=True, exist_ok=True)
    with (path / "records.jsonl").open("wb") as out:
        write_records(out, 1, size / 2, sentences)
    with gzip.GzipFile(path / "packed.jsonl.gz", "wb", compresslevel=1, mtime=0) as out:
        write_records(out, 2, size / 4, sentences)
    with (path / "book.txt").open("wb") as out:
        write_book(out, 3, size / 5, sentences)
    write_pages(path / "pages.zip", 4, size / 20, sentences)
