/* Whatever dies, nothing is left: for each scenario the runner is killed with SIGKILL while the
 * fault is in force, and the host must be as before within 2 s; then the guardian, and `lab
 * clean` must restore the host.
 *
 *     killed [SCENARIO…]      default: all
 *
 * 0: so it was; 1: not so; 77: nothing could be tried here. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "conditions/conditions.h"
#include "lab/healthy.h"
#include "lab/run.h"

#define BOUND_NS (2 * NS_PER_S)

static int bad, tried;

static void wrong(const struct scenario *s, const char *what)
{
	printf("not so: %s: %s\n", s->name, what);
	bad = 1;
}

static void nap_ms(unsigned ms)
{
	uint64_t end = clock_mono_ns() + ms * NS_PER_MS;

	while (clock_sleep_until(end) == -EINTR)
		;
}

/* Tells every difference. */
static bool same_as(const struct scenario *s, const struct residue *before)
{
	cleanup(buf_deinit) struct buf lines = { 0 };
	struct residue *now;

	if (residue_take(&now) < 0) {
		wrong(s, "residue_take");
		return false;
	}
	int n = residue_compare(before, now, &lines);

	residue_free(now);
	if (n != 0)
		printf("left by %s: %s", s->name, lines.data);
	return n == 0;
}

/* A runner that starts the scenario, says by which id, and waits. 0: it could not. */
static pid_t start_runner(const struct scenario *s, pid_t *ret_guardian)
{
	char id[64] = "";
	int ready[2];

	if (pipe2(ready, O_CLOEXEC) < 0)
		return 0;
	pid_t pid = fork();
	if (pid == 0) {
		struct lab_run *run;
		struct note note = { "" };

		if (lab_start(s, STRENGTH_MEDIUM, NULL, &run, &note) < 0) {
			printf("%s does not start: %s\n", s->name, note.text);
			fflush(stdout);
			_exit(1);
		}
		(void)!write(ready[1], lab_run_id(run), strlen(lab_run_id(run)));
		for (;;)
			pause();
	}
	close(ready[1]);
	ssize_t n = read(ready[0], id, sizeof id - 1);
	close(ready[0]);
	*ret_guardian = n > 0 ? (pid_t)atoi(id + strlen("osprey-lab-")) : 0;
	return n > 0 ? pid : 0;
}

/* We are a subreaper, so orphans are ours to wait for. Their number in ms; -1: too long. */
static int await_end(pid_t pid)
{
	uint64_t start = clock_mono_ns();

	while (waitpid(pid, NULL, WNOHANG) == 0) {
		if (clock_mono_ns() - start > BOUND_NS)
			return -1;
		nap_ms(2);
	}
	return (int)((clock_mono_ns() - start) / NS_PER_MS);
}

static void kill_runner(const struct scenario *s, const struct residue *before)
{
	pid_t guardian, runner = start_runner(s, &guardian);

	if (!runner || guardian <= 1) {
		wrong(s, "it does not start");
		return;
	}
	nap_ms(200);
	kill(runner, SIGKILL);
	waitpid(runner, NULL, 0);
	int ms = await_end(guardian);

	if (ms < 0)
		wrong(s, "the guardian has not undone all within 2 s");
	else if (same_as(s, before))
		printf("%s: runner killed, nothing left after %d ms\n", s->name, ms);
	else
		wrong(s, "something is left of it");
}

static void kill_guardian(const struct scenario *s, const struct residue *before)
{
	pid_t guardian, runner = start_runner(s, &guardian);
	struct note note = { "" };
	unsigned undone;

	if (!runner || guardian <= 1) {
		wrong(s, "it does not start a second time");
		return;
	}
	nap_ms(200);
	kill(guardian, SIGKILL);
	/* The runner must not be the one that cleans. */
	kill(runner, SIGKILL);
	waitpid(runner, NULL, 0);
	(void)await_end(guardian);
	if (lab_clean(&undone, &note) < 0)
		wrong(s, note.text);
	else if (same_as(s, before))
		printf("%s: guardian killed, %u changes undone by lab clean\n", s->name, undone);
	else
		wrong(s, "something is left after lab clean");
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static void try_scenario(const struct scenario *s)
{
	struct residue *before;
	struct note note = { "" };

	if (lab_possible(s, &note) < 0) {
		printf("%s is left out: %s\n", s->name, note.text);
		return;
	}
	if (residue_take(&before) < 0)
		return;
	tried++;
	kill_runner(s, before);
	kill_guardian(s, before);
	residue_free(before);
	fflush(stdout);
}

static bool wanted(const struct scenario *s, int argc, char *argv[])
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], s->name) == 0)
			return true;
	return argc < 2;
}

int main(int argc, char *argv[])
{
	size_t n;
	const struct condition *const *conditions = conditions_all(&n);

	if (geteuid() != 0) {
		printf("skip: needs root\n");
		return 77;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < n; i++)
		if (wanted(conditions[i]->scenario, argc, argv))
			try_scenario(conditions[i]->scenario);
	const struct scenario *const *healthy = healthy_all(&n);
	for (size_t i = 0; i < n; i++)
		if (wanted(healthy[i], argc, argv))
			try_scenario(healthy[i]);
	if (!tried)
		printf("skip: no scenario can run here\n");
	return tried ? bad : 77;
}
