#!/usr/bin/env bash
# Checks Elastic on a machine with an NVIDIA GPU and an installed PyTorch: doctor, the preset tiny twice (the fingerprints must be equal),
# then a few steps of GPT-2 124M for their speed. Where Python has Transformers, it opens an export of tiny and compares its logits. Fetches
# nothing; the text is made here. README.md beside this file says how to get here.
#
#   check.sh [--cpu] [--micro N] [--keep] [PUBLISHED]
#
#   PUBLISHED   the folder that "dotnet publish" wrote; default: the folder "elastic" beside this file.
#   --micro N   sequences per forward pass of GPT-2; 4 fits 16 GB, more is faster where there is more.
#   --keep      leave the data directory there, and say where it is.
#   --cpu       a rehearsal without a GPU, on cpu:2 and with small numbers. ELASTIC_LIBTORCH must name a libtorch 2.10.
#
# The build ships no libtorch: it was published with ELASTIC_LIBTORCH set, which leaves the package out. A CUDA libtorch weighs gigabytes, and
# the PyTorch that is here has one. Two copies in one process would abort it, so there is exactly one: the one that ELASTIC_LIBTORCH names.
set -euo pipefail

fail() { echo "check.sh: $*" >&2; exit 1; }
step() { printf '\n== %s\n' "$*"; }

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
published="$here/elastic" cpu=false keep=false micro=4
while [ $# -gt 0 ]; do
    case $1 in
        --cpu) cpu=true ;;
        --keep) keep=true ;;
        --micro) [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || fail "--micro needs a number, e.g. --micro 8"; micro=$2; shift ;;
        -h | --help) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 0 ;;
        -*) fail "$1 is no option here; see: $0 --help" ;;
        *) published=$1 ;;
    esac
    shift
done

elastic="$published/elastic"
[ -f "$elastic" ] || fail "there is no $elastic: name the folder that dotnet publish wrote, e.g. $0 ./elastic"
[ -x "$elastic" ] || chmod +x "$elastic"

# One value of a run's JSON, which is one line. sed, so that the rehearsal needs no python3.
number() { sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p"; }

if $cpu; then
    step "rehearsal without a GPU"
    devices=cpu:2 micro=1
    tiny=(--set run.rounds=2 --set run.inner-steps=5)
    gpt2=(--set model.context=64 --set batch.sequences=2 --set run.inner-steps=3 --set run.rounds=1 --set evaluation.sequences=1)
    [ -n "${ELASTIC_LIBTORCH:-}" ] || fail "set ELASTIC_LIBTORCH to the folder of a libtorch_cpu.so 2.10 for the rehearsal"
else
    step "GPU and PyTorch"
    devices=cuda:0
    tiny=(--set run.rounds=5)
    gpt2=(--set "batch.sequences=$((8 * micro))" --set run.inner-steps=15 --set run.rounds=2 --set evaluation.sequences=8)
    command -v nvidia-smi > /dev/null || fail "nvidia-smi is not here: this machine has no NVIDIA driver; $0 --cpu rehearses without one"
    nvidia-smi --query-gpu=index,name,memory.total,driver_version --format=csv,noheader \
        || fail "nvidia-smi sees no GPU: is one given to this machine or container (docker run --gpus all)?"
    command -v python3 > /dev/null || fail "python3 is not here: it is needed to find the installed PyTorch"
    found=$(python3 -c 'import os, torch
print(torch.__version__, torch.cuda.is_available(), os.path.join(os.path.dirname(torch.__file__), "lib"))') \
        || fail "python3 cannot import torch (see above): install PyTorch 2.10 for CUDA, or activate the environment that has it"
    read -r version available folder <<< "$found"
    echo "PyTorch $version in $folder"
    case $version in
        2.10* | 2.11*) ;;
        *) echo "note: Elastic is built for libtorch 2.10; doctor will say whether $version has everything it needs" ;;
    esac
    [ "$available" = True ] || fail "this PyTorch ($version) cannot use the GPU: install a CUDA build of it that fits the driver"
    [ -f "$folder/libtorch_cuda.so" ] || fail "$folder has no libtorch_cuda.so: this PyTorch was built without CUDA"
    export ELASTIC_LIBTORCH=$folder
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/elastic-check-XXXXXX")
if $keep; then trap 'echo "data: $work"' EXIT; else trap 'rm -rf "$work"' EXIT; fi
export ELASTIC_DATA_DIR="$work/data"

