#!/bin/bash
# A pool of jobs: at most N at once, the output of each whole, the first failure's exit code, nobody left.
. "$(dirname "$0")/run_common"

shopt -s lastpipe # `code` comes out of a pipe
pool() { # OPTION…: the list on stdin; `code`
	code=0
	timeout -k 1 30 "$osprey" run "$@" >"$scratch/out" 2>"$scratch/err" || code=$?
}

# The list: blank lines, comments, no newline at the end, quotes as the shell has them.
printf 'echo one\n\n  # no\necho "two words"\nprintf three' | pool --jobs 1 -q
is "list: exit code" $code 0
is "list" "$(cat "$scratch/out")" $'one\ntwo words\nthree'
pool --jobs 4 </dev/null
is "empty list: exit code" $code 0
says err '^0 jobs, 0 failed'

# At most three at once, and three at once indeed.
for i in $(seq 9); do
	echo "echo + >>$scratch/log; sleep 0.2; echo - >>$scratch/log"
done | pool -q --jobs 3
is "at once: exit code" $code 0
is "at once, at most" "$(awk '/\+/ { n++; if (n > m) m = n } /-/ { n-- } END { print m }' "$scratch/log")" 3

# Whole: what jobs write at the same time does not mix, and nothing is lost.
for i in 1 2 3 4; do
	echo "for j in \$(seq 2000); do echo job $i line \$j; done"
done | pool -q --jobs 4
is "whole: lines" "$(wc -l <"$scratch/out")" 8000
is "whole: changes from job to job" "$(awk '{ print $2 }' "$scratch/out" | uniq | wc -l)" 4
printf 'echo out; echo err >&2\nprintf "no end"; false\n' | pool --jobs 1 --job-output prefix -q
is "prefix, stdout" "$(cat "$scratch/out")" $'1: out\n2: no end'
is "prefix, stderr" "$(cat "$scratch/err")" '1: err'
printf 'echo a\nprintf b; false\n' | pool --jobs 1 --job-output header -q
is "header" "$(cat "$scratch/out")" $'==> 1: echo a\na\n==> 2: printf b; false\nb'
printf 'echo 1; echo 2 >&2; echo 3\n' | timeout 10 "$osprey" run -q --jobs 1 >"$scratch/both" 2>&1
is "one place keeps its order" "$(tr '\n' ' ' <"$scratch/both")" "1 2 3 "

# The first failure in time; the others go on.
printf 'sleep 0.5; exit 3\nexit 4\nsleep 0.1; echo late\n' | pool --jobs 3
is "first failure" $code 4
is "the others" "$(cat "$scratch/out")" late
says err '^3 jobs, 2 failed'
says err '^ +1 +exit 3 '
says err '^ +2 +exit 4 '

# Output that is lost is a failure, and ends the others.
printf 'echo one\nsleep 30\necho never\n' | timeout -k 1 20 "$osprey" run --jobs 2 >/dev/full 2>"$scratch/err"
is "full: exit code" $? 125
says err 'the output of job 1 cannot be written: No space left'
for trap in - ''; do
	(trap -- "$trap" PIPE; printf 'sleep 0.2; echo one\nsleep 30\necho never\n' |
		timeout -k 1 20 "$osprey" run -q --jobs 2; echo $? >"$scratch/code") 2>"$scratch/err" | true
	for i in $(seq 200); do [ -s "$scratch/code" ] && break; sleep 0.02; done
	is "reader gone, PIPE ${trap:-ignored}: exit code" "$(cat "$scratch/code")" $([ -n "$trap" ] && echo 141 || echo 125)
	rm -f "$scratch/code"
done

# Fail fast: the others are ended, with all that they started, and nothing more is started.
witness
printf 'exec %s daemon\nsleep 0.3; exit 9\necho never\n' "$tree" |
	timeout -k 1 30 "$osprey" run --jobs 2 --fail-fast --grace 100ms 9>"$scratch/alive" >"$scratch/out" 2>"$scratch/err"
