#!/bin/bash
# A run whose replica several worker processes compute, a stage each, every one in a control group with a memory limit of its own (root,
# Linux, no swap); then the same run on one worker without a limit. Prints each worker's peak, how often it was killed, and both
# fingerprints. See README.md.
#
#   bench/stages/run.sh FOLDER STAGES LIMIT_MIB [pbm's -s settings …]
#       KILL=2              with this in the environment, the second worker gets kill -9 in the second round, and is started again
set -euo pipefail

if [ $# -lt 3 ] || [[ ! "$2" =~ ^[1-9][0-9]*$ ]] || [[ ! "$3" =~ ^[1-9][0-9]*$ ]]; then
    echo "usage: $0 FOLDER STAGES LIMIT_MIB [-s key=value …]" >&2
    exit 2
fi
source_folder=$(cd "$(dirname "$0")" && pwd)
elastic="${ELASTIC:-$source_folder/../../src/Host/bin/Release/net10.0/elastic.dll}"
pbm="${PBM:-$source_folder/../../src/Pbm/bin/Release/net10.0/pbm.dll}"
folder=$1 stages=$2 limit=$3
shift 3
mkdir -p "$folder"
cd "$folder"
groups=/sys/fs/cgroup/memory
rm -f ./*.pid staged.txt whole.txt

end_workers() {
    for pid in ./w*.pid; do
        [ -f "$pid" ] || continue
        kill "$(cat "$pid")" 2>/dev/null || true
        while kill -0 "$(cat "$pid")" 2>/dev/null; do sleep 0.2; done
        rm "$pid"
    done
}
finish() {
    end_workers
    kill $(jobs -p) 2>/dev/null || true
    wait 2>/dev/null || true
    for group in "$groups"/elastic-stages-*; do rmdir "$group" 2>/dev/null || true; done
}
trap finish EXIT
trap 'exit 143' HUP INT TERM

# It ends with the process that has started it, however that ends.
guarded() { exec setpriv --pdeathsig KILL "$@"; }

wait_for() {                                                # FILE WORDS
    for _ in $(seq 600); do grep -qs "$2" "$1" && return; sleep 0.2; done
    echo "$1 does not say \"$2\"" >&2
    exit 1
}

start_worker() {                                            # NAME LIMIT_MIB (0: none)
    local group="$groups/elastic-stages-$1"
    if [ "$2" -gt 0 ]; then
        mkdir -p "$group"
        echo $(($2 << 20)) > "$group/memory.limit_in_bytes"
    fi
    (
        [ "$2" -eq 0 ] || echo "$BASHPID" > "$group/cgroup.procs"
        guarded dotnet "$elastic" worker --seed "127.0.0.1:$port" --devices cpu:1 --set node.threads-per-device=1 \
            --data-dir "$1" --port 0 --http-port 0 > "$1.txt" 2>&1
    ) &
    echo $! > "$1.pid"
    wait_for "$1.txt" "is up"
}

port=$((20000 + RANDOM % 20000))
guarded dotnet "$elastic" seed --data-dir seed --port "$port" --http-port 0 --pbm-port $((port + 1)) --no-dashboard > seed.txt 2>&1 &
wait_for seed.txt "controls it"
export ELASTIC_PBM_TOKEN_FILE="$PWD/seed/pbm-token"
# In the background, for a signal to end the script at once.
ask() { guarded dotnet "$pbm" "127.0.0.1:$((port + 1))" "$@" & wait $!; }

mkdir -p text
[ -f text/numbers.txt ] || seq 200000 > text/numbers.txt
common=(-d "$PWD/text" -s evaluation.sequences=1 "$@")

compute() {                                                 # NAME, then settings
    local name=$1
    shift
    ask run start -n "$name" "${common[@]}" "$@" > "$name.txt"
    ask run watch -n "$name" >> "$name.txt" 2>&1 || true
    grep "finished" "$name.txt" || tail -n 3 "$name.txt"
}

for i in $(seq "$stages"); do start_worker "w$i" "$limit"; done
if [ -n "${KILL:-}" ]; then
    (
        wait_for staged.txt "round  *1/"
        kill -9 "$(cat "w$KILL.pid")"
        mv "w$KILL.txt" "w$KILL-killed.txt"
        start_worker "w$KILL" "$limit"
        while kill -0 $$ 2>/dev/null; do sleep 1; done      # the worker ends with this process, and that with the script
    ) &
fi
echo "$stages workers, $limit MiB each:"
compute staged -s "run.stages=$stages"
for i in $(seq "$stages"); do
    group="$groups/elastic-stages-w$i"
    echo "w$i: at most $(($(cat "$group/memory.max_usage_in_bytes") >> 20)) MiB with its files," \
        "killed $(grep -s '^oom_kill ' "$group/memory.oom_control" | cut -d' ' -f2) times"
done
end_workers
echo "one worker without a limit:"
start_worker w0 0
compute whole
