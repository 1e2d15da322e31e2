#!/bin/bash
# osprey pid on processes that make it hard: long and hostile arguments, no privilege, threads, a stopped
# one, ones that end while they are read, one that replaced its file. All are the test's own.
# shellcheck disable=SC2016  # the inner shells expand
set -uo pipefail
export LC_ALL=C.UTF-8
cd "$(dirname "$0")/../.." || exit
osprey=$(realpath "${BUILD:-build}/osprey")
work=$(mktemp -d "${TMPDIR:-/tmp}/osprey-pid.XXXXXX")
pids=()
# shellcheck disable=SC2317  # the trap calls it
clean_up() { [ ${#pids[@]} -eq 0 ] || kill -KILL "${pids[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$work"; }
trap clean_up EXIT
bad=0
fail() { echo "not so: $*"; bad=1; }
has() { grep -qF -- "$3" <<<"$2" || fail "$1: lacks '$3' in: $(head -c 600 <<<"$2")"; }
lacks() { ! grep -qF -- "$3" <<<"$2" || fail "$1: has '$3'"; }
start() { "$@" & last=$!; pids+=("$last"); }
until_state() { for _ in $(seq 100); do [[ $2 == *"$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -c1)"* ]] && return 0; sleep 0.02; done; return 1; }

# ---- arguments of 100 kB, with escapes and newlines ----
long=$(printf 'a%.0s' $(seq 100000))
start bash -c 'exec -a "$0" sleep 100' "evil"$'\n\e[2J'"$long"
for _ in $(seq 100); do [ "$(readlink "/proc/$last/exe")" = "$(realpath "$(command -v sleep)")" ] && break; sleep 0.02; done
output=$(COLUMNS=80 "$osprey" pid "$last" --section identity)
has "long arguments" "$output" 'evil\n\x1b[2Jaaa'
has "long arguments" "$output" "(cut: 97"
lacks "long arguments" "$output" $'\e'
[ "$(wc -c <<<"$output")" -lt 3000 ] || fail "long arguments: the text was not cut"
length=$("$osprey" pid "$last" --section identity --json | jq '.command[0] | length')
[ "$length" = 100009 ] || fail "long arguments: JSON has $length characters of 100009"
whole=$("$osprey" pid "$last" --section identity --all | wc -c)
[ "$whole" -gt 100000 ] || fail "--all cuts"

# ---- stopped; ours to read, and not touched ----
start sleep 100
kill -STOP "$last"; until_state "$last" T
output=$("$osprey" pid "$last" --section state)
has "stopped" "$output" "T stopped by a signal: CONT lets it go on"
kill -CONT "$last"; until_state "$last" S
before=$(cut -d' ' -f3 "/proc/$last/schedstat")
"$osprey" pid "$last" >/dev/null || fail "exit status of a plain look"
[ "$(cut -d' ' -f3 "/proc/$last/schedstat")" = "$before" ] || fail "looking at it made it run"

# ---- its program was replaced ----
cp "$(command -v sleep)" "$work/program"
start "$work/program" 100
until_state "$last" S; rm "$work/program"
has "replaced" "$(COLUMNS=200 "$osprey" pid "$last" --section identity)" "its file was replaced or deleted"

# ---- a pipeline names the other end ----
mkfifo "$work/fifo"
sleep 100 | cat >/dev/null & reader=$!
pids+=("$reader")
until_state "$reader" S
writer=$(pgrep -P $$ -n -x sleep)
pids+=("$writer")
output=$(COLUMNS=200 "$osprey" pid "$reader" --section state,fds)
if grep -q "sleeping in read(0)" <<<"$output"; then has "pipeline" "$output" "descriptor 0 is pipe:["; fi
[ "$(id -u)" != 0 ] || has "pipeline" "$output" "$writer sleep"

# ---- widths ----
for width in 40 80 200; do
	widest=$(COLUMNS=$width "$osprey" pid "$reader" --section state,counters,fds,threads,limits,signals | wc -L)
	[ "$widest" -le $width ] || fail "a line of $widest columns at $width: $(COLUMNS=$width "$osprey" pid "$reader" --section state,counters,fds,threads,limits,signals)"
done

# ---- each section shows itself, and nothing else ----
for section in $("$osprey" pid 1 --section ? 2>&1 | sed 's/.*there are //; s/,//g'); do
	titles=$("$osprey" pid $$ --section "$section" | grep '^[A-Z][a-z]')
	[[ $titles != *$'\n'* && ${titles,,} == "${section:0:3}"* || $section == fds && $titles == Descriptors ]] ||
		fail "--section $section shows: $titles"
	"$osprey" pid $$ --section "$section" --json >"$work/json"
	shown=$(jq -r --arg s "$section" '(if $s == "identity" then "command" else $s end) as $own | has($own)' "$work/json")
	[ "$shown" = true ] || fail "--section $section --json lacks it"
done

# ---- no privilege ----
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	cp "$osprey" "$work/osprey"; chmod 755 "$work"
	nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$work/osprey" "$@"; }
	output=$(nobody pid $$); code=$?
	[ $code = 0 ] || fail "without privilege: exit $code"
	[ "$(grep -c "needs root" <<<"$output")" -ge 8 ] || fail "without privilege: not told item by item"
	has "without privilege" "$output" "size "
	lacks "without privilege" "$output" "read calls                0"
	nobody limits >"$work/limits" || fail "limits without privilege: exit $?"
	grep -q "needs root" "$work/limits" || fail "limits without privilege: does not tell what is missing"
	[ "$(nobody pid $$ --json --environment | jq -r '.fds_missing, .environment_missing, .counters.read_bytes' | tr '\n' ' ')" = "denied denied null " ] ||
		fail "without privilege: JSON does not tell"
fi

# ---- processes that end while they are read: whole, or told ----
for i in $(seq 60); do
	sleep "0.0$((i % 10))" &
	output=$("$osprey" pid $! 2>&1); code=$?
	case $code in
	0) has "ending" "$output" "Signals" ;;
	3) [[ $output == *"ended while it was read"* || $output == *"there is no process"* ]] || fail "ending: $output" ;;
	*) fail "ending: exit $code: $output" ;;
	esac
done

# ---- itself, the first process, a thread of the kernel ----
"$osprey" pid 1 >/dev/null || fail "pid 1"
[ ! -e /proc/2/stat ] || "$osprey" pid 2 >/dev/null || fail "pid 2"
bash -c 'exec "$0" pid $$ --json' "$osprey" | jq -e '.name == "osprey"' >/dev/null || fail "itself"
exit $bad
