/* Arenas: blocks do not overlap and keep what is in them, marks, limits, scopes; what is caught where it is
 * debugged. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define BLOCKS 3000

struct taken {
	unsigned char *p;
	size_t bytes;
	unsigned char filled;
};

static uint32_t seed;

static uint32_t draw(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)(seed >> 8) * n >> 24);
}

static bool holds(const struct taken *t)
{
	for (size_t i = 0; i < t->bytes; i++)
		if (t->p[i] != t->filled)
			return false;
	return true;
}

static void take(struct rt_arena *a, struct taken *t)
{
	size_t align = 16;

	t->bytes = draw(20) ? draw(200) : draw(20000);
	if (draw(8) == 0) {
		align = (size_t)1 << draw(13);
		t->p = rt_arena_alloc_aligned(a, t->bytes, align);
	} else {
		t->p = rt_arena_alloc(a, t->bytes);
	}
	CHECK(t->p && (uintptr_t)t->p % align == 0);
	t->filled = (unsigned char)draw(256);
	memset(t->p, t->filled, t->bytes);
}

static void random_blocks(unsigned flags, size_t first_bytes)
{
	static struct taken taken[BLOCKS];
	struct rt_arena_options options = { .flags = flags, .first_bytes = first_bytes };
	struct rt_arena_mark marks[10];
	struct rt_arena_state state;
	struct rt_arena *a;
	int n = 0, nmarks = 0, marked[10];

	CHECK(rt_arena_new(&options, &a) == 0);
	for (int step = 0; step < BLOCKS; step++) {
		uint32_t what = draw(100);
		if (what == 0 && nmarks < 10) {
			marked[nmarks] = n;
			marks[nmarks++] = rt_arena_mark(a);
		} else if (what == 1 && nmarks > 0) {
			for (int i = marked[--nmarks]; i < n; i++)
				CHECK(holds(&taken[i]));
			n = marked[nmarks];
			rt_arena_rewind(a, marks[nmarks]);
		} else if (what == 2 && draw(10) == 0) {
			rt_arena_reset(a);
			n = nmarks = 0;
		} else {
			take(a, &taken[n++]);
		}
	}
	for (int i = 0; i < n; i++)
		CHECK(holds(&taken[i]));
	/* The same again fits into what it keeps. */
	for (int round = 0; round < 2; round++) {
		rt_arena_reset(a);
		rt_arena_look(a, &state);
		CHECK(flags ? state.chunks == 0 : state.chunks <= 2 && state.chunk_bytes <= (size_t)600 << 10);
		for (int i = 0; i < 100; i++)
			CHECK(rt_arena_alloc(a, 100) != NULL);
	}
	rt_arena_free(a);
}

static void limits(void)
{
	struct rt_arena_options options = { .most_bytes = 100000 };
	struct rt_arena_state state;
	struct rt_arena *a;

	CHECK(rt_arena_new(&(struct rt_arena_options){ .flags = 8 }, &a) == -EINVAL);
	CHECK(rt_arena_new(&(struct rt_arena_options){ .most_bytes = 100 }, &a) == -ENOMEM);
	CHECK(rt_arena_new(&options, &a) == 0);
	CHECK(rt_arena_alloc(a, 200000) == NULL);
	CHECK(rt_arena_alloc(a, SIZE_MAX) == NULL && rt_arena_alloc(a, SIZE_MAX - 8) == NULL && rt_arena_alloc(a, SIZE_MAX / 2) == NULL);
	CHECK(rt_arena_alloc_aligned(a, 1, (size_t)1 << 62) == NULL);
	CHECK(rt_arena_zalloc(a, SIZE_MAX / 2, 4) == NULL);
	int n = 0;
	while (rt_arena_alloc(a, 1000))
		n++;
	CHECK(n > 50 && n < 100);
	rt_arena_look(a, &state);
	CHECK(state.chunk_bytes <= 100000);
	rt_arena_reset(a);
	CHECK(rt_arena_alloc(a, 1000) != NULL);
	rt_arena_free(a);
	rt_arena_free(NULL);
}

