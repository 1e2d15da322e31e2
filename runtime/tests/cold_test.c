/* Memory that waiting gives back: of cold fibers, as the watcher makes them (many, what is told of them, and
 * what goes wrong), and of a process that rests. */
#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "child.h"

static struct rt_event event;
static _Atomic long right, begun;

static uint64_t cold(void)
{
	struct rt_cold_state s;

	rt_cold_look(&s);
	return s.fibers;
}

static bool cold_until(uint64_t n)
{
	int64_t until = rt_now() + 60000 * MS;

	while (cold() != n && rt_now() < until)
		rt_sleep(MS);
	return cold() == n;
}

static long resident(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long pages = 0;

	if (!f || fscanf(f, "%*d %ld", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

static int waits(void *arg)
{
	volatile uintptr_t words[8];

	for (uintptr_t i = 0; i < 8; i++)
		words[i] = (uintptr_t)&words[i] + (uintptr_t)arg;
	if (rt_cold_begin() < 0)
		return -ENOMEM;
	begun++;
	int r = rt_event_wait(&event, RT_FOREVER);
	rt_cold_end();
	for (uintptr_t i = 0; i < 8; i++)
		if (words[i] != (uintptr_t)&words[i] + (uintptr_t)arg)
			return -EPROTO;
	right++;
	return r;
}

static int many(void *arg)
{
	long n = check_load(1000);
	struct rt_scope s;

	(void)arg;
	memset(&event, 0, sizeof event);
	right = 0;
	rt_scope_open(&s, RT_FOREVER);
	long before = resident();
	for (long i = 0; i < n; i++)
		CHECK(rt_scope_go(&s, waits, (void *)i) == 0);
	CHECK(cold_until((uint64_t)n));
	long each = (resident() - before) / n;
	/* A page of the stack would be more alone. */
	if (!SANITIZED && !getenv("RT_LIGHTER"))
		CHECK(each < 2048);
	rt_event_set(&event);
	CHECK(rt_scope_close(&s) == 0 && right == n);
	CHECK(cold() == 0);
	return 0;
}

/* Those of which nobody knows the channel: the copies are looked into as stacks are. */
static int holds_and_waits(void *arg)
{
	wipe_stack();
	/* What such a block held before points to the next free one, which is another's by now. */
	void *volatile block = rt_calloc(1, 333);
	if (rt_cold_begin() < 0)
		return -ENOMEM;
	int r = rt_receive(arg, NULL, RT_FOREVER);
	rt_cold_end();
	rt_free(block);
	return r == -EPIPE ? 0 : r;
}

#define UNKNOWN 8

static struct rt_chan *known;
static uintptr_t hidden[UNKNOWN];

static __attribute__((noinline)) void start_some(void)
{
	struct rt_chan *unknown;

	for (int i = 0; i < UNKNOWN; i++) {
		CHECK(rt_chan_new(8, 0, &unknown) == 0 && rt_go(holds_and_waits, unknown) == 0);
		hidden[i] = ~(uintptr_t)unknown;
	}
	CHECK(rt_chan_new(8, 0, &known) == 0 && rt_go(holds_and_waits, known) == 0);
}

/* No scope holds them, which could cancel them. A word may look like a pointer to one; and what threads have left in
 * registers may, until they have rested. */
static int leaks(void *arg)
{
	struct rt_leaks l = { 0 };
	int r = 0;

	(void)arg;
	if (!BEARS_TRACERS)
		return 0;
	start_some();
	wipe_stack();
	CHECK(cold_until(UNKNOWN + 1));
	for (int look = 0; look < 10 && r == 0 && l.fibers < UNKNOWN / 2; look++) {
		if (look > 0)
			rt_sleep(5 * MS);
		r = rt_leaks_find(&l, NULL, 0);
		CHECK(r == (SANITIZED ? -ENOSYS : 0));
		CHECK(l.fibers <= UNKNOWN);
	}
	CHECK(r < 0 || l.fibers >= UNKNOWN / 2);
	rt_close(known);
	rt_chan_free(known);
	for (int i = 0; i < UNKNOWN; i++)
		rt_close((struct rt_chan *)~hidden[i]);
	while (cold())
		rt_sleep(MS);
	return 0;
}

/* -- what ends a process */

static int ends_without(void *arg)
{
	(void)arg;
	rt_cold_end();
	return 0;
}

static volatile char *_Atomic shown;

static int shows_and_waits(void *arg)
{
	volatile char mine[64] = { 0 };

	shown = mine;
	CHECK(rt_cold_begin() == 0);
	int r = rt_event_wait(arg, RT_FOREVER);
	rt_cold_end();
	return r;
}

static int writes_to_a_cold_stack(void *arg)
{
	struct rt_fiber f;

	(void)arg;
	CHECK(rt_spawn(shows_and_waits, &event, NULL, &f) == 0 && cold_until(1));
	shown[3] = 1;
	rt_event_set(&event);
	return rt_join(f, NULL, RT_FOREVER);
}

static int waits_in_vain(void *arg)
{
	CHECK(rt_cold_begin() == 0);
	int r = rt_event_wait(arg, RT_FOREVER);
	rt_cold_end();
	return r;
}

/* The last that could end it ends itself, while the other is cold. */
static int leaves_it_alone(void *arg)
{
	(void)arg;
	CHECK(rt_go(waits_in_vain, &event) == 0 && cold_until(1));
	return 0;
}

/* All of the memory is taken: no copy can be made, nobody is cold, and nothing is lost. */
static int without_memory(void *arg)
{
	struct rt_fiber f;
	struct rlimit old, now;
	void *blocks = NULL, *b;
	int r = -1;

	(void)arg;
	begun = 0;
	CHECK(rt_spawn(waits, NULL, NULL, &f) == 0);
	while (!begun)
		rt_yield();
	CHECK(getrlimit(RLIMIT_AS, &old) == 0);
	now = old;
	now.rlim_cur = 1 << 20;
	CHECK(setrlimit(RLIMIT_AS, &now) == 0);
	for (size_t bytes = 1 << 20; bytes >= 64; bytes /= 2)
		while ((b = rt_malloc(bytes))) {
			*(void **)b = blocks;
			blocks = b;
		}
	rt_sleep(200 * MS);
	CHECK(cold() == 0);
	for (; (b = blocks); rt_free(b))
		blocks = *(void **)b;
	CHECK(setrlimit(RLIMIT_AS, &old) == 0);
	rt_event_set(&event);
	CHECK(rt_join(f, &r, RT_FOREVER) == 0 && r == 0);
	return 0;
}

static rt_function *ending;

static void in_child(unsigned processors)
{
	struct rt_options options = { .processors = processors };

	CHECK(rt_run(&options, ending, NULL) == 0);
}

static void end_of(const char *name, rt_function *run, unsigned processors, int exit, int signal,
		   const char *words)
{
	ending = run;
	child_check(name, in_child, processors, exit, signal, words);
}

/* Many whose stacks are gone become readable between two looks; their buffers lie on those stacks. */
#define READERS 8

static struct rt_fd sockets[READERS];

static int reads(void *arg)
{
	char bytes[2] = { 0, 'x' };

	CHECK(rt_cold_begin() == 0);
	CHECK(rt_read(sockets[(intptr_t)arg], bytes, 1, RT_FOREVER) == 1);
	rt_cold_end();
	CHECK(bytes[0] == (char)(intptr_t)arg && bytes[1] == 'x');
	return 0;
}

static int read_together(void *arg)
{
	struct rt_scope s;
	int peers[READERS], fds[2];

	(void)arg;
	rt_scope_open(&s, RT_FOREVER);
	for (intptr_t i = 0; i < READERS; i++) {
		CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
		CHECK(rt_fd_adopt(fds[0], 0, &sockets[i]) == 0);
		peers[i] = fds[1];
		CHECK(rt_scope_go(&s, reads, (void *)i) == 0);
	}
	CHECK(cold_until(READERS));
	for (int i = 0; i < READERS; i++)
		CHECK(write(peers[i], &(char){ (char)i }, 1) == 1);
	CHECK(rt_scope_close(&s) == 0);
	for (int i = 0; i < READERS; i++) {
		CHECK(rt_fd_close(sockets[i]) == 0);
		close(peers[i]);
	}
	return 0;
}

/* -- a process whose fibers all wait gives back what it does not need: blocks that were freed, by whichever
 * thread, and stacks of fibers that ended */

#define FIBERS 1000
#define BLOCKS 32
#define BLOCK_BYTES 1000
#define DEEP (32 << 10)

static void *blocks[FIBERS][BLOCKS];
static _Atomic bool frees;

static __attribute__((noinline)) void goes_deep(void)
{
	volatile char room[DEEP];

	for (size_t i = 0; i < sizeof room; i += 1024)
		room[i] = 1;
}

static int works(void *arg)
{
	long i = (long)(intptr_t)arg;

	if (!frees)
		goes_deep();
	/* Others free what was taken here. */
	long of = frees ? FIBERS - 1 - i : i;
	for (int k = 0; k < BLOCKS; k++) {
		if (frees) {
			rt_free(blocks[of][k]);
			continue;
		}
		blocks[of][k] = rt_malloc(BLOCK_BYTES);
		CHECK(blocks[of][k]);
		if (blocks[of][k])
			memset(blocks[of][k], 1, BLOCK_BYTES);
	}
	rt_yield();
	return 0;
}

static void work(bool free_them)
{
	struct rt_scope s;

	frees = free_them;
	rt_scope_open(&s, RT_FOREVER);
	for (long i = 0; i < FIBERS; i++)
		CHECK(rt_scope_go(&s, works, (void *)(intptr_t)i) == 0);
	CHECK(rt_scope_close(&s) == 0);
}

static int rests(void *arg)
{
	long n = 0, held, most = 0;

	(void)arg;
	rt_heap_decay(100);
	work(false);
	long all = resident();
	work(true);
	/* Once all is quiet for a second, and then for as long as blocks are kept. Who looks spoils that, so
	 * it looks seldom. */
	for (int64_t pause = 1800 * MS; n++ < 5; pause += 500 * MS) {
		rt_sleep(pause);
		held = resident();
		most = (long)FIBERS * BLOCKS * BLOCK_BYTES + (long)FIBERS * DEEP;
		if (all - held > most / 10 * 8)
			return 0;
	}
	fprintf(stderr, "%ld of %ld bytes are held, %ld could go\n", held, all, most);
	CHECK(false);
	return 0;
}

static void in_child_at_rest(unsigned processors)
{
	struct rt_options options = { .processors = processors };

	CHECK(rt_run(&options, rests, NULL) == 0);
}

/* It takes seconds, in which the others are tested. */
static void begin_to_rest(int ends[2], pid_t *ret)
{
	CHECK(pipe(ends) == 0);
	*ret = fork();
	if (*ret == 0)
		child_run(in_child_at_rest, 2, ends);
}

static void end_of_rest(const int ends[2], pid_t pid)
{
	int status = child_end(pid, ends, child_said, sizeof child_said);

	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 100);
	if (child_said[0])
		fprintf(stderr, "at rest: %s\n", child_said);
}

int main(void)
{
	int ends[2] = { -1, -1 };
	pid_t resting = -1;

	static const struct check_test tests[] = {
		{ "leaks", leaks },
		{ "many", many },
		{ "read together", read_together },
	};

	/* Sanitizers keep what is freed. */
	if (!SANITIZED && !getenv("RT_LIGHTER"))
		begin_to_rest(ends, &resting);
	end_of("ends without", ends_without, 1, 0, SIGABRT,
	       "osprey/rt: rt_cold_end: the fiber's waits are not cold");
	end_of("writes to a cold stack", writes_to_a_cold_stack, 1, 0, SIGABRT,
	       "was written to while it was cold");
	end_of("deadlock", leaves_it_alone, 2, 0, SIGABRT, "waits_in_vain+");
	if (!SANITIZED)
		end_of("without memory", without_memory, 2, 100, 0, "");
	int r = check_all(tests, sizeof tests / sizeof *tests);
	if (resting > 0)
		end_of_rest(ends, resting);
	return check_failed ? EXIT_FAILURE : r;
}
