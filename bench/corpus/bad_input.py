#!/usr/bin/env python3
"""Builds a corpus of each of some files that were made to fill memory, beside a small good one, and says what that took and what became of it.

  bench/corpus/bad_input.py FOLDER [MEGABYTES]        MEGABYTES of the single line, 500 by default

FOLDER takes the files, 500 MB, and the data directories.
"""
import bz2, gzip, re, shutil, sys, zipfile
from pathlib import Path

from measured import build

if len(sys.argv) not in (2, 3):
    sys.exit(__doc__)
folder = Path(sys.argv[1]).resolve()
folder.mkdir(parents=True, exist_ok=True)
megabytes = int(sys.argv[2]) if len(sys.argv) > 2 else 500


def single_line(path):
    with path.open("wb") as out:
        number = 0
        while out.tell() < megabytes * 1e6:
            out.write(b"".join(b"word%d " % (number * 7919 % 99991 + i) for i in range(10_000)))
            number += 1


def zstd_bomb(path):
    """4 GiB of the letter a in 131 KB: blocks of a byte that is repeated (RFC 8878, section 3.1.1.2)."""
    with path.open("wb") as out:
        out.write(bytes([0x28, 0xB5, 0x2F, 0xFD, 0x00, 7 << 3]))                   # a window of 128 KiB
        for i in range(blocks := 1 << 15):
            out.write(((1 << 17) << 3 | 1 << 1 | (i == blocks - 1)).to_bytes(3, "little") + b"a")


def zip_bomb(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed, packed.open("a.txt", "w", force_zip64=True) as member:
        for _ in range(1024):
            member.write(b"a" * (1 << 20))


def gzip_bomb(path):
    with gzip.open(path, "wb") as out:
        for _ in range(1024):
            out.write(b"a" * (1 << 20))


inputs = {
    "line.txt": single_line, "bomb.txt.zst": zstd_bomb, "bomb.jsonl.zst": zstd_bomb, "bomb.zip": zip_bomb, "bomb.txt.gz": gzip_bomb,
    "bomb.txt.bz2": lambda path: path.write_bytes(bz2.compress(b"a" * (1 << 30))),
    "deep.html": lambda path: path.write_text("<html><body>" + "<div>" * 100_000 + "deep" + "</div>" * 100_000 + "</body></html>"),
}
good = folder / "good.jsonl"
good.write_text("".join('{"text": "This record is a good one, number %d of ten."}\n' % i for i in range(10)))
print("| file | bytes | MiB at most | own | s of processor time | documents kept | rejects.txt |")
print("|---|---|---|---|---|---|---|")
for name, make in {"none": None, **inputs}.items():
    path, data = folder / name, folder / f"data-{name}"
    if make and not path.exists():
        make(path)
    bad = f'{{ name = bad, paths = ["{path}"], on-reject = continue }}' if make else ""
    code, seconds, most = build(f'{{ name = good, paths = ["{good}"] }}\n{bad}', ["clean"], data)
    rejects = [p.read_text().strip() for p in data.glob("texts/*/rejects.txt")]
    log = Path(f"{data}.log").read_text()
    kept = re.search(r'"kept":(\[.*?\])', "".join(p.read_text() for p in data.glob("texts/*/build.json")))
    documents = sum(int(n) for n in re.findall(r'"documents":(\d+)', kept[1])) if kept else 0
    print(f"| {name} | {path.stat().st_size if make else 0:,} | {most['all']:.0f} | {most['own']:.0f} | {seconds:.1f} | {documents:,} "
        f"| {(rejects or ([] if code == 0 else [log.strip().splitlines()[-1]]) or [''])[0].replace(str(folder) + '/', '')} |", flush=True)
    shutil.rmtree(data, ignore_errors=True)
