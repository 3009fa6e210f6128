#!/usr/bin/env bash
# Checks Elastic on a machine with an NVIDIA GPU and an installed PyTorch, row by row: doctor, which compiles our kernels and compares their
# bits with the CPU's, and computes attention twenty times in each of its ways and compares their bits; the products of a step, with TFLOP/s
# and the algorithm of each shape; a few steps of GPT-2 124M for their speed, and one of them kernel by kernel; the preset tiny twice (the
# fingerprints must be equal), on the CPU and in bf16 (the losses must be near), with all GPUs where there are several, and on 1 to 4 logical
# devices of one GPU (again equal); llama-tiny twice in bf16 and in fp16 (equal); two processes that exchange through NCCL on one GPU, and two
# of which one is killed; an export of tiny, whose logits Transformers computes, too, where Python has it; and PyTorch's speed beside ours.
# A row that fails leaves the others running; the last lines are a table of all, also where the script is ended by a signal. Fetches nothing;
# the text is made here. README.md beside this file says how to get here.
#
#   check.sh [--cpu] [--only WORDS] [--within SECONDS] [--micro N] [--keep] [PUBLISHED]
#
#   PUBLISHED   the folder that "dotnet publish" wrote; default: the folder "elastic" beside this file.
#   --within S  seconds that all of it may take; default: 540, and 3600 with --cpu. Rows that this cuts short, and those for which no time is
#               left, are passed over; the most important come first.
#   --only W    only rows whose names have these words in them, e.g. --only "tiny on"; may be given several times.
#   --micro N   sequences per forward pass of GPT-2 in bf16, and of PyTorch's; default: 32 with 70 GB or more, 16 with 35, else 4. In fp32,
#               where attention holds all pairs of tokens, at most 4.
#   --keep      leave the data directory there, and say where it is.
#   --cpu       a rehearsal without a GPU, on cpu:2 and with small numbers. ELASTIC_LIBTORCH must name a libtorch 2.10.
#
# The build ships no libtorch: it was published with ELASTIC_LIBTORCH set, which leaves the package out. A CUDA libtorch weighs gigabytes, and
# the PyTorch that is here has one. Two copies in one process would abort it, so there is exactly one: the one that ELASTIC_LIBTORCH names.
set -euo pipefail

fail() { echo "check.sh: $*" >&2; exit 1; }
step() { printf '\n== %s\n' "$*"; }

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
published="$here/elastic" cpu=false keep=false micro= within= only=()
while [ $# -gt 0 ]; do
    case $1 in
        --cpu) cpu=true ;;
        --keep) keep=true ;;
        --micro) [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || fail "--micro needs a number, e.g. --micro 8"; micro=$2; shift ;;
        --within) [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || fail "--within needs seconds, e.g. --within 540"; within=$2; shift ;;
        --only) [ -n "${2:-}" ] || fail "--only needs words of a row's name, e.g. --only NCCL"; only+=("$2"); shift ;;
        -h | --help) sed -n '2,20s/^# \{0,1\}//p' "$0"; exit 0 ;;
        -*) fail "$1 is no option here; see: $0 --help" ;;
        *) published=$1 ;;
    esac
    shift
done
# Rows of the rehearsal may take 20 minutes.
[ -n "$within" ] || { if $cpu; then within=3600; else within=540; fi; }

elastic="$published/elastic"
[ -f "$elastic" ] || fail "there is no $elastic: name the folder that dotnet publish wrote, e.g. $0 ./elastic"
[ -x "$elastic" ] || chmod +x "$elastic"