step "elastic doctor"
# A machine without the .NET SDK has no default text, which is no matter here; so look at the lines, not at the exit code.
"$elastic" doctor | tee "$work/doctor" || true
grep -q '^ok  *libtorch' "$work/doctor" || fail "libtorch does not load: see the line above"
$cpu || grep -q '^ok  *devices .* CUDA device' "$work/doctor" || fail "libtorch loads, but offers no CUDA device: see the lines above"

# Two megabytes of sentences that mean nothing, the same everywhere: awk's own generators of chance differ, so this is one of arithmetic.
mkdir -p "$work/text"
awk -v folder="$work/text" 'BEGIN {
    words = split("the a of to and model round token block node device shard reads writes sums counts every first last tree journal seed stops goes on", w, " ")
    state = 42
    for (file = 0; file < 200; file++) {
        name = sprintf("%s/%03d.txt", folder, file)
        for (i = 0; i < 2000; i++) {
            state = (state * 16807 + 12345) % 2147483647
            printf "%s%s", w[1 + int(state / 7) % words], (i % 12 == 11 ? ".\n" : " ") > name
        }
        close(name)
    }
}'

# One run to its end; prints its JSON on standard output, its progress on standard error.
train() { "$elastic" train --json --corpus "$work/text" --devices "$devices" --set evaluation.every-rounds=1000 --set checkpoint.every-rounds=1000 "$@"; }

step "tiny, twice, on $devices"
first=$(train --run first "${tiny[@]}") || fail "the run \"first\" failed: see above"
second=$(train --run second "${tiny[@]}") || fail "the run \"second\" failed: see above"
one=$(number fingerprint <<< "$first") two=$(number fingerprint <<< "$second")
echo "first    $one"
echo "second   $two"
[[ -n $one && $one = "$two" ]] || fail "the two fingerprints differ: the same run gave other weights on this device"
"$elastic" corpus audit --run second

step "an export of tiny, opened by Transformers"
if python3 -c 'import torch, transformers; print("transformers", transformers.__version__)'; then
    # Beginnings of one sentence; only the whole one has characters of several bytes, which bash may cut. Shorter than the context of tiny.
    mkdir -p "$work/probes"
    sentence='the model reads a shard, and every node writes it down: naïve café, 12 of 3 (x += 1)'
    for length in 1 2 3 5 8 12 17 23 30 40 ${#sentence}; do printf '%s' "${sentence:0:$length}" > "$work/probes/$length.txt"; done
    "$elastic" export --run first --out "$work/export"
    "$elastic" eval --run first --data "$work"/probes/*.txt --json > "$work/scores"
    python3 "$here/compare_logits.py" "$work/export" "$work/scores" "$work"/probes/*.txt || fail "Transformers computes other logits: see above"
else
    echo "passed over: python3 has no transformers (see above); pip install transformers, and run this again"
fi

step "GPT-2 124M on $devices, micro-batches of $micro"
large=$(train --config gpt2-124m --run speed --set "batch.micro=$micro" "${gpt2[@]}") \
    || fail "GPT-2 failed: see above; where the memory of the GPU did not suffice, take a smaller --micro"
echo "steps            $(number steps <<< "$large")"
echo "train loss       $(number trainLoss <<< "$large")"
# Over the last 15 seconds of steps, the first step (which sets up the libraries of the GPU) not among them where there were fewer.
echo "tokens/second    $(number tokensPerSecond <<< "$large")"

step "all is well"
echo "tiny         $one"
echo "gpt2-124m    $(number fingerprint <<< "$large")   $(number tokensPerSecond <<< "$large") tokens/s"
