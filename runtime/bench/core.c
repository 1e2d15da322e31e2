/* The rows of core.sh on the runtime. usage: core PROCESSORS [ROW…]
 *
 * PARKED in the environment: how many fibers the rows of many have (a million). */
#include <osprey/rt.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include "rows.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define MILLION 1000000

static unsigned processors;
static struct rt_chan *a, *b;
static volatile long sink;

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

static int yields(void *arg)
{
	for (long n = (long)arg; n > 0; n--)
		rt_yield();
	return 0;
}

static double row_yield(void)
{
	struct rt_fiber f[2];
	long each = 2 * MILLION;
	double start = row_clock();

	for (size_t i = 0; i < COUNT(f); i++)
		if (rt_spawn(yields, (void *)each, NULL, &f[i]) < 0)
			abort();
	for (size_t i = 0; i < COUNT(f); i++)
		sink += rt_join(f[i], NULL, RT_FOREVER);
	return (row_clock() - start) / (2.0 * (double)each);
}

static double row_spawn_join(void)
{
	int n = MILLION;
	double start = row_clock();

	for (int i = 0; i < n; i++) {
		struct rt_fiber f;
		if (rt_spawn(nothing, NULL, NULL, &f) < 0 || rt_join(f, NULL, RT_FOREVER) < 0)
			abort();
	}
	return (row_clock() - start) / n;
}

static double row_batch(void)
{
	static struct rt_fiber f[1000];
	int rounds = 1000;
	double start = row_clock();

	for (int r = 0; r < rounds; r++) {
		for (size_t i = 0; i < COUNT(f); i++)
			if (rt_spawn(nothing, NULL, NULL, &f[i]) < 0)
				abort();
		for (size_t i = 0; i < COUNT(f); i++)
			sink += rt_join(f[i], NULL, RT_FOREVER);
	}
	return (row_clock() - start) / (rounds * (double)COUNT(f));
}

static void channels_new(size_t capacity)
{
	if (rt_chan_new(sizeof(long), capacity, &a) < 0 || rt_chan_new(sizeof(long), capacity, &b) < 0)
		abort();
}

static int echo(void *arg)
{
	long v;

	if (arg)
		rt_pin();
	while (rt_receive(a, &v, RT_FOREVER) == 0)
		sink += rt_send(b, &v, RT_FOREVER);
	rt_close(b);
	if (arg)
		rt_unpin();
	return 0;
}

static double row_unbuffered(void)
{
	int n = MILLION;
	long v = 0;

	channels_new(0);
	if (rt_go(echo, NULL) < 0)
		abort();
	double start = row_clock();
	for (int i = 0; i < n; i++)
		if (rt_send(a, &v, RT_FOREVER) < 0 || rt_receive(b, &v, RT_FOREVER) < 0)
			abort();
	double took = row_clock() - start;
	rt_close(a);
	sink += rt_receive(b, &v, RT_FOREVER);
	return took / n;
}

/* Both stay on their threads. With `apart_ns` each trip begins so long after the last that the other's thread
 * sleeps. */
static double across(int n, double apart_ns)
{
	double took = 0;
	long v = 0;

	if (processors < 2)
		return -1;
	channels_new(0);
	rt_pin();
	if (rt_go(echo, &v) < 0)
		abort();
	for (int i = 0; i < n; i++) {
		double start = wall_clock(), until = start + apart_ns;
		while (start < until)
			start = wall_clock();
		if (rt_send(a, &v, RT_FOREVER) < 0 || rt_receive(b, &v, RT_FOREVER) < 0)
			abort();
		took += wall_clock() - start;
	}
	rt_close(a);
	sink += rt_receive(b, &v, RT_FOREVER);
	rt_unpin();
	return took / n;
}

static double row_across_spinning(void)
{
	return across(100000, 0);
}

static double row_across_parked(void)
{
	return across(2000, 200e3);
}

static int sender(void *arg)
{
	struct rt_chan *c = arg;

	for (long v = 0; v < 2 * MILLION; v++)
		if (rt_send(c, &v, RT_FOREVER) < 0)
			abort();
	rt_close(c);
	return 0;
}