# One value of a run's JSON, which is one line. sed, so that the rehearsal needs no python3.
number() { sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p"; }

# What is no row has a deadline, too: a driver that hangs, hangs whoever asks it. In the foreground, so that Ctrl-C reaches the program.
within_seconds() { timeout --foreground --kill-after=5 "$@"; }

if $cpu; then
    step "rehearsal without a GPU"
    devices=cpu:2 all=cpu:3 micro=1
    tiny=(--set run.rounds=2 --set run.inner-steps=5)
    limit=1200
    gpt2=(--set model.context=64 --set run.inner-steps=2 --set run.rounds=2 --set evaluation.sequences=1)
    # The other arithmetic that is here: libtorch's operators.
    other=torch:2
    [ -n "${ELASTIC_LIBTORCH:-}" ] || fail "set ELASTIC_LIBTORCH to the folder of a libtorch_cpu.so 2.10 for the rehearsal"
else
    step "GPU and PyTorch"
    devices=cuda:0
    tiny=(--set run.rounds=5)
    # Most rows take seconds, and what hangs must not take the others' time.
    limit=240
    cores=$(nproc)
    other=cpu:$((cores < 16 ? cores : 16))
    gpt2=(--set run.inner-steps=15 --set run.rounds=2 --set evaluation.sequences=8)
    command -v nvidia-smi > /dev/null || fail "nvidia-smi is not here: this machine has no NVIDIA driver; $0 --cpu rehearses without one"
    within_seconds 60 nvidia-smi --query-gpu=index,name,memory.total,driver_version --format=csv,noheader \
        || fail "nvidia-smi sees no GPU, or does not answer in 60 s: is one given to this machine or container (docker run --gpus all)?"
    command -v python3 > /dev/null || fail "python3 is not here: it is needed to find the installed PyTorch"
    # How many GPUs it sees, and the memory of the first: CUDA_VISIBLE_DEVICES hides some, and nvidia-smi shows all.
    found=$(within_seconds 120 python3 -c 'import os, torch
count = torch.cuda.device_count() if torch.cuda.is_available() else 0
mebibytes = torch.cuda.get_device_properties(0).total_memory >> 20 if count else 0
print(torch.__version__, count, mebibytes, os.path.join(os.path.dirname(torch.__file__), "lib"))') \
        || fail "python3 cannot import torch (see above), or not in 120 s: install PyTorch 2.10 for CUDA, or activate the environment that has it"
    read -r version count mebibytes folder <<< "$found"
    echo "PyTorch $version in $folder"
    case $version in
        2.10* | 2.11*) ;;
        *) echo "note: Elastic is built for libtorch 2.10; doctor will say whether $version has everything it needs" ;;
    esac
    [ "$count" -gt 0 ] || fail "this PyTorch ($version) cannot use a GPU: install a CUDA build of it that fits the driver; see CUDA_VISIBLE_DEVICES, too"
    [ -f "$folder/libtorch_cuda.so" ] || fail "$folder has no libtorch_cuda.so: this PyTorch was built without CUDA"
    export ELASTIC_LIBTORCH=$folder
    # E.g. cuda:0,1,2,3.
    all=cuda:$(seq -s, 0 $((count - 1)))
    if [ -z "$micro" ]; then
        [ "$mebibytes" -ge 35000 ] && micro=16 || micro=4
        [ "$mebibytes" -lt 70000 ] || micro=32
    fi
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/elastic-check-XXXXXX")
export ELASTIC_DATA_DIR="$work/data"

rows=0 failed=0 over=0 late=0 job= watch=
: > "$work/table"

# Ends all processes of a group, and waits until they are gone (those that nobody reaps stay in sight, so not for ever): one that still writes
# would bring back the folder that is removed.
end() {
    local tries
    kill -KILL -- "-$1" 2> /dev/null || return 0
    wait "$1" 2> /dev/null || true
    for ((tries = 0; tries < 50; tries++)); do
        kill -0 -- "-$1" 2> /dev/null || return 0
        sleep 0.1
    done
}

stop_watching() {
    kill -KILL -- "-$watch" 2> /dev/null
    wait "$watch" 2> /dev/null
}

