#!/bin/bash
# all goroutines of a live process with 10 000 of them: wall time and the target's pause, delve beside osprey (goal: 50 times faster)
set -euo pipefail
cd "$(dirname "$0")/.."
test=$PWD/${BUILD:-build}/test/dig/go/go_runtime_test
for tool in go dlv; do command -v $tool >/dev/null || { echo "skip: needs $tool"; exit 0; }; done
[ -x "$test" ] || make -s "$test"
dir=$(mktemp -d "${TMPDIR:-/tmp}/osprey-bench.XXXXXX")
target=
# shellcheck disable=SC2317  # the trap calls it
clean() { exec 9>&-; [ -z "$target" ] || kill "$target" 2>/dev/null || true; rm -rf "$dir"; }
trap clean EXIT
GO111MODULE=off go build -o "$dir/target" tests/dig/goroutines.go
mkfifo "$dir/in"
"$dir/target" 10000 <"$dir/in" >"$dir/out" &
target=$!
exec 9>"$dir/in"
until grep -q ready "$dir/out"; do kill -0 $target; sleep 0.1; done

now_ms() { echo $(($(date +%s%N) / 1000000)); }
start=$(now_ms)
"$test" $target >"$dir/ours"
ours=$(($(now_ms) - start))
echo "osprey: $ours ms, $(grep -c '^goroutine ' "$dir/ours") goroutines, the target is not stopped"
printf 'goroutines -t\nexit -c\n' >"$dir/commands"
start=$(now_ms)
dlv attach $target --init "$dir/commands" --allow-non-terminal-interactive=true >"$dir/theirs" 2>&1 </dev/null || true
theirs=$(($(now_ms) - start))
echo "delve:  $theirs ms, $(grep -c 'Goroutine [0-9]' "$dir/theirs") goroutines, the target is stopped for most of it"
ratio=$((theirs / (ours ? ours : 1)))
echo "ratio: $ratio"
[ "$ratio" -ge 50 ]
