#!/bin/bash
# Trains the preset "tiny" on the corpus of build.sh and says the bits per byte of each source and language on documents that were kept from
# training, and what training and scoring took. See README.md.
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
"$source_folder/measured.py" training dotnet "$elastic" train --plain --run "$run" --corpus "${text}text" \
    --set "corpus.validation=[${text}validation]" --set "run.rounds=${2:-40}" --data-dir data
"$source_folder/measured.py" scoring dotnet "$elastic" eval --run "$run" --data "${text}test" --data-dir data | tee scores.txt
for part in training scoring; do
    read -r wall seconds most < $part
    echo "$part: $wall s, $seconds s of processor time, $most MiB at most"
done
