#!/usr/bin/env python3
"""How soon a build stops within one document: makes a document of 50 MB, builds it, and sends SIGTERM.

    bench/corpus/stop.py ELASTIC FOLDER SECONDS...      after so many seconds of processor time each; Linux
"""
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

from measured import end_with_parent

MOST = 50_000_000
STAGES = """stages = [ { stage = mojibake }, { stage = clean }, { stage = boilerplate-lines }, { stage = gopher-quality },
  { stage = gopher-repetition }, { stage = fineweb-quality }, { stage = mask-personal-data }, { stage = exact-duplicates },
  { stage = near-duplicates } ]"""


def document(path):
    chance = random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(chance.choice(letters) for _ in range(chance.randint(2, 9))) for _ in range(60_000)]
    lines, size = [], 0
    while size < MOST:
        lines.append(" ".join(chance.choice(words) for _ in range(chance.randint(5, 25))) + ".")
        size += len(lines[-1]) + 1
    with open(path, "w", encoding="ascii") as file:
        file.write(json.dumps({"text": "\n".join(lines)}) + "\n")


def processor_seconds(process):
    with open(f"/proc/{process}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stop(elastic, after):
    shutil.rmtree("data", ignore_errors=True)
    process = subprocess.Popen([elastic, "corpus", "build", "--manifest", "manifest.conf", "--data-dir", "data"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=end_with_parent)
    while process.poll() is None and processor_seconds(process.pid) < after:
        time.sleep(0.02)
    if process.poll() is not None:
        return f"{after:5.1f} s: it had ended, with {process.returncode}"
    began, used = time.time(), processor_seconds(process.pid)
    process.send_signal(signal.SIGTERM)
    _, status, use = os.wait4(process.pid, 0)
    return (f"{after:5.1f} s: exit {os.waitstatus_to_exitcode(status)} after {time.time() - began:.2f} s,"
            f" {use.ru_utime + use.ru_stime - used:.2f} s of processor time")


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    elastic = os.path.abspath(sys.argv[1])
    os.makedirs(sys.argv[2], exist_ok=True)
    os.chdir(sys.argv[2])
    if not os.path.exists("one.jsonl"):
        document("one.jsonl")
    with open("manifest.conf", "w", encoding="ascii") as file:
        file.write(f'sources = [ {{ name = one, paths = [one.jsonl], language = en }} ]\n{STAGES}\n')
    for after in sys.argv[3:]:
        print(stop(elastic, float(after)), flush=True)


main()
