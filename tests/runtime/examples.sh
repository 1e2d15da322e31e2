#!/bin/bash
# The examples: each is built by the commands that it names at its top, with the library as it is installed, and does what it says.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
root=$(mktemp -d "${TMPDIR:-/tmp}/osprey-examples.XXXXXX")
server=
# shellcheck disable=SC2317  # the trap calls it
clean() { [ -z "$server" ] || kill -KILL "$server" 2>/dev/null; rm -rf "$root"; }
trap clean EXIT
bad=0
not_so() { echo "not so: $*"; bad=1; }

# shellcheck source=installed
. tests/runtime/installed
cp runtime/examples/*.c "$root"
cd "$root" || exit 1
for example in *.c; do
	sed -n 's/^ \*\t\(cc \|osprey-rt-types \)/\1/p' "$example" >commands
	[ -s commands ] || not_so "$example names a command"
	if grep -q '^osprey-rt-types' commands && ! command -v osprey-rt-types >/dev/null; then continue; fi
	bash -e commands 2>complaints || not_so "$example is built by the command that it names"
	[ ! -s complaints ] || { not_so "$example is built without a word"; head -5 complaints; }
done

# says TEXT PROGRAM [ARGUMENT…]: it ends well and says so.
says() {
	local said
	said=$(timeout 30 "${@:2}" 2>&1) || not_so "${*:2} ends with 0 (it said: $said)"
	[[ $said == *$1* ]] || not_so "${*:2} says '$1' (it said: $said)"
}
for program in course_*.c; do
	says "" "./${program%.c}"
done
said=$(timeout 30 ./course_philosophers deadlock 2>&1) && not_so "the philosophers starve"
[[ $said == *deadlock* ]] || not_so "who starves is told"
says "" ./pipeline
said=$(timeout 30 ./leak_hunt 2>&1) && not_so "the hunt finds leaks"
[[ $said == *"are lost"* ]] || not_so "what is lost is told"
says "" ./worker_pool ./*.c
says "" ./sleepers 2000
if [ -x a.out ]; then
	said=$(echo '{"id": 7, "customer": "Ann", "items": [{"name": "tea", "price": 4.5}]}' | timeout 30 ./a.out) || not_so "an order is read"
	[[ $said == *tea* ]] || not_so "an order is printed"
fi

# served PROGRAM REQUEST ANSWER: a server answers one connection, and ends well when it is told to.
served() {
	local port answer
	"$1" 127.0.0.1:0 >"$root/said" 2>&1 &
	server=$!
	for _ in {1..100}; do
		port=$(grep -oE '127\.0\.0\.1:[0-9]+' "$root/said" | head -1 | cut -d: -f2)
		[ -n "$port" ] && break
		sleep 0.1
	done
	answer=$(exec 3<>"/dev/tcp/127.0.0.1/$port" && printf '%b' "$2" >&3 && timeout 10 head -n 1 <&3)
	[[ $answer == $3* ]] || not_so "$1 answers '$3' (it answered '$answer')"
	kill -TERM "$server"
	wait "$server" || not_so "$1 ends with 0"
	server=
}
served ./echo_server 'hello\n' hello
served ./http_server 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' 'HTTP/1.1 200'
exit $bad
