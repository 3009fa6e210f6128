#!/usr/bin/env python3
"""Builds a corpus of each of some sizes, says how much memory that took at most, and whether the largest took more than the smallest.

  bench/corpus/memory.py FOLDER MEGABYTES... [-- STAGE...]       stages by default: clean exact-duplicates near-duplicates

FOLDER takes the texts (texts.py), the data directories, and memory-MEGABYTES.csv: what was resident, twice a second. It ends with 1 where
the largest size took more than a tenth more than the smallest one.
"""
import csv, os, shutil, subprocess, sys
from pathlib import Path

from measured import build

ALLOWED = 1.1


class Samples:
    """What was resident over time, and what the log said then that was done."""

    def __init__(self, path, log):
        self.out, self.log, self.next, self.phases = path.open("w", newline=""), log, 0, {}
        self.table = csv.writer(self.out)
        self.table.writerow(["seconds", "phase", "resident MiB", "own", "files", "most so far"])

    def look(self, seconds, now):
        if seconds < self.next:
            return
        self.next = seconds + 0.5
        phase = self.phase()
        self.phases[phase] = max(self.phases.get(phase, 0), now["VmRSS"])
        self.table.writerow([f"{seconds:.1f}", phase, *(f"{now[name]:.0f}" for name in ("VmRSS", "RssAnon", "RssFile", "VmHWM"))])
        self.out.flush()

    # The last line that the command wrote begins with it.
    def phase(self):
        try:
            with open(self.log, "rb") as log:
                log.seek(max(0, os.path.getsize(self.log) - 1000))
                lines = log.read().decode(errors="replace").splitlines()
        except OSError:
            lines = []
        words = lines[-1].split(": ") if lines else ["starts"]
        return ": ".join(words[:2]) if words[0] == "decides" else words[0].split("   ")[0]


if __name__ == "__main__":
    arguments, stages = sys.argv[1:], ["clean", "exact-duplicates", "near-duplicates"]
    if "--" in arguments:
        at = arguments.index("--")
        arguments, stages = arguments[:at], arguments[at + 1:]
    if len(arguments) < 2:
        sys.exit(__doc__)
    folder = Path(arguments[0]).resolve()
    folder.mkdir(parents=True, exist_ok=True)

    took = {}
    for size in arguments[1:]:
        texts, data = folder / f"texts-{size}", folder / f"data-{size}"
        if not texts.exists():
            shutil.rmtree(f"{texts}.part", ignore_errors=True)
            subprocess.run([Path(__file__).resolve().parent / "texts.py", size, f"{texts}.part"], check=True)
            os.rename(f"{texts}.part", texts)
        samples = Samples(folder / f"memory-{size}.csv", f"{data}.log")
        code, seconds, most = build(f'{{ name = texts, paths = ["{texts}"] }}', stages, data, samples.look)
        if code != 0:
            sys.exit(f"the build of {size} MB failed with {code}: {data}.log")
        took[float(size)] = most["all"]
        print(f"{size} MB: {most['all']:.0f} MiB at most (own {most['own']:.0f}, files {most['files']:.0f}), "
              f"{seconds:.0f} s of processor time, load {os.getloadavg()[0]:.0f}")
        print("   ", ", ".join(f"{phase} {value:.0f}" for phase, value in samples.phases.items()), flush=True)
        shutil.rmtree(data)
    least, largest = min(took), max(took)
    print(f"{largest:.0f} MB took {took[largest] / took[least]:.2f} times what {least:.0f} MB took, and {ALLOWED} times are allowed")
    sys.exit(took[largest] > ALLOWED * took[least])
