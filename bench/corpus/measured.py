"""A corpus build in a process of its own, and what it takes: the other scripts of this folder use it."""
import os, re, resource, shutil, subprocess, time
from pathlib import Path

ELASTIC = os.environ.get("ELASTIC") or Path(__file__).resolve().parents[2] / "src/Host/bin/Release/net10.0/elastic.dll"


def build(sources, stages, data):
    """Builds the corpus of some sources (HOCON) and deletes the data directory `data` that was there before.

    Returns the exit code, seconds of processor time, and MiB at most: "all" of the resident set as the kernel counts it (VmHWM), and
    "own" pages and those of "files", which are looked at ten times a second. TRACE=1 prints what that was.
    """
    shutil.rmtree(data, ignore_errors=True)
    manifest = Path(f"{data}.conf")
    manifest.write_text(f"sources = [\n{sources}\n]\nstages = [ {', '.join(f'{{ stage = {s} }}' for s in stages)} ]\n")
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with open(f"{data}.log", "w") as log:
        process = subprocess.Popen(
            ["dotnet", ELASTIC, "corpus", "build", "--manifest", manifest, "--data-dir", data], stdout=log, stderr=log)
    most = dict.fromkeys(["VmHWM", "RssAnon", "RssFile"], 0)
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            continue
        now = {name: int(kib) / 1024 for name, kib in re.findall(r"(VmHWM|RssAnon|RssFile):\s+(\d+)", status)}
        most = {name: max(value, now.get(name, 0)) for name, value in most.items()}
        if os.environ.get("TRACE"):
            print(f"{time.monotonic() - began:.1f}", *(f"{value:.0f}" for value in now.values()), flush=True)
        time.sleep(0.1)
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = spent.ru_utime + spent.ru_stime - before.ru_utime - before.ru_stime
    return process.returncode, seconds, {"all": most["VmHWM"], "own": most["RssAnon"], "files": most["RssFile"]}