static double stream(struct rt_chan *c)
{
	long v, n = 0;
	double start = row_clock();

	if (rt_go(sender, c) < 0)
		abort();
	while (rt_receive(c, &v, RT_FOREVER) == 0)
		n++;
	double took = row_clock() - start;
	rt_chan_free(c);
	return took / (double)n;
}

static double row_buffered(void)
{
	channels_new(128);
	rt_chan_free(b);
	return stream(a);
}

/* Two senders, and one that selects between them. */
static double row_select(void)
{
	long v, n = 0, open = 2;
	double start = row_clock();

	channels_new(0);
	if (rt_go(sender, a) < 0 || rt_go(sender, b) < 0)
		abort();
	struct rt_case k[] = { { .chan = a, .receive = &v }, { .chan = b, .receive = &v } };
	while (open) {
		int i = rt_select(k, COUNT(k), RT_FOREVER);
		if (k[i].result < 0) {
			k[i].chan = NULL;
			open--;
		} else {
			n++;
		}
	}
	return (row_clock() - start) / (double)n;
}

static double row_poll(void)
{
	int n = 5 * MILLION;
	long v;

	channels_new(0);
	struct rt_case k[] = { { .chan = a, .receive = &v }, { .chan = b, .receive = &v } };
	double start = row_clock();
	for (int i = 0; i < n; i++)
		sink += rt_select(k, COUNT(k), 0);
	return (row_clock() - start) / n;
}

static struct rt_mutex mutex;

static int locks(void *arg)
{
	for (long n = (long)arg; n > 0; n--) {
		if (rt_lock(&mutex, RT_FOREVER) < 0)
			abort();
		sink++;
		rt_unlock(&mutex);
	}
	return 0;
}

static double row_mutex(void)
{
	long n = 5 * MILLION;
	double start = row_clock();

	locks((void *)n);
	return (row_clock() - start) / (double)n;
}

static double row_mutex_100(void)
{
	static struct rt_fiber f[100];
	long each = 50000;
	double start = row_clock();

	for (size_t i = 0; i < COUNT(f); i++)
		if (rt_spawn(locks, (void *)each, NULL, &f[i]) < 0)
			abort();
	for (size_t i = 0; i < COUNT(f); i++)
		sink += rt_join(f[i], NULL, RT_FOREVER);
	return (row_clock() - start) / ((double)each * (double)COUNT(f));
}

/* A scope with a deadline that ends before it: what arms and cancels a timer, and no more. */
static double row_timer(void)
{
	int n = 3 * MILLION;
	int64_t deadline = rt_now() + INT64_C(3600000000000);
	double start = row_clock();

	for (int i = 0; i < n; i++) {
		struct rt_scope s;
		rt_scope_open(&s, deadline + INT64_C(1000) * i);
		sink += rt_scope_close(&s);
	}
	return (row_clock() - start) / n;
}

static int naps(void *arg)
{
	return rt_sleep_until((int64_t)(intptr_t)arg);
}

/* How many the rows of many have. */
static long parked_most(void)
{
	const char *text = getenv("PARKED");

	return text ? atol(text) : MILLION;
}

/* Seconds from the first start to the last end; each sleeps for 1 to 2 s. */
static double row_sleeps(void)
{
	struct rt_scope s;
	uint64_t luck = 1;
	long n = parked_most();
	double start = wall_clock();

	rt_scope_open(&s, RT_FOREVER);
	for (long i = 0; i < n; i++) {
		luck = luck * 6364136223846793005u + 1442695040888963407u;
		int64_t until = rt_now() + 1000000000 + (int64_t)((luck >> 32) * 1000000000 >> 32);
		if (rt_scope_go(&s, naps, (void *)(intptr_t)until) < 0)
			abort();
	}
	if (rt_scope_close(&s) < 0)
		abort();
	return (wall_clock() - start) / 1e9;
}

static struct rt_event event;

static int waits(void *arg)
{
	(void)arg;
	return rt_event_wait(&event, RT_FOREVER);
}

