#!/bin/bash
# Trains the preset "tiny" on the corpus of build.sh and says the bits per byte of each source and language on documents that were kept from
# training, before and after, and what training and scoring took. See README.md.
#
#   bench/corpus/train.sh FOLDER [ROUNDS]       FOLDER as build.sh has left it; 40 rounds of 20 steps by default
set -euo pipefail

if [ $# -lt 1 ] || [ $# -gt 2 ] || [[ ! "${2:-40}" =~ ^[1-9][0-9]*$ ]]; then
    echo "usage: $0 FOLDER [ROUNDS]" >&2
    exit 2
fi
source_folder=$(cd "$(dirname "$0")" && pwd)
elastic="${ELASTIC:-$source_folder/../../src/Host/bin/Release/net10.0/elastic.dll}"
cd "$1"
text=$(ls -d data/texts/*/ 2>/dev/null) || { echo "build it first: bench/corpus/build.sh $1" >&2; exit 1; }

# A run of its own each time: one that is there would only go on.
run="bench-$(date +%s)"
train() {                                       # WHAT RUN SETTING…
    "$source_folder/measured.py" "$1" dotnet "$elastic" train --plain --run "$2" --corpus "${text}text" \
        --set "corpus.validation=[${text}validation]" "${@:3}" --data-dir data
}
score() {                                       # WHAT RUN
    "$source_folder/measured.py" "$1" dotnet "$elastic" eval --run "$2" --data "${text}test" --data-dir data --json > "$1.json"
}

# The same first parameters: one step at a rate that is too small to change any of them but the zeros, and these by next to nothing.
train beginning "$run-0" --set run.rounds=1 --set run.inner-steps=1 --set optimizer.learning-rate=1e-30
score before "$run-0"
train training "$run" --set "run.rounds=${2:-40}"
score after "$run"
python3 - <<'PY' | tee scores.txt
import json
before, after = (json.load(open(f"{part}.json")) for part in ("before", "after"))
print("| bits per byte of | bytes | before | after |")
print("|---|---|---|---|")
for kind in ("sources", "languages"):
    for name, sum in sorted((after[kind] or {}).items(), key=lambda of: -of[1]["bytes"]):
        print(f"| {name} | {sum['bytes']:,} | {before[kind][name]['bitsPerByte']:.3f} | {sum['bitsPerByte']:.3f} |")
print(f"| all | {after['all']['bytes']:,} | {before['all']['bitsPerByte']:.3f} | {after['all']['bitsPerByte']:.3f} |")
PY
for part in training after; do
    read -r wall seconds most < $part
    echo "${part/after/scoring}: $wall s, $seconds s of processor time, $most MiB at most"
done
