#!/bin/bash
# Trains the preset "tiny" on the corpus of build.sh and says the bits per byte of each source and language on documents that were kept from
# training. See README.md.
#
#   bench/corpus/train.sh FOLDER [ROUNDS]       FOLDER as build.sh has left it; 40 rounds of 20 steps by default
set -euo pipefail

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    echo "usage: $0 FOLDER [ROUNDS]" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")/../.." && pwd)
elastic="${ELASTIC:-$here/src/Host/bin/Release/net10.0/elastic.dll}"
cd "$1"
text=$(ls -d data/texts/*/ 2>/dev/null) || { echo "build it first: bench/corpus/build.sh $1" >&2; exit 1; }

TIMEFORMAT='training: %R s, %U s of processor time'
time dotnet "$elastic" train --plain --run bench --corpus "${text}text" --set "corpus.validation=[${text}validation]" \
    --set "run.rounds=${2:-40}" --data-dir data
TIMEFORMAT='evaluation: %R s, %U s of processor time'
time dotnet "$elastic" eval --run bench --data "${text}test" --data-dir data | tee scores.txt