static double parked_ns;

/* Resident bytes of each of many that wait; then the time to start, wake and join each. */
static double row_parked_bytes(void)
{
	struct rt_scope s;
	long n = parked_most();
	double start = row_clock(), before = resident_bytes();

	rt_event_reset(&event);
	rt_scope_open(&s, RT_FOREVER);
	for (long i = 0; i < n; i++)
		if (rt_scope_go(&s, waits, NULL) < 0)
			abort();
	rt_yield();
	double bytes = (resident_bytes() - before) / (double)n;
	rt_event_set(&event);
	if (rt_scope_close(&s) < 0)
		abort();
	parked_ns = (row_clock() - start) / (double)n;
	return bytes;
}

static double row_parked_ns(void)
{
	return parked_ns > 0 ? parked_ns : -1;
}

static int waits_cold(void *arg)
{
	(void)arg;
	if (rt_cold_begin() < 0)
		abort();
	return rt_event_wait(&event, RT_FOREVER);
}

static void until_cold(uint64_t n)
{
	struct rt_cold_state s;

	do {
		rt_sleep(5000000);
		rt_cold_look(&s);
	} while (s.fibers < n);
}

static double cold_tables = -1;

/* The same of those that are cold; in steps, so that few are warm at a time. And of the page tables, which
 * are in no figure of what is resident. */
static double row_parked_cold(void)
{
	long n = parked_most(), step = 50000;
	double before = resident_bytes(), tables = status_bytes("VmPTE:");
	struct rt_scope s;

	rt_event_reset(&event);
	rt_scope_open(&s, RT_FOREVER);
	for (long i = 0; i < n; i++) {
		if (rt_scope_go(&s, waits_cold, NULL) < 0)
			abort();
		if ((i + 1) % step == 0 || i + 1 == n)
			until_cold((uint64_t)i + 1);
	}
	double bytes = (resident_bytes() - before) / (double)n;
	cold_tables = (status_bytes("VmPTE:") - tables) / (double)n;
	rt_event_set(&event);
	if (rt_scope_close(&s) < 0)
		abort();
	return bytes;
}

static double row_cold_tables(void)
{
	return cold_tables;
}

static long called;

static int on_event(void *arg)
{
	(void)arg;
	called++;
	return 0;
}

/* Descriptors that are asked to start a fiber when there is something to read, as many as a process may have
 * open. */
static double row_parked_callback(void)
{
	struct rlimit files;
	long n = parked_most();
	uint64_t one = 1;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return -1;
	files.rlim_cur = files.rlim_max;
	sink += setrlimit(RLIMIT_NOFILE, &files);
	n = n + 100 < (long)files.rlim_cur ? n : (long)files.rlim_cur - 100;
	struct rt_fd *fds = calloc((size_t)n, sizeof *fds);
	if (!fds)
		abort();
	memset(fds, 1, (size_t)n * sizeof *fds);
	double before = resident_bytes();
	for (long i = 0; i < n; i++)
		if (rt_fd_adopt(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), 0, &fds[i]) < 0 ||
		    rt_fd_on_readable(fds[i], on_event, NULL) < 0)
			abort();
	double bytes = (resident_bytes() - before) / (double)n;
	called = 0;
	for (long i = 0; i < n; i++)
		if (write(rt_fd_number(fds[i]), &one, sizeof one) != sizeof one)
			abort();
	while (__atomic_load_n(&called, __ATOMIC_RELAXED) < n / 100 * 99)
		rt_sleep(1000000);
	for (long i = 0; i < n; i++)
		rt_fd_close(fds[i]);
	free(fds);
	return bytes;
}

/* -- what waiting and being woken costs, of many at once: warm, within rt_cold_begin but not for long, and
 * cold */

#define WAITERS 2000
#define WAIT_ROUNDS 4

static struct rt_event rounds[WAIT_ROUNDS + 1];
static _Atomic long standing;

static int waits_in_rounds(void *arg)
{
	if (arg && rt_cold_begin() < 0)
		abort();
	for (int i = 0; i < WAIT_ROUNDS; i++) {
		standing++;
		sink += rt_event_wait(&rounds[i], RT_FOREVER);
	}
	return 0;
}

