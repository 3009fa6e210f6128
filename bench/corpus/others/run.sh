#!/bin/bash
# Reads what other programs write, and has them read what Elastic writes: Parquet and Arrow by arrow-rs and Apache Arrow, a crawl by wget,
# zstd with a long window and in several frames, gzip in members, bzip2, xz, and a download from nginx that is broken off by kill -9. See
# ../README.md.
#
#   bench/corpus/others/run.sh FOLDER        FOLDER takes the packages, the files and the data directory
set -euo pipefail

if [ $# -ne 1 ]; then
    echo "usage: $0 FOLDER" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
elastic="$here/../../../src/Host/bin/Release/net10.0/elastic.dll"
[ -f "$elastic" ] || { echo "build it first: dotnet build -c Release src/Host" >&2; exit 1; }
mkdir -p "$1" && cd "$1"
web_port=18765 nginx_port=18766
servers=()
trap 'for server in "${servers[@]}"; do kill "$server" || true; done' EXIT

# 1. Fetch, without installing anything on the machine.
[ -d node_modules ] || npm install --silent --no-save parquet-wasm@0.8.0 apache-arrow@21.2.0
if [ ! -d root ]; then
    apt-get download nginx nginx-common
    for package in *.deb; do dpkg -x "$package" root; done
fi

# 2. Parquet and Arrow.
rm -rf tables data && node "$here/tables.mjs" write tables

# 3. Lines, packed in all ways. 9 MB that come twice: zstd's usual window of 8 MiB would not reach back to the first time.
python3 - <<'PY'
import json, random
draw = random.Random(14)
block = [json.dumps({"text": f"line {i} " + " ".join(str(draw.random()) for _ in range(200))}) for i in range(2300)]
with open("lines.jsonl", "w") as file:
    for line in block + block:
        file.write(line + "\n")
PY
zstd -qc --long=27 < lines.jsonl > long.jsonl.zst
head -n 600 lines.jsonl > few.jsonl && head -n 200 few.jsonl > head && tail -n +201 few.jsonl > tail
{ zstd -qc head; zstd -qc -9 tail; } > frames.jsonl.zst
{ gzip -c head; gzip -9c tail; } > members.jsonl.gz
bzip2 -kc few.jsonl > few.jsonl.bz2
xz -0kc few.jsonl > few.jsonl.xz

# 4. A crawl, one without compression, and one of pages that were stored before. 404s make wget end with 8.
setpriv --pdeathsig KILL python3 "$here/server.py" $web_port & servers+=($!)
for _ in $(seq 50); do wget -q -O /dev/null http://127.0.0.1:$web_port/ && break; sleep 0.1; done
crawl() { rm -rf pages; wget -q -r -l 2 -P pages "$@" http://127.0.0.1:$web_port/ || [ $? -eq 8 ]; }
crawl --compression=gzip --warc-cdx --warc-file=crawl
crawl --no-warc-compression --warc-file=plain
crawl --compression=gzip --warc-dedup=crawl.cdx --warc-file=again

# 5. nginx, which gives the lines slowly.
mkdir -p nginx www && cp lines.jsonl www/
cat > nginx.conf <<CONF
daemon off; pid nginx/pid; error_log nginx/error.log;
events {}
http {
    access_log nginx/access.log;
    client_body_temp_path nginx/a; proxy_temp_path nginx/b; fastcgi_temp_path nginx/c; uwsgi_temp_path nginx/d; scgi_temp_path nginx/e;
    server { listen 127.0.0.1:$nginx_port; root $PWD/www; limit_rate 4m; }
}
CONF
rm -f nginx/access.log
setpriv --pdeathsig TERM root/usr/sbin/nginx -p "$PWD" -c "$PWD/nginx.conf" -e nginx/error.log & servers+=($!)

# 6. Build; the first attempt is killed in the middle of the download.
cat > manifest.conf <<CONF
sources = [
  { name = web, paths = ["http://127.0.0.1:$nginx_port/lines.jsonl"] }
  { name = tables, paths = [tables], exclude = ["*.json"] }
  { name = lines, paths = [frames.jsonl.zst, long.jsonl.zst, members.jsonl.gz, few.jsonl.bz2, few.jsonl.xz] }
  { name = crawl, paths = [crawl.warc.gz, plain.warc, again.warc.gz] }
]
CONF
setpriv --pdeathsig KILL dotnet "$elastic" corpus build --manifest manifest.conf --data-dir data > first.log 2>&1 & first=$!
for _ in $(seq 600); do [ "$(cat data/downloads/*/*.part 2>/dev/null | wc -c)" -gt 3000000 ] && break; sleep 0.05; done
kill -9 $first && wait $first || true
dotnet "$elastic" corpus build --manifest manifest.conf --data-dir data

# 7. Compare.
echo "nginx was asked for:"; awk '{ print "  " $6, $7, "answered", $9, $10, "bytes" }' nginx/access.log
node "$here/tables.mjs" read data/corpora/*/documents-*.parquet > metadata.jsonl
rm -rf export && dotnet "$elastic" corpus export --data-dir data --out export
for table in export/train-*.parquet; do node "$here/tables.mjs" read "$table"; done > exported.jsonl
python3 "$here/check.py" data/texts/*/ metadata.jsonl exported.jsonl