# However the script ends: the table of the rows that were done.
finish() {
    local ended=$?
    # PIPE, too: where Ctrl-C has ended the tee that this writes to, the folder is to be removed all the same.
    trap '' INT TERM HUP PIPE
    set +e
    [ -z "$watch" ] || stop_watching
    if [ -n "$job" ]; then
        end "$job"
        printf '%-7s %-34s\n' ended "$name" >> "$work/table"
    fi
    step "$((rows - failed)) of $rows rows are well, $failed failed, $over passed over, in $SECONDS s"
    cat "$work/table"
    if $keep; then echo "data: $work"; else rm -rf "$work"; fi
    exit "$ended"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# verdict, name, seconds, and what there is to say.
line() { printf '%-7s %-34s %4d s  %s\n' "$@" >> "$work/table"; }

# Whether a row was asked for.
wanted() {
    local words
    [ "${#only[@]}" != 0 ] || return 0
    for words in "${only[@]}"; do [[ $1 != *"$words"* ]] || return 0; done
    return 1
}

pass_over() {
    wanted "$1" || return 0
    step "$1: passed over: $2"
    over=$((over + 1))
    line over "$1" 0 "$2"
}

# Runs one row: what it writes last to $work/result is its line of the table. A failure is the row's own, and so is a hang. What another
# program does ("row --peer") is no failure of Elastic's.
row() {
    local counts=true began=$SECONDS verdict=ok left cut=true
    if [ "$1" = --peer ]; then counts=false; shift; fi
    name=$1
    shift
    wanted "$name" || return 0
    left=$((within - SECONDS))
    if [ "$left" -le 0 ]; then
        ! $counts || late=$((late + 1))
        pass_over "$name" "no time left of $within s (--within)"
        return
    fi
    [ "$left" -lt "$limit" ] || { left=$limit cut=false; }
    step "$name"
    rm -f "$work/result"
    # Not within a condition: bash would ignore errors inside.
    set +e
    # A group of processes of its own, all of which end when its time is over, or when nobody is left who could end them; so has the watcher.
    set -m
    (
        set -e
        "$@"
    ) < /dev/null &
    job=$!
    (
        while kill -0 "$$" 2> /dev/null && [ "$((SECONDS - began))" -lt "$left" ]; do sleep 1; done
        [ "$((SECONDS - began))" -lt "$left" ] || printf 'not done after %s s' "$left" > "$work/result"
        kill -KILL -- "-$job"
        # The script was killed in a way that it could not see.
        kill -0 "$$" 2> /dev/null || $keep || { sleep 1; rm -rf "$work"; }
    ) > /dev/null 2>&1 < /dev/null &
    watch=$!
    set +m
    wait "$job"
    [ $? = 0 ] || verdict=FAILED
    # It might have done well with its own limit.
    ! $cut || [ "$verdict" = ok ] || [ "$((SECONDS - began))" -lt "$left" ] || verdict=over
    stop_watching
    # What a row leaves running would take the next one's time.
    end "$job"
    job= watch=
    set -e
    if [ "$verdict" = over ]; then
        over=$((over + 1))
        ! $counts || late=$((late + 1))
    elif $counts || [ "$verdict" = ok ]; then
        rows=$((rows + 1))
        [ "$verdict" = ok ] || failed=$((failed + 1))
    else
        verdict=absent over=$((over + 1))
    fi
    line "$verdict" "$name" "$((SECONDS - began))" "$(cat "$work/result" 2> /dev/null || true)"
}
result() { printf '%s' "$*" | tee "$work/result"; echo; }
wrong() { result "$*"; return 1; }

# near A B SHARE: true where A and B are numbers that differ by no more than this share of B.
near() { awk -v a="$1" -v b="$2" -v share="$3" 'BEGIN { exit !(a + 0 > 0 && b + 0 > 0 && (a - b) ^ 2 <= (share * b) ^ 2) }'; }

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

# One run to its end; writes its JSON to $work/RUN.json, its progress to standard error.
train() {
    local run=$1
    shift
    "$elastic" train --json --corpus "$work/text" --run "$run" --set evaluation.every-rounds=1000 --set checkpoint.every-rounds=1000 "$@" > "$work/$run.json"
}
of() { number "$2" < "$work/$1.json"; }

doctor() {
    # A machine without the .NET SDK has no default text, which is no matter here; so look at the lines, not at the exit code.
    "$elastic" doctor | tee "$work/doctor" || true
    if $cpu; then
        grep -q '^ok  *torch' "$work/doctor" || wrong "libtorch does not load"
        result "libtorch loads"
        return
    fi
    grep -q '^ok  *cuda' "$work/doctor" || wrong "libtorch does not load"
    ! grep -q 'no CUDA' "$work/doctor" || wrong "libtorch loads, but offers no CUDA device"
    # "kernels HASH on GPU 0: 185 of 185 give the CPU's bits", or why libtorch's plain operators compute all.
    local kernels
    kernels=$(grep -oE "kernels [0-9a-f]+ on GPU [0-9]+: [0-9]+ of [0-9]+ give the CPU's bits[^;]*|libtorch's plain operators compute all on GPU [^;]*|products by cublasLt [^;]*|products on GPU [^;]*|GPU [0-9]+ cannot be had now[^;]*" "$work/doctor" | sort -u) \
        || wrong "doctor says nothing of kernels: $(grep -E '^ok +cuda' "$work/doctor" | tail -n 1)"
    ! grep -q "(not \|libtorch's plain operators\|products on GPU\|cannot be had now" <<< "$kernels" || wrong "$kernels"
    result "${kernels//$'\n'/; }"
}

# Doctor has run them: of each GPU "attention on GPU 0 by FlashAttention-2: 20 of 20 results the same, 0.41 ms, within 0.0021 of plain
# operators: 20 of 20 results the same, 1.93 ms", or why plain operators compute it. Then PyTorch's ways beside them.
attention() {
    local ours
    [ -s "$work/doctor" ] || doctor
    ours=$(grep -oE 'attention on GPU [0-9]+[^;]*' "$work/doctor") || wrong "doctor says nothing of attention"
    echo "$ours"
    ! grep -qE 'WRONG|not measured' <<< "$ours" || wrong "$ours"
    [ -z "$(grep -oE '[0-9]+ of 20 results' <<< "$ours" | grep -v '^20 of 20')" ] || wrong "$ours"
    # An older GPU has none; another reason is a fault.
    ! grep 'by plain operators (' <<< "$ours" | grep -qv 'needs compute capability' || wrong "$ours"
    # Of one sequence, as doctor's.
    python3 "$here/peer_attention.py" --micro 1 | tee "$work/peer-attention" || true
    result "${ours//$'\n'/; }; $(tail -n 1 "$work/peer-attention")"
}

# Of each shape a line, of all of them the slowest and the fastest, and the algorithms.
products() {
    local ended=0
    "$elastic" products --device "$devices" --rows "$((1024 * (micro < 64 ? micro : 64)))" > "$work/products" || ended=$?
    cat "$work/products"
    [ "$ended" = 0 ] || wrong "$(tail -n 1 "$work/products")"
    ! grep -q "; libtorch's product$" "$work/products" || wrong "cublasLt does not compute all of them: see above"
    result "$(awk '
        function range(low, high) { return sprintf("%.0f to %.0f", low, high) }
        / TFLOP\/s, / {
            for (i = 2; i < NF; i++) if ($i == "TFLOP/s,") { ours = $(i - 1) + 0; theirs = $(i + 2) + 0 }
            if (!count || ours < low) low = ours
            if (!count || ours > high) high = ours
            if (!count || theirs < least) least = theirs
            if (!count || theirs > most) most = theirs
            count++
            name = substr($0, index($0, "; ") + 2)
            if (!(name in seen)) { seen[name]; names = names (names == "" ? "" : ", ") name }
        }
        END { printf "%d products at %s TFLOP/s (libtorch: %s) by %s", count, range(low, high), range(least, most), names }' "$work/products")"
}

tiny_twice() {
    train first --devices "$devices" "${tiny[@]}"
    train second --devices "$devices" "${tiny[@]}"
    local one two
    one=$(of first fingerprint) two=$(of second fingerprint)
    [[ -n $one && $one = "$two" ]] || wrong "two fingerprints of one run: $one and $two"
    result "$one, loss $(of first trainLoss)"
}

need_first() { [ -s "$work/first.json" ] || wrong "${1:+$1, and }nothing to compare with: tiny on $devices did not end"; }

# What went wrong the same way twice, such as work in a wrong order on a stream, another arithmetic shows: both sum fp32 in other orders.
tiny_elsewhere() {
    need_first
    train elsewhere --devices "$other" "${tiny[@]}"
    local ours theirs
    ours=$(of first trainLoss) theirs=$(of elsewhere trainLoss)
    near "$ours" "$theirs" 0.01 || wrong "loss $ours on $devices, $theirs on $other: more than 1 % apart"
    result "loss $theirs, and $ours on $devices"
}

# In bf16 attention is FlashAttention-2's and products are of 16 bits: both train, and their bits repeat.
tiny_narrow() {
    train narrow --devices "$devices" --set run.precision=bf16 "${tiny[@]}"
    train narrow-again --devices "$devices" --set run.precision=bf16 "${tiny[@]}"
    local one two loss
    one=$(of narrow fingerprint) two=$(of narrow-again fingerprint) loss=$(of narrow trainLoss)
    [[ -n $one && $one = "$two" ]] || wrong "two fingerprints of one run: $one and $two"
    need_first "loss $loss"
    near "$loss" "$(of first trainLoss)" 0.03 || wrong "loss $loss in bf16, $(of first trainLoss) in fp32: more than 3 % apart"
    result "$one, loss $loss"
}

# What GPT-2 lacks: root mean square norms, rotary positions, SwiGLU, and heads that share keys. In fp16 the loss is scaled.
llama_twice() {
    local precision=$1 one two
    train "llama-$precision" --devices "$devices" --config llama-tiny --set "run.precision=$precision" "${tiny[@]}" --set run.rounds=2
    train "llama-$precision-again" --devices "$devices" --config llama-tiny --set "run.precision=$precision" "${tiny[@]}" --set run.rounds=2
    one=$(of "llama-$precision" fingerprint) two=$(of "llama-$precision-again" fingerprint)
    [[ -n $one && $one = "$two" ]] || wrong "two fingerprints of one run: $one and $two"
    result "$one, loss $(of "llama-$precision" trainLoss)"
}

tiny_on_all() {
    need_first
    train together --devices "$all" "${tiny[@]}"
    local one two
    one=$(of first fingerprint) two=$(of together fingerprint)
    [[ -n $two && $one = "$two" ]] || wrong "one device: $one, $all: $two"
    result "$two"
}

# 1 to 4 devices of one GPU, which is four micro-batches a step for each to have one. The rehearsal has slots of the CPU.
logical() {
    local count=$1 run="logical-$1" whole=cuda:0 devices
    devices=cuda:$(seq -s, -f '0#%g' 0 $((count - 1)))
    if $cpu; then whole=cpu:1 devices=cpu:$count; fi
    [ -s "$work/logical-0.json" ] || train logical-0 --devices "$whole" --set batch.micro=4 "${tiny[@]}"
    train "$run" --devices "$devices" --set batch.micro=4 "${tiny[@]}"
    local one two
    one=$(of logical-0 fingerprint) two=$(of "$run" fingerprint)
    [[ -n $two && $one = "$two" ]] || wrong "$whole: $one, $devices: $two"
    result "$two"
}

# One rank of two on one GPU. NCCL refuses that but for different machines, which NCCL_HOSTID names, and sends by the loopback. In the place
# of the shell that calls it, so that its number is the program's.
rank() {
    exec env NCCL_HOSTID="elastic-$1" NCCL_SOCKET_IFNAME=lo NCCL_IB_DISABLE=1 "$elastic" nccl --rank "$1" --dir "$2" --exchanges "$3"
}

nccl() {
    local other ended=0
    (rank 1 "$work/ranks" 200) > "$work/rank-1" 2>&1 &
    other=$!
    (rank 0 "$work/ranks" 200) > "$work/rank-0" 2>&1 || ended=$?
    wait "$other" || ended=$?
    cat "$work/rank-0" "$work/rank-1"
    [ "$ended" = 0 ] || wrong "$(tail -qn 1 "$work/rank-0" "$work/rank-1" | paste -sd' ')"
    result "$(tail -n 1 "$work/rank-0")"
}

nccl_killed() {
    local other killer ended=0
    (rank 1 "$work/killed" 1000000) > "$work/killed-1" 2>&1 &
    other=$!
    # In the middle of exchanges.
    (
        until grep -q 'all ranks have come' "$work/killed-1"; do sleep 1; done
        date +%s > "$work/killed-at"
        kill -9 "$other"
    ) &
    killer=$!
    (rank 0 "$work/killed" 1000000) > "$work/killed-0" 2>&1 || ended=$?
    kill -9 "$killer" "$other" 2> /dev/null || true
    wait "$killer" "$other" 2> /dev/null || true
    cat "$work/killed-0"
    [ -f "$work/killed-at" ] || wrong "rank 0 ended before rank 1 was killed: $(tail -n 1 "$work/killed-0")"
    [ "$ended" = 1 ] || wrong "rank 1 was killed, and rank 0 ended with $ended: $(tail -n 1 "$work/killed-0")"
    result "$(($(date +%s) - $(cat "$work/killed-at"))) s later: $(tail -n 1 "$work/killed-0")"
}

audit() {
    "$elastic" corpus audit --run second 2>&1 | tee "$work/audit" || wrong "$(tail -n 1 "$work/audit")"
    result "$(tail -n 1 "$work/audit")"
}

transformers() {
    # Beginnings of one sentence; only the whole one has characters of several bytes, which bash may cut. Shorter than the context of tiny.
    mkdir -p "$work/probes"
    local sentence='the model reads a shard, and every node writes it down: naïve café, 12 of 3 (x += 1)' length
    for length in 1 2 3 5 8 12 17 23 30 40 ${#sentence}; do printf '%s' "${sentence:0:$length}" > "$work/probes/$length.txt"; done
    "$elastic" export --run first --out "$work/export"
    "$elastic" eval --run first --data "$work"/probes/*.txt --json > "$work/scores"
    python3 "$here/compare_logits.py" "$work/export" "$work/scores" "$work"/probes/*.txt | tee "$work/logits" \
        || wrong "Transformers computes other logits"
    result "$(tail -n 1 "$work/logits")"
}

# Its tokens/second are those of the last 15 seconds of steps, the first step (which sets up the libraries of the GPU) not among them where
# there were fewer. A model that learns nothing stays near ln 50,257 = 10.82: at 10.75 of this text. The two precisions have other batches. The
# preset's 700 steps of warm-up would leave the loss near there.
speed() {
    local precision=$1 rows=$2 rate loss beside
    train "speed-$precision" --devices "$devices" --config gpt2-124m --set "run.precision=$precision" --set "batch.micro=$rows" \
        --set "batch.sequences=$((8 * rows))" --set optimizer.warmup-steps=2 "${gpt2[@]}" \
        || wrong "see above; where the memory of the GPU did not suffice, take a smaller --micro"
    rate=$(of "speed-$precision" tokensPerSecond) loss=$(of "speed-$precision" trainLoss)
    awk -v loss="$loss" 'BEGIN { exit !(loss + 0 > 0 && loss + 0 < 9.5) }' || wrong "$rate tokens/s, but nothing is learnt: loss $loss"
    if [ -s "$work/speed-bf16.json" ]; then
        beside=$(of speed-bf16 trainLoss)
        near "$loss" "$beside" 0.1 || wrong "$rate tokens/s, but loss $loss in $precision and $beside in bf16: more than 10 % apart"
    fi
    if $cpu; then
        result "$rate tokens/s, loss $loss"
        return
    fi
    # Model FLOPs utilization of an H100 (989 TFLOP/s in bf16): 6 N + 6 L C T FLOP a token, N 124 million, L 12, C 768, T 1024.
    result "$rate tokens/s, $(awk -v rate="${rate:-0}" 'BEGIN { printf "%.1f", rate * (6 * 124.4e6 + 6 * 12 * 768 * 1024) / 989e12 * 100 }') % of an H100's 989 TFLOP/s, loss $loss"
}

# A line for each kernel, and the last one says what they leave of a step.
kernels() {
    local ended=0
    "$elastic" kernels --device "$devices" --micro "$micro" > "$work/kernels" || ended=$?
    cat "$work/kernels"
    [ "$ended" = 0 ] || wrong "see above; where the memory of the GPU did not suffice, take a smaller --micro"
    result "$(tail -n 1 "$work/kernels"); most in $(head -n 1 "$work/kernels" | tr -s ' ')"
}

peer() {
    python3 "$here/peer_gpt2.py" --micro "$micro" "$@" | tee "$work/peer" || wrong "see above"
    result "$(tail -n 1 "$work/peer")"
}

no_gpu="it needs a GPU"
row "elastic doctor" doctor
if $cpu; then pass_over "products of GPT-2 124M in bf16" "$no_gpu"; else row "products of GPT-2 124M in bf16" products; fi
row "GPT-2 124M in bf16, $micro at once" speed bf16 "$micro"
if $cpu; then
    pass_over "GPT-2 124M kernel by kernel" "$no_gpu"
    pass_over "attention, 20 times each" "$no_gpu"
else
    row "GPT-2 124M kernel by kernel" kernels
    row "attention, 20 times each" attention
fi
row "tiny twice on $devices" tiny_twice
row "tiny on $other" tiny_elsewhere
row "tiny twice in bf16" tiny_narrow
for precision in bf16 fp16; do row "llama-tiny twice in $precision" llama_twice "$precision"; done
row "audit of what was read" audit
[ "$all" = "$devices" ] || row "tiny on $all" tiny_on_all
for count in 1 2 3 4; do row "tiny on $count logical devices" logical "$count"; done
if $cpu; then
    pass_over "NCCL between two processes" "$no_gpu"
    pass_over "NCCL, one of two is killed" "$no_gpu"
else
    row "NCCL between two processes" nccl
    row "NCCL, one of two is killed" nccl_killed
fi
left=$((within - SECONDS)) has=0
[ "$left" -le 0 ] || within_seconds "$((left < 60 ? left : 60))" python3 -c 'import torch, transformers' 2> /dev/null || has=$?
# Where no time is left, the row says so.
if [ "$has" = 0 ] || [ "$SECONDS" -ge "$within" ]; then
    row "export opened by Transformers" transformers
elif [ "$has" = 124 ] || [ "$has" = 137 ]; then
    pass_over "export opened by Transformers" "python3 did not say in 60 s whether it has transformers"
else
    pass_over "export opened by Transformers" "python3 has no transformers: pip install transformers, and run this again"
fi
few=$((micro < 4 ? micro : 4))
row "GPT-2 124M in fp32, $few at once" speed fp32 "$few"
if $cpu; then
    pass_over "PyTorch, eager" "$no_gpu"
    pass_over "PyTorch, torch.compile" "$no_gpu"
else
    row --peer "PyTorch, eager" peer
    # Its kernels are started by a program that it compiles here.
    if [ -n "${CC:-}" ] || command -v gcc clang > /dev/null; then
        row --peer "PyTorch, torch.compile" peer --compile
    else
        pass_over "PyTorch, torch.compile" "there is no compiler of C: install gcc"
    fi
fi

[ "$((rows + over))" != 0 ] || fail "no row's name has the words of --only"
[ "$((failed + late))" = 0 ]
