#!/usr/bin/env python3
"""What a program takes, in a process of its own: the other scripts of this folder use it.

  bench/corpus/measured.py FILE COMMAND...      FILE takes a line: seconds, seconds of processor time, MiB at most
"""
import ctypes, os, re, resource, shutil, signal, subprocess, sys, time
from pathlib import Path

ELASTIC = os.environ.get("ELASTIC") or Path(__file__).resolve().parents[2] / "src/Host/bin/Release/net10.0/elastic.dll"


def end_with_parent():
    """Linux kills this process when the one that has started it ends, however that ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)                      # PR_SET_PDEATHSIG


def run(command, look=None, **streams):
    """Runs a command to its end.

    Returns the exit code, seconds, seconds of processor time, and MiB at most: "all" of the resident set as the kernel counts it (VmHWM),
    and "own" pages and those of "files", which are looked at ten times a second; look(seconds, MiB of each) is called each time.
    """
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    process = subprocess.Popen(command, preexec_fn=end_with_parent, **streams)
    most = dict.fromkeys(["VmHWM", "RssAnon", "RssFile"], 0)
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            continue
        now = {name: int(kib) / 1024 for name, kib in re.findall(r"(VmHWM|VmRSS|RssAnon|RssFile):\s+(\d+)", status)}
        most = {name: max(value, now.get(name, 0)) for name, value in most.items()}
        if look and now:
            look(time.monotonic() - began, now)
        time.sleep(0.1)
    spent, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - began
    seconds = spent.ru_utime + spent.ru_stime - before.ru_utime - before.ru_stime
    return process.returncode, wall, seconds, {"all": most["VmHWM"], "own": most["RssAnon"], "files": most["RssFile"]}


def build(sources, stages, data, look=None):
    """Builds the corpus of some sources (HOCON) and deletes the data directory `data` that was there before.

    Returns the exit code, seconds of processor time, and MiB at most, as `run` does.
    """
    shutil.rmtree(data, ignore_errors=True)
    manifest = Path(f"{data}.conf")
    manifest.write_text(f"sources = [\n{sources}\n]\nstages = [ {', '.join(f'{{ stage = {s} }}' for s in stages)} ]\n")
    with open(f"{data}.log", "w") as log:
        code, _, seconds, most = run(
            ["dotnet", ELASTIC, "corpus", "build", "--manifest", manifest, "--data-dir", data], look, stdout=log, stderr=log)
    return code, seconds, most


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    end_with_parent()                                               # a shell script
    code, wall, seconds, most = run(sys.argv[2:])
    Path(sys.argv[1]).write_text(f"{wall:.1f} {seconds:.1f} {most['all']:.0f}\n")
    sys.exit(code)
