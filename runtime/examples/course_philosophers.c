/* The dining philosophers: five at a table, a fork between each two, and who eats needs both.
 *
 *	cc -O2 -g -o course_philosophers course_philosophers.c $(pkg-config --cflags --libs osprey-rt)
 *	./course_philosophers			# they dine
 *	./course_philosophers deadlock		# they starve, and the runtime says how
 *
 * Each takes the left fork first. If all do so at once, each waits for the one on the right, which its
 * neighbour holds, in a circle: the runtime finds that nothing can happen any more, ends the process and
 * prints each philosopher with the mutex it waits for. The cure is to break the circle: forks have an order,
 * and the lower one is taken first. Then the last philosopher begins on the right. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <osprey/rt.h>

#define SEATS 5
#define MEALS 100

static struct rt_mutex forks[SEATS];
static int meals[SEATS];
static bool in_order = true;
static struct rt_wait_group seated;

static int dines(void *arg)
{
	int seat = (int)(intptr_t)arg, left = seat, right = (seat + 1) % SEATS;
	int first = in_order && right < left ? right : left, second = first == left ? right : left;

	for (int i = 0; i < MEALS; i++) {
		(void)rt_lock(&forks[first], RT_FOREVER);
		if (!in_order && i == 0) {
			/* Bad luck is made certain: all hold their left fork before anyone goes on. */
			rt_wait_group_done(&seated);
			(void)rt_wait_group_wait(&seated, RT_FOREVER);
		}
		rt_yield();
		(void)rt_lock(&forks[second], RT_FOREVER);
		meals[seat]++;
		rt_unlock(&forks[second]);
		rt_unlock(&forks[first]);
	}
	return 0;
}

static int table(void *arg)
{
	struct rt_scope s;
	int r = 0;

	(void)arg;
	rt_wait_group_add(&seated, SEATS);
	rt_scope_open(&s, RT_FOREVER);
	for (intptr_t i = 0; i < SEATS && r == 0; i++)
		r = rt_scope_go(&s, dines, (void *)i);
	(void)rt_scope_close(&s);
	for (int i = 0; i < SEATS; i++)
		printf("philosopher %d had %d meals\n", i, meals[i]);
	return r;
}

int main(int argc, char **argv)
{
	in_order = argc < 2;
	if (argc > 2 || (argc == 2 && strcmp(argv[1], "deadlock") != 0)) {
		fprintf(stderr, "usage: course_philosophers [deadlock]\n");
		return 2;
	}
	return rt_run(NULL, table, NULL) < 0;
}
