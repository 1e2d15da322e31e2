#!/bin/bash
# Goroutines of a live Go process against its own dump (runtime.Stack), function by function and line by line: a program as it is
# built, and one without symbols; with the argument `pie` also one that lies anywhere (its build compiles all of Go's library anew).
set -euo pipefail
cd "$(dirname "$0")/../.."
test=$PWD/${BUILD:-build}/test/dig/go/go_runtime_test
[ -x "$test" ] || { echo "skip: $test is not built"; exit 77; }
command -v go >/dev/null || { echo "skip: needs go"; exit 77; }
command -v python3 >/dev/null || { echo "skip: needs python3"; exit 77; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/osprey-goroutines.XXXXXX")
target=
# shellcheck disable=SC2317  # the trap calls it
clean() { [ -z "$target" ] || kill "$target" 2>/dev/null || true; rm -rf "$dir"; }
trap clean EXIT
export GOCACHE=${GOCACHE:-$PWD/${BUILD:-build}/go-cache} GOFLAGS=-mod=mod GO111MODULE=off

cat >"$dir/compare.py" <<'PY'
import re, sys
ours, dump = open(sys.argv[1]).read(), open(sys.argv[2]).read()

def of_dump(text):
    found = {}
    for block in text.strip().split('\n\n'):
        head = re.match(r'goroutine (\d+) \[([^,\]]*)', block)
        lines, frames = block.split('\n')[1:], []
        for call, place in zip(lines[::2], lines[1::2]):
            if call.startswith('created by '):
                frames.append(call.split(' in goroutine')[0])
            else:
                frames.append(re.sub(r'\([^()]*\)$|\(\.\.\.\)$|\({.*\)$', '', call) + ' ' + place.strip().split(' ')[0])
        found[int(head[1])] = (head[2], frames)
    return found

def of_ours(text):
    found = {}
    for block in text.strip().split('\n\n'):
        head = re.match(r'goroutine (\d+) \[([^\]]*)\]( system)?( torn)? end (\d)', block)
        found[int(head[1])] = (head[2], block.split('\n')[1:], bool(head[3]), bool(head[4]), int(head[5]))
    return found

def shown(frames):  # a dump leaves out the runtime's own functions but for those that are exported
    return [f for f in frames if not re.match(r'runtime\.[a-z(]', f)]

def without_wrapper(frames):  # what the compiler makes of `go f(x)`: the dump never names it
    if len(frames) > 1 and re.match(r'main\.main\.func\d+ ', frames[-2]) and frames[-2].split(' ')[0] not in named:
        return frames[:-2] + frames[-1:]
    return frames

a, b = of_ours(ours), of_dump(dump)
named = {f.split(' ')[0] for g in b.values() for f in g[1]}
wrong = compared = frames = 0
for number, (state, wanted) in b.items():
    if number == 1 or number not in a:       # the one that writes the dump
        wrong += number not in a
        continue
    got = a[number]
    compared += 1
    frames += len(wanted)
    if got[0] != state or without_wrapper(shown(got[1])) != shown(wanted) or got[4] != 0 or got[3]:
        wrong += 1
        if wrong < 4:
            print('goroutine', number, got, 'wanted', state, wanted)
system = [n for n, g in a.items() if g[2]]
unknown = [n for n in a if n not in b and not a[n][2]]
print('%d goroutines and %d frames compared, %d differ; %d of the runtime, %d unknown to the dump' %
      (compared, frames, wrong, len(system), len(unknown)))
sys.exit(wrong > 0 or compared < int(sys.argv[3]) or len(unknown) > 0 or not system)
PY

bad=0
go build -o "$dir/whole" tests/dig/goroutines.go
go build -ldflags='-s -w' -o "$dir/stripped" tests/dig/goroutines.go
programs=(whole stripped)
if [ "${1:-}" = pie ]; then
	go build -buildmode=pie -ldflags='-s -w' -o "$dir/pie" tests/dig/goroutines.go
	programs+=(pie)
fi
for program in "${programs[@]}"; do
	[ -x "$dir/$program" ] || continue
	mkfifo "$dir/in"
	"$dir/$program" 1200 <"$dir/in" >"$dir/out" &
	target=$!
	exec 9>"$dir/in"
	until grep -q ready "$dir/out"; do kill -0 $target; sleep 0.05; done
	"$test" $target >"$dir/ours" || bad=1
	echo "$dir/dump" >&9
	until grep -q done "$dir/out"; do kill -0 $target; sleep 0.05; done
	python3 "$dir/compare.py" "$dir/ours" "$dir/dump" 1200 >"$dir/verdict" || bad=1
	sed "s/^/$program: /" "$dir/verdict"
	exec 9>&-
	kill $target 2>/dev/null || true
	wait $target 2>/dev/null || true
	target=
	rm -f "$dir/in" "$dir/out" "$dir/dump"
done
exit $bad