is "fail fast: exit code" $? 9
is "fail fast: started" "$(cat "$scratch/out")" ""
nobody_left_within 1 "fail fast"

# A timeout is that of each job, and ends that job's processes alone.
witness
printf '%s daemon\necho begun; sleep 1; echo ended\n' "$tree" |
	timeout -k 1 30 "$osprey" run --jobs 2 --timeout 500ms --grace 0s 9>"$scratch/alive" >"$scratch/out" 2>"$scratch/err"
is "timeout: exit code" $? 124
nobody_left_within 1 "timeout"
# The list is read as it comes.
mkfifo "$scratch/list"
timeout -k 1 30 "$osprey" run -q --jobs 2 <"$scratch/list" >"$scratch/out" &
pid=$!
started+=("$pid")
exec 8>"$scratch/list"
echo 'echo first' >&8
for i in $(seq 200); do [ -s "$scratch/out" ] && break; sleep 0.02; done
is "before the list has ended" "$(cat "$scratch/out")" first
exec 8>&-
wait "$pid"
is "its end: exit code" $? 0

# INT: those that run have it too; nothing more is started. A second one ends them.
mkfifo "$scratch/list2"
witness
env --default-signal "$osprey" run --grace 100ms --jobs 1 <"$scratch/list2" 9>"$scratch/alive" >"$scratch/out" 2>"$scratch/err" &
pid=$!
started+=("$pid")
printf 'exec %s daemon 1\necho never\n' "$tree" >"$scratch/list2"
for i in $(seq 100); do pgrep -P "$(pgrep -P "$pid" | head -1)" >/dev/null 2>&1 && break; sleep 0.02; done
sleep 0.1
kill -INT "$pid"
sleep 0.2
kill -0 "$pid" || wrong "the first INT ended it, though a job ignores INT"
kill -INT "$pid"
wait "$pid"
is "INT: exit code" $? 130
is "INT: started" "$(cat "$scratch/out")" ""
nobody_left_within 1 "INT"

# The front killed: every job with all below it.
witness
mkfifo "$scratch/list3"
"$osprey" run -q --jobs 4 <"$scratch/list3" 9>"$scratch/alive" &
pid=$!
started+=("$pid")
for i in 1 2 3 4; do echo "$tree respawn 2"; done >"$scratch/list3"
sleep 0.3
kill -KILL "$pid"
wait "$pid" 2>/dev/null
nobody_left_within 3 "front killed"

# As JSON: one document, every job in the order of the list.
command -v python3 >/dev/null && {
	printf 'sleep 0.2\nexit 5\nkill -9 $$\n' | pool --jobs 3 --json
	is "JSON" "$(python3 -c 'import json,sys
d = json.load(open(sys.argv[1]))
print(d["schema"], [(j["command"], j["exit_code"], j["signal"]) for j in d["jobs"]])' "$scratch/err")" \
		"osprey.run/1 [('sleep 0.2', 0, None), ('exit 5', 5, None), ('kill -9 \$\$', 137, 'KILL')]"
}

# More jobs than descriptors at first sight.
(ulimit -Sn 40; seq 100 | sed 's/^/echo /' | "$osprey" run -q --jobs 30 | wc -l >"$scratch/count")
is "with few descriptors" "$(tr -d ' ' <"$scratch/count")" 100

# Repeats: the exit code of the first failure, figures of all.
n=0
"$osprey" run --repeat 5 -- sh -c 'n=$(cat "$0" 2>/dev/null || echo 0); echo $((n + 1)) >"$0"; exit $n' "$scratch/n" 2>"$scratch/err"
is "repeat: exit code" $? 1
says err '^5 runs, 4 failed in'
is "repeats" "$(cat "$scratch/n")" 5
rm "$scratch/n"
"$osprey" run -q --repeat 5 --fail-fast -- sh -c 'n=$(cat "$0" 2>/dev/null || echo 0); echo $((n + 1)) >"$0"; exit $n' "$scratch/n"
is "repeat, fail fast: exit code" $? 1
is "repeats, fail fast" "$(cat "$scratch/n")" 2

done_checking