static void strings(void)
{
	struct rt_arena *a;
	char big[6000];

	CHECK(rt_arena_new(NULL, &a) == 0);
	memset(big, 'b', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	char *s = rt_arena_strdup(a, "one"), *t = rt_arena_strndup(a, "twofold", 3), *u = rt_arena_printf(a, "%d %s", 3, "three");
	char *v = rt_arena_printf(a, "%s%s", big, big), *w = rt_arena_printf(a, "%s", "");
	CHECK(!strcmp(s, "one") && !strcmp(t, "two") && !strcmp(u, "3 three") && !strcmp(w, ""));
	CHECK(strlen(v) == 2 * strlen(big) && !strncmp(v, big, strlen(big)));
	CHECK(!memcmp(rt_arena_memdup(a, big, sizeof big), big, sizeof big));
	int *zeros = rt_arena_zalloc(a, 100, sizeof *zeros), sum = 0;
	for (int i = 0; i < 100; i++)
		sum |= zeros[i];
	CHECK(sum == 0);
	rt_arena_free(a);
}

/* -- scopes */

static struct rt_scope scope;
static _Atomic int order;

static int uses(void *arg)
{
	struct rt_arena *own;

	CHECK(rt_arena_of_scope(&scope, NULL, &own) == 0);
	for (int i = 0; i < 100; i++) {
		char *s = rt_arena_printf(own, "%d of %s", i, (char *)arg);
		rt_yield();
		CHECK(atoi(s) == i && strstr(s, "request"));
	}
	return 0;
}

static void is_called(void *arg)
{
	CHECK(order++ == (int)(intptr_t)arg);
}

static int of_scopes(void *arg)
{
	struct rt_at_close second = { .function = is_called, .arg = (void *)1 }, first = { .function = is_called, .arg = (void *)0 };
	struct rt_arena *a;

	(void)arg;
	order = 0;
	rt_scope_open(&scope, RT_FOREVER);
	rt_scope_at_close(&scope, &second);
	CHECK(rt_arena_of_scope(&scope, NULL, &a) == 0);
	char *name = rt_arena_strdup(a, "request");
	for (int i = 0; i < 20; i++)
		CHECK(rt_scope_go(&scope, uses, name) == 0);
	rt_scope_at_close(&scope, &first);
	CHECK(rt_scope_close(&scope) == 0);
	CHECK(order == 2);
	return 0;
}

/* -- what is caught, each in a process of its own */

static void writes_after_reset(struct rt_arena *a)
{
	char *volatile p = rt_arena_alloc(a, 10);

	rt_arena_reset(a);
	(void)rt_arena_alloc(a, 10);
	*p = 1;
}

static void reads_after_free_of_large(struct rt_arena *a)
{
	char *volatile p = rt_arena_alloc(a, 100000);

	rt_arena_reset(a);
	if (*p == 5)
		_exit(0);
}

static void writes_behind(struct rt_arena *a)
{
	char *volatile p = rt_arena_alloc(a, 10);

	p[10] = 1;
	rt_arena_reset(a);
}

static void rewinds_twice(struct rt_arena *a)
{
	struct rt_arena_mark first = rt_arena_mark(a);
	char *p = rt_arena_alloc(a, 100000);
	struct rt_arena_mark second = rt_arena_mark(a);

	(void)p;
	rt_arena_rewind(a, first);
	rt_arena_rewind(a, second);
}

static void is_caught(void (*what)(struct rt_arena *), int signal)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		struct rt_arena *a;
		if (!freopen("/dev/null", "w", stderr) ||
		    rt_arena_new(&(struct rt_arena_options){ .flags = RT_ARENA_GUARD }, &a) < 0)
			_exit(1);
		what(a);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	/* AddressSanitizer ends with a status of its own. */
	CHECK((WIFSIGNALED(status) && WTERMSIG(status) == signal) || (SANITIZED_ADDRESS && signal == SIGSEGV && status != 0));
}

#if SANITIZED_ADDRESS
extern int __asan_address_is_poisoned(void const volatile *p);

static void is_poisoned(void)
{
	struct rt_arena *a;

	CHECK(rt_arena_new(NULL, &a) == 0);
	char *p = rt_arena_alloc(a, 10);
	struct rt_arena_mark mark = rt_arena_mark(a);
	char *q = rt_arena_alloc(a, 10);
	CHECK(!__asan_address_is_poisoned(p + 9) && __asan_address_is_poisoned(p + 10) && !__asan_address_is_poisoned(q));
	rt_arena_rewind(a, mark);
	CHECK(!__asan_address_is_poisoned(p) && __asan_address_is_poisoned(q));
	rt_arena_reset(a);
	CHECK(__asan_address_is_poisoned(p));
	rt_arena_free(a);
}
#endif

int main(void)
{
	static const struct check_test tests[] = {
		{ "arenas of a scope", of_scopes },
	};
	static void (*const caught[])(struct rt_arena *) = { writes_after_reset, reads_after_free_of_large, writes_behind, rewinds_twice };

	for (seed = 1; seed < 30; seed += 7) {
		random_blocks(0, 0);
		random_blocks(0, 1);
		random_blocks(0, 100000);
		random_blocks(RT_ARENA_GUARD, 0);
	}
	limits();
	strings();
	for (int i = 0; i < 4; i++)
		is_caught(caught[i], i < 2 ? SIGSEGV : SIGABRT);
#if SANITIZED_ADDRESS
	is_poisoned();
#endif
	return check_all(tests, sizeof tests / sizeof *tests);
}
