#!/bin/bash
# osprey top on a terminal (tmux): driven by keys, read back from the screen.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
build=${BUILD:-build}
osprey=$PWD/$build/osprey
command -v tmux >/dev/null || { echo "skip: there is no tmux"; exit 77; }

work=$(mktemp -d "${TMPDIR:-/tmp}/osprey-top.XXXXXX")
export TMUX_TMPDIR=$work OSPREY_STATE_DIR=$work/state
unset TMUX
session=top$$
started=()
failed=0

# shellcheck disable=SC2317  # the trap calls it
clean() {
	tmux kill-server 2>/dev/null
	for pid in "${started[@]}"; do kill -KILL "$pid" 2>/dev/null; done
	wait 2>/dev/null
	rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT TERM HUP

# start NAME [ARGUMENT…]: a sleeping process whose command line begins so; its pid in $pid.
start() {
	bash -c 'exec -a "$0" sleep 1000 "${@:1}"' "$@" 2>/dev/null </dev/null >/dev/null &
	pid=$!
	started+=("$pid")
}
screen() { tmux capture-pane -p -t "$session"; }
keys() { tmux send-keys -t "$session" "$@"; }
type_text() { tmux send-keys -t "$session" -l "$1"; }

# sees TEXT | lacks TEXT [SECONDS]: waits until the screen does (a regular expression).
sees() {
	for ((i = 0; i < ${2:-10} * 20; i++)); do
		screen | grep -qE -- "$1" && return 0
		sleep 0.05
	done
	return 1
}
lacks() {
	for ((i = 0; i < ${2:-10} * 20; i++)); do
		screen | grep -qE -- "$1" || return 0
		sleep 0.05
	done
	return 1
}
ok() { # ok WHAT COMMAND…
	local what=$1
	shift
	if "$@"; then
		echo "ok: $what"
	else
		echo "FAIL: $what"
		screen | sed 's/^/    | /'
		failed=$((failed + 1))
	fi
}
# open [-x COLUMNS -y ROWS] [ARGUMENTS…]: a session with top in it; TERM, SETUP by environment.
open() {
	local columns=$1 rows=$2
	shift 2
	tmux kill-session -t "$session" 2>/dev/null
	tmux -f /dev/null new-session -d -s "$session" -x "$columns" -y "$rows" \
		"export LC_ALL=C.UTF-8 OSPREY_STATE_DIR=$work/state ${SETUP:-}; stty -g >$work/before; ${PREFIX:-} $osprey top $*; echo ended \$?; stty -g >$work/after; exec sleep 1000"
	tmux set-option -t "$session" status off >/dev/null
}
first_row() { screen | grep -n 'PID.*COMMAND' | cut -d: -f1; }
row_after_header() { screen | sed -n "$(($(first_row) + ${1:-1}))p"; }

# The server ends with its last session, and a new one may then meet it dying.
tmux -f /dev/null new-session -d -s keep 'exec sleep 1000'

# ---- the whole screen ----
start osprey-alpha
alpha=$pid
start osprey-beta
beta=$pid
open 120 30
ok "it shows the head" sees '^CPU .*user.*system'
ok "… memory" sees '^Mem .*of.*cache.*available'
ok "… stalls" sees '^Stall '
ok "… disk and network" sees '^Disk .*Net '
ok "… the list" sees 'PID USER .*COMMAND'
ok "… the keys" sees '\?Help.*qQuit'

# ---- search, filter ----
keys /
ok "a search is asked for" sees '^Search:'
type_text osprey-alpha
keys Enter
ok "it narrows as ps does" sees "^ *$alpha .*osprey-alpha 1000|^ *$alpha .*osprey-alpha"
ok "… to those alone" lacks osprey-beta
keys Escape
ok "Escape shows all again" lacks 'search osprey-alpha'
keys /
type_text "$beta"
keys Enter
ok "a number is a pid" sees "^ *$beta .*osprey-beta"
keys Escape
start osprey-young
keys f
type_text "start > 8s && pid == $pid"
keys Enter
ok "a filter takes a moment" sees "^ *$pid .*osprey-young"
ok "… which moves on with the looks" lacks osprey-young 20
keys f
keys C-u
type_text "pid == $alpha || pid == $beta"
keys Enter
ok "a filter takes an expression" sees "^ *$beta .*osprey-beta"
ok "… and says how many" sees '2 of [0-9]+ '
keys f
keys C-u
type_text 'pid =='
keys Enter
ok "a wrong filter is answered with the reason" sees 'cannot be read'
keys q
ok "… and is asked again as it was typed" sees '^Filter: pid =='
keys Escape

# ---- order ----
keys s
ok "the menu of columns" sees 'Order by'
keys Escape
keys N
ok "N orders by pid, smallest first" sees 'PID|▲PID'
sleep 0.3
[ "$alpha" -lt "$beta" ] && low=$alpha high=$beta || low=$beta high=$alpha
ok "… so it is" grep -qE "^ *$low " <(row_after_header)
keys r
sleep 0.3
ok "r turns it round" grep -qE "^ *$high " <(row_after_header)
keys M
ok "M orders by memory, largest first" sees '▼RSS'
keys '>'
keys P

# ---- layouts ----
keys t
ok "t shows the tree, with forefathers" sees '(└─|├─).*osprey-(alpha|beta)'
keys t
keys c
ok "c groups by cgroup, with the number of its processes" sees '[0-9]+ processes'
keys -
ok "- folds a group" sees '\+[0-9]+ processes'
keys -
keys c
keys H
ok "H shows threads" sees 'TID USER'
keys H
ok "… and processes again" sees ' PID USER'

# ---- details ----
keys f C-u
type_text "pid == $alpha"
keys Enter
ok "only one is left" sees '1 of [0-9]+ '
keys Enter
ok "Enter shows details" sees '1 Overview.*2 Threads'
ok "… what it is" sees 'osprey-alpha'
for tab in '2:THREAD|TID|thread' '3:Descriptors' '4:no socket|KIND' '5:nofile|open files' '6:resident' '7:cgroup|Cgroup' '8:policy|Scheduling' '9:LC_ALL|=|environment'; do
	keys "${tab%%:*}"
	ok "tab ${tab%%:*}" sees "${tab#*:}"
done
keys 6
ok "the memory tab tells of memory" sees '^Memory'
ok "… alone" lacks '^Namespaces'
keys 7
ok "the cgroup tab of namespaces too" sees '^Namespaces'
keys q
ok "q goes back" sees 'PID USER'
bash -c 'export OSPREY_LONG=$0; exec -a osprey-short sleep 1000' "$(printf 'x%.0s' {1..150})end" >/dev/null 2>&1 </dev/null &
short=$!
started+=("$short")
keys f C-u
type_text "pid == $short"
keys Enter
sees "^ *$short "
keys Enter
sees '1 Overview'
keys 9
ok "a line longer than the screen goes on below" sees '^x+end$'
kill -KILL "$short"
wait "$short" 2>/dev/null
ok "the details of one that ends stay" sees 'has ended'
keys 2
ok "… and a tab that was not read says so" sees 'had ended before this was read'
keys 9
ok "… one that was is as it was" sees '^x+end$'
keys q

# ---- tags ----
start osprey-tagged
tagged=$pid
keys f C-u
type_text "pid == $tagged || pid == $alpha"
keys Enter
sees "^ *$tagged "
keys N End
[ "$tagged" -gt "$alpha" ] || keys Home
keys Space
ok "the footer tells how many are tagged" sees ' 1 tagged '
keys K
sees 'TERM +15'
keys Enter
ok "a key acts on them" sees "$tagged \(sleep\)"
kill -KILL "$tagged"
wait "$tagged" 2>/dev/null
lacks "^\*? *$tagged "
keys y
ok "one that ended meanwhile is not said to be signalled" sees 'was not sent: it has ended'
sees '1 of [0-9]+ ' 12
keys n
ok "tags of those that ended keep no key from the cursor" sees '^Nice value:'
keys Escape P

# ---- acts ----
keys n
ok "n asks for a nice value" sees '^Nice value:'
keys C-u
type_text 7
keys Enter
ok "… says what it will do" sees 'nice is 0, becomes 7'
ok "… and how it is undone" sees 'Undo: osprey priority --undo'
keys x
ok "any key but y leaves it" lacks 'becomes 7'
ok "… and nothing was done" test "$(ps -o ni= -p "$alpha" | tr -d ' ')" = 0
keys n
sees '^Nice value:'
keys C-u
type_text 7
keys Enter
sees 'becomes 7'
keys y
ok "y does it" sees 'done; undo: osprey priority --undo [0-9]+'
ok "… as the kernel says" test "$(ps -o ni= -p "$alpha" | tr -d ' ')" = 7
ok "… and it is in the journal" grep -q nice "$work/state/changes/journal"
"$osprey" priority --undo last >/dev/null 2>&1
ok "… from which it is undone" test "$(ps -o ni= -p "$alpha" | tr -d ' ')" = 0
keys p
ok "p asks for CPUs" sees '^CPUs:'
keys C-u
type_text 0
keys Enter
sees 'becomes 0'
keys y
ok "pinned" sees 'undo: osprey pin --undo'
ok "… as the kernel says" grep -qE '^Cpus_allowed_list:\s0$' "/proc/$alpha/status"
keys K
ok "K shows signals" sees 'TERM +15'
keys S Enter
ok "a signal is confirmed" sees 'Send SIGSTOP'
keys y
ok "… and sent" sees 'STOP sent to 1 process'
ok "… as the kernel says" grep -q '^State:.T' "/proc/$alpha/status"
keys K
sees 'TERM +15'
keys K Enter
sees 'Send SIGKILL'
keys y
ok "KILL ends it" sees 'KILL sent'
wait "$alpha" 2>/dev/null
ok "… and it is gone" test ! -e "/proc/$alpha"
keys f C-u Enter

# ---- the screen ----
keys '?'
ok "? shows help" sees 'osprey top: keys'
keys q
tmux resize-window -t "$session" -x 60 -y 24
keys '?'
ok "… wrapped to the screen" sees '^ {24}its process while the list changes'
keys q
ok "… and goes" sees 'PID USER'
tmux resize-window -t "$session" -x 60 -y 15
ok "it follows the size: small" sees '^CPU '
ok "… with the list" sees 'PID.*COMMAND'
tmux resize-window -t "$session" -x 40 -y 10
ok "40 x 10" sees 'PID.*COMMAND'
tmux resize-window -t "$session" -x 20 -y 5
# Beside a pid of up to five digits its header is whole; each further digit takes one sign of it.
header=COMMAND longest=$(find /proc -maxdepth 1 -name '[1-9]*' -printf '%f\n' | sort -n | tail -1)
ok "20 x 5: what each is called stays" sees "PID.*${header:0:12-${#longest}}"
tmux resize-window -t "$session" -x 200 -y 50
ok "200 x 50" sees 'PID USER.*UNIT.*COMMAND'
keys z
ok "z pauses" sees PAUSED
keys z
keys q
ok "q quits" sees '^ended 0'
ok "… and the terminal is as it was" cmp -s "$work/before" "$work/after"

# ---- names that would break a screen ----
printf -v nasty 'osprey-nasty\n\033[2J\033[31mred'
start "$nasty"
printf -v long '%0100000d' 0
bash -c 'exec -a osprey-long sleep 1000' "$long" 2>/dev/null &
started+=($!)
bash -c 'sleep 1000; : osprey-hundred' "$long" &
started+=($!)
child=
for _ in $(seq 50); do # its child would outlive it
	child=$(pgrep -P "${started[-1]}") && break
	sleep 0.1
done
started+=($child)
open 150 24 --filter "\"command ~ 'osprey-'\""
ok "a name with newline and escapes is shown safely" sees 'osprey-nasty\\n\\x1b\[2J'
ok "… on its own line" sees 'PID USER'
ok "100 kB of arguments are cut" sees 'bash -c sleep 1000; : osprey'
keys Right Right Right
ok "… and scroll" sees 'PID USER'
keys q

# ---- a storm of forks ----
open 100 24
sees 'PID USER'
( for ((i = 0; i < 1500; i++)); do /bin/true & done; wait ) 2>/dev/null
ok "processes that come and go while it looks" sees 'processes [0-9]+'
keys t
ok "… in the tree too" sees 'COMMAND'
keys q
ok "… and it ends well" sees '^ended 0'

# ---- signals and job control ----
open 80 24
sees 'PID.*COMMAND'
kill -TERM "$(pgrep -n -f "^$osprey top")"
ok "TERM ends it, and the terminal is put back" sees '^ended 0'
ok "… wholly" cmp -s "$work/before" "$work/after"

# ---- without a full screen ----
export TERM=dumb
SETUP='TERM=dumb' open 80 24
ok "TERM=dumb is answered with the reason" sees 'TERM=dumb'
ok "… and with what to do" sees 'osprey ps --watch'
ok "… and exit code 3" sees '^ended 3'
SETUP='TERM=' open 80 24
ok "so is an unset TERM" sees 'TERM is not set'
SETUP='TERM=nonsense' open 80 24
ok "so is an unknown one" sees 'no description of the terminal'
out=$("$osprey" top 2>&1 </dev/null)
[ $? -eq 3 ] && [[ $out == *"needs a terminal"* ]] && echo "ok: no terminal" || { echo "FAIL: no terminal: $out"; failed=$((failed + 1)); }
SETUP='TERM=xterm TERMINFO=/nonexistent TERMINFO_DIRS=/nonexistent' open 80 24
ok "a host without descriptions has those that are built in" sees 'PID.*COMMAND'
keys q
SETUP='LC_ALL=C' open 100 24
ok "without UTF-8 it draws in ASCII" sees '^CPU +[|.]+'
keys q
SETUP='NO_COLOR=1' open 100 24
ok "without colour" sees 'PID.*COMMAND'
ok "… there is none" test -z "$(tmux capture-pane -e -p -t "$session" | grep -oE $'\033''\[[0-9;]*3[1-7]m')"
keys q
out=$("$osprey" top --sort nonsense 2>&1)
[ $? -eq 2 ] && echo "ok: a wrong column is a usage error" || { echo "FAIL: --sort nonsense: $out"; failed=$((failed + 1)); }

# ---- without privilege ----
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	cp "$osprey" "$work/osprey"
	chmod 755 "$work" "$work/osprey"
	osprey=$work/osprey
	PREFIX='setpriv --reuid 65534 --regid 65534 --clear-groups' SETUP="OSPREY_STATE_DIR=$work/none" open 110 24 --filter "\"pid == $beta\""
	ok "without privilege it shows all processes" sees "^ *$beta .*osprey-beta"
	keys K
	sees 'TERM +15'
	keys Enter
	sees 'Send SIGTERM'
	keys y
	ok "… and says what it may not do" sees 'needs root|not permitted'
	ok "… which was not done" test -e "/proc/$beta"
	keys q
else
	echo "note: not root: the part without privilege was left out"
fi

[ "$failed" -eq 0 ] || { echo "$failed failed"; exit 1; }
