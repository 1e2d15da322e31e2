#!/bin/bash
# Locks of programs that know what they do: a deadlock with all its threads and locks, a mutex that is fought for against
# what its threads counted themselves, the writer of a rwlock; and no deadlock where there is none.
. "$(dirname "$0")/common"
need jq cc
[ "$(id -u)" = 0 ] || skip "needs root"

json() { "$osprey" locks --json --no-lines "$@" >"$scratch/json" 2>"$scratch/errors"; }
get() { jq -r "$1" "$scratch/json"; }
tid_of() { basename "$(dirname "$(grep -lx "$2" /proc/"$1"/task/*/comm)")"; }

target_deadlock || exit 1
json --now "$target_pid"
is "exit code of a deadlock" $? 1
is "deadlocks" "$(get '.deadlocks | length')" 1
ring=$(for name in one two three; do tid_of "$target_pid" $name; done | sort -n | tr '\n' ' ')
is "threads of the deadlock" "$(get '.deadlocks[0] | map(.tid) | sort | map("\(.) ") | add')" "$ring"
is "locks of the deadlock" "$(get '.deadlocks[0] | map(.waits_for) | unique | length')" 3
# Each waits for the lock that the next one holds, who does not wait for the one before.
is "they are a ring" "$(get '.locks as $l | .deadlocks[0] as $d | [range(3) as $i |
	($l[] | select(.address == $d[$i].waits_for) | .owner) == $d[($i + 1) % 3].tid] | all')" true
is "the one outside waits, and is no part" "$(get "[.locks[] | select(.waiters | index($(tid_of "$target_pid" outside)))] | length")" 1
"$osprey" locks --now --no-color "$target_pid" >"$scratch/text"
is "exit code in words" $? 1
for name in one two three; do holds "the thread $name" "$scratch/text" "$(tid_of "$target_pid" $name) \($name\)"; done
for address in $(get '.deadlocks[0][].waits_for'); do holds "the lock $address" "$scratch/text" "$address"; done
holds "where they stand" "$scratch/text" 'hold_and_want'
stop "$target_pid"

# Fighters count their own waits; signal 10 lets them say so: waits, nanoseconds, addresses.
cat >"$scratch/fight.c" <<'C'
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>
static pthread_mutex_t hot = PTHREAD_MUTEX_INITIALIZER, warm = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t shared = PTHREAD_RWLOCK_INITIALIZER;
static _Atomic unsigned long waited_ns;
static unsigned long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ul + t.tv_nsec;
}
__attribute__((noinline)) static void take_hot(void)
{
	unsigned long before = now();
	pthread_mutex_lock(&hot);
	waited_ns += now() - before;
	usleep(2000);
	pthread_mutex_unlock(&hot);
}
static void *fight(void *unused)
{
	prctl(PR_SET_NAME, "fighter");
	for (;;)
		take_hot();
	return unused;
}
__attribute__((noinline)) static void take_warm(void)
{
	pthread_mutex_lock(&warm);
	usleep(300);
	pthread_mutex_unlock(&warm);
	usleep(5000);
}
static void *play(void *unused)
{
	prctl(PR_SET_NAME, "player");
	for (;;)
		take_warm();
	return unused;
}
static void *write_it(void *unused)
{
	prctl(PR_SET_NAME, "writer");
	pthread_rwlock_wrlock(&shared);
	for (;;)
		pause();
	return unused;
}
static void *read_it(void *unused)
{
	prctl(PR_SET_NAME, "reader");
	usleep(20000);
	pthread_rwlock_rdlock(&shared);
	return unused;
}
int main(int argc, char *argv[])
{
	void *(*run[])(void *) = { fight, fight, fight, fight, play, play, write_it, read_it };
	pthread_t t;
	sigset_t asked;
	int got;
	prctl(PR_SET_PDEATHSIG, 9);
	setvbuf(stdout, NULL, _IOLBF, 0);
	sigemptyset(&asked);
	sigaddset(&asked, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &asked, NULL);
	for (unsigned i = 0; i < sizeof run / sizeof *run; i++)
		pthread_create(&t, NULL, run[i], NULL);
	usleep(100000);
	printf("%p %p %p\nready\n", (void *)&hot, (void *)&warm, (void *)&shared);
	while (sigwait(&asked, &got) == 0)
		printf("waited %lu at %lu\n", waited_ns, now());
}
C
cc -w -O1 -g -pthread -o "$scratch/fight" "$scratch/fight.c" || { echo "the target does not build"; exit 1; }
target_begin "$scratch/fight" "$scratch/fight"
target_await target_says_ready || exit 1
read -r hot _ shared <"$target_output"
# told N: the Nth answer, "waited-ns at-ns"
told() { until_true 5 answers "$1" || wrong "the target does not answer"; awk '/^waited/ { print $2, $4 }' "$target_output" | sed -n "$1p"; }
# shellcheck disable=SC2317  # until_true calls it
answers() { [ "$(grep -c '^waited' "$target_output")" -ge "$1" ]; }

json --now "$target_pid"
is "exit code without a deadlock" $? 0
is "writer of the rwlock" "$(get ".locks[] | select(.kind == \"rwlock\") | \"\(.address) \(.owner)\"")" "$shared $(tid_of "$target_pid" writer)"
is "who waits for it" "$(get '.locks[] | select(.kind == "rwlock") | .waiters | join(" ")')" "$(tid_of "$target_pid" reader)"
is "no window with --now" "$(get 'has("window")')" false

kill -USR1 "$target_pid"
json --for 1.2 "$target_pid" || wrong "locks: exit code $?: $(<"$scratch/errors")"
kill -USR1 "$target_pid"
read -r before_ns from_ns <<<"$(told 1)"
read -r after_ns until_ns <<<"$(told 2)"
if [ "$(get 'has("window")')" = true ]; then
	is "the hottest lock" "$(get '.window.locks[0] | "\(.kind) \(.address)"')" "mutex $hot"
	is "it is hotter than the next" "$(get '[.window.locks[] | select(.in_turns) | .wait_ns] | . == (sort | reverse)')" true
	# The target counted longer, before and after the window, and the call's own time too; but a wait only when it is over: one of
	# each thread may be under way.
	share=$(get ".window.window_ns / ($until_ns - $from_ns)")
	within "time waited for it, against the target's own" "$(get ".window.locks[0].wait_ns / ($after_ns - $before_ns)")" \
		"$(awk -v s="$share" 'BEGIN { print s * 0.75 - 0.05 }')" \
		"$(get "1 + $(grep -lx fighter /proc/"$target_pid"/task/*/comm | wc -l) * .window.locks[0].longest_ns / ($after_ns - $before_ns)")"
	holds "places" "$scratch/json" take_hot
	is "places are the fighters'" "$(get '[.window.locks[0].places[].frames | map(.function) | index("take_hot") != null] | all')" true
	within "fighters among its owners" "$(get "[.window.locks[0].owners[].tid] - [$(grep -lx fighter /proc/"$target_pid"/task/*/comm | cut -d/ -f5 | paste -sd,)] | length")" 0 0
	within "owners that were seen" "$(get '.window.locks[0].owners | length')" 1 4
else
	echo "left out: $(get .why_no_window)"
fi

# A busy mutex is no deadlock, however often one looks, and nobody who waits for it holds it.
for _ in $(seq 20); do
	"$osprey" locks --now --json --no-lines "$target_pid" >"$scratch/json" || wrong "a busy mutex: exit code $?: $(get .deadlocks)"
	is "locks whose owner waits for them" "$(get '[.locks[] | select(.owner as $o | .waiters | index($o))] | length')" 0
done
"$osprey" locks --for 0.3 --no-color "$target_pid" >"$scratch/text"
is "lines over 100 columns" "$(awk 'length > 100' "$scratch/text" | wc -l)" 0
holds "the hot lock in words" "$scratch/text" "$hot"
stop "$target_pid"

"$osprey" locks --now 4194303 >"$scratch/out" 2>"$scratch/errors"
is "exit code of a PID of nobody" $? 3
is "what is said of it" "$(<"$scratch/errors")" "osprey: locks: there is no process 4194303"
"$osprey" locks nginx 2>/dev/null; is "exit code of a word" $? 2
"$osprey" locks --now --for 1 $$ 2>/dev/null; is "exit code of what does not fit" $? 2
end