static void until_standing(bool cold)
{
	while (standing < WAITERS)
		rt_yield();
	if (cold)
		until_cold(WAITERS);
}

/* The first round is left out: there all is new. */
static double wait_rounds(void *within, bool cold)
{
	struct rt_scope s;
	double start = 0;

	for (int i = 0; i <= WAIT_ROUNDS; i++)
		rt_event_reset(&rounds[i]);
	standing = 0;
	rt_scope_open(&s, RT_FOREVER);
	for (int i = 0; i < WAITERS; i++)
		if (rt_scope_go(&s, waits_in_rounds, within) < 0)
			abort();
	for (int i = 0; i < WAIT_ROUNDS; i++) {
		until_standing(cold);
		if (i == 0)
			start = row_clock();
		standing = 0;
		if (i == WAIT_ROUNDS - 1)
			break;
		rt_event_set(&rounds[i]);
	}
	double took = row_clock() - start;
	rt_event_set(&rounds[WAIT_ROUNDS - 1]);
	if (rt_scope_close(&s) < 0)
		abort();
	return took / (WAIT_ROUNDS - 1) / WAITERS;
}

static double row_wait(void)
{
	return wait_rounds(NULL, false);
}

/* What was held up for so long that some became cold does not count. */
static double row_wait_within(void)
{
	struct rt_cold_state before, after;
	double ns = -1;

	for (int i = 0; i < 10; i++) {
		rt_cold_look(&before);
		ns = wait_rounds(&event, false);
		rt_cold_look(&after);
		if (after.times == before.times)
			return ns;
	}
	return -1;
}

/* CPU time also at P = 2: what passes until they are cold is no cost. */
static double row_wait_cold(void)
{
	int wall = rows_wall;

	rows_wall = 0;
	double ns = wait_rounds(&event, true);
	rows_wall = wall;
	return ns;
}

static volatile int stop_hog;

static int hog(void *arg)
{
	(void)arg;
	while (!stop_hog)
		;
	return 0;
}

/* Milliseconds by which sleeps of 5 ms are late beside one that never calls, in the mean. */
static double row_hog(void)
{
	int n = 40;
	double late = 0;

	if (processors > 1)
		return -1;
	stop_hog = 0;
	if (rt_go(hog, NULL) < 0)
		abort();
	for (int i = 0; i < n; i++) {
		double start = wall_clock();
		sink += rt_sleep(5000000);
		late += wall_clock() - start - 5e6;
	}
	stop_hog = 1;
	return late / n / 1e6;
}

static const struct row rows[] = {
	{ "yield", row_yield },
	{ "spawn+join", row_spawn_join },
	{ "batch", row_batch },
	{ "unbuffered", row_unbuffered },
	{ "across-spinning", row_across_spinning },
	{ "across-parked", row_across_parked },
	{ "buffered-128", row_buffered },
	{ "select-2", row_select },
	{ "poll-2", row_poll },
	{ "mutex", row_mutex },
	{ "mutex-100", row_mutex_100 },
	{ "timer", row_timer },
	{ "hog-ms", row_hog },
	{ "sleeps-s", row_sleeps },
	{ "parked-bytes", row_parked_bytes },
	{ "parked-ns", row_parked_ns },
	{ "cold-bytes", row_parked_cold },
	{ "cold-tables", row_cold_tables },
	{ "callback-bytes", row_parked_callback },
	{ "wait", row_wait },
	{ "wait-within", row_wait_within },
	{ "wait-cold", row_wait_cold },
};

static int all(void *names)
{
	rows_run(rows, COUNT(rows), names);
	return 0;
}

int main(int argc, char **argv)
{
	struct rt_options options = { .processors = argc > 1 ? (unsigned)atoi(argv[1]) : 1 };

	processors = options.processors;
	rows_wall = processors > 1;
	if (rt_run(&options, all, argv + (argc > 1 ? 2 : 1)) < 0)
		abort();
	return EXIT_SUCCESS;
}
