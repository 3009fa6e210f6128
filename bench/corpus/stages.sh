#!/bin/bash
# What each stage takes of a core, on text in five languages of what build.sh has fetched. Wants an idle machine. See README.md.
#
#   bench/corpus/stages.sh FOLDER [TURNS]       FOLDER as build.sh has left it; of 3 turns the fastest build counts by default
set -euo pipefail

if [ $# -lt 1 ] || [ $# -gt 2 ] || [[ ! "${2:-3}" =~ ^[1-9][0-9]*$ ]]; then
    echo "usage: $0 FOLDER [TURNS]" >&2
    exit 2
fi
source_folder=$(cd "$(dirname "$0")" && pwd)
figures="$source_folder/../CorpusFigures/bin/Release/net10.0/Elastic.CorpusFigures.dll"
[ -f "$figures" ] || { echo "build it first: dotnet build -c Release bench/CorpusFigures" >&2; exit 1; }
cd "$1"
pages=root/usr/share/doc/debian-handbook/html
[ -d $pages ] || { echo "fetch it first: bench/corpus/build.sh $1" >&2; exit 1; }
[ -f texts-10.jsonl ] || { "$source_folder/texts.py" 10 part.jsonl && mv part.jsonl texts-10.jsonl; }
dotnet "$figures" stages "${2:-3}" $pages/ar-MA $pages/ja-JP $pages/ru-RU $pages/vi-VN texts-10.jsonl
