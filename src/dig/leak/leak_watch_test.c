/* A child that allocates by every function, watched by both ways of attaching. */
#include "dig/leak/leak_watch.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "dig/symbol/symbol.h"

/* All of it at once fits the ring without making samples rarer. */
#define EACH 8
#define SECONDS 30

static void *volatile held[EACH * 16];
static volatile size_t nheld;

static void hold(void *p)
{
	held[nheld] = p;
	nheld = nheld + 1;
}

/* So that the compiler does not spare both. */
static void drop(void *p)
{
	static void *volatile seen;

	seen = p;
	free(seen);
}

/* Sizes tell who it was: 1000 and up, none freed; those of 500 are. */
__attribute__((noinline)) static void allocate_all(void)
{
	void *through = NULL;

	for (int i = 0; i < EACH; i++) {
		hold(malloc(1000));
		hold(calloc(10, 101));
		hold(realloc(NULL, 1020));
		void *volatile grown = malloc(500);
		hold(realloc(grown, 1030));
		if (posix_memalign(&through, 64, 1040) == 0)
			hold(through);
		hold(aligned_alloc(64, 1088));
		hold(memalign(64, 1060));
		drop(malloc(500));
		drop(calloc(5, 100));
		void *volatile gone = malloc(500);
		(void)!realloc(gone, 0);
	}
}

static void child(int wait_fd, int told_fd)
{
	char c;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)!read(wait_fd, &c, 1);
	allocate_all();
	/* Its own child is no part of it. */
	pid_t other = fork();
	if (other == 0) {
		drop(malloc(5000));
		hold(malloc(5000));
		_exit(0);
	}
	waitpid(other, NULL, 0);
	(void)!write(told_fd, "", 1);
	(void)!read(wait_fd, &c, 1);
	_exit(0);
}

static void count_sizes(const struct leak_watch *w, unsigned *ret_live, size_t sizes)
{
	memset(ret_live, 0, sizes * sizeof *ret_live);
	vec_each(s, &w->samples)
		if (s->live && s->bytes < sizes)
			ret_live[s->bytes]++;
}

static void check_names(struct leak_watch *w)
{
	struct symbolizer_options options = { .no_lines = true };
	struct symbolizer *names = NULL;
	unsigned right = 0, all = 0;

	CHECK(symbolizer_new(&options, &names) == 0);
	vec_each(s, &w->samples) {
		const struct leak_site *site = &w->sites.site.v[s->site];
		bool found = false;

		if (!s->live)
			continue;
		for (size_t i = 0; i < site->nframes && i < 3; i++) {
			const struct symbol *symbols;
			size_t n;
			if (symbolize(names, w->space, site->frames[i].pc, site->frames[i].exact, &symbols, &n) < 0)
				abort();
			found |= n && strcmp(symbols[n - 1].function, "allocate_all") == 0;
		}
		right += found;
		all++;
	}
	CHECK_U64(right, all);
	symbolizer_free(names);
}

static void watch(struct host *h, bool no_session)
{
	int wake[2], told[2];
	struct note note = { "" };
	struct leak_options options = { .for_ns = SECONDS * NS_PER_S, .mean_bytes = 1, .no_session = no_session };
	struct image_store *store = NULL;
	struct leak_watch *w = NULL;
	static unsigned live[6000];
	char c;

	CHECK(pipe(wake) == 0 && pipe(told) == 0);
	pid_t pid = fork();
	if (pid == 0)
		child(wake[0], told[1]);
	CHECK(image_store_new(&store) == 0);
	int r = leak_watch_new(h, store, pid, &options, &w, &note);
	if (r < 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		image_store_free(store);
		check_skip("%s", note.text);
	}
	CHECK(write(wake[1], "", 1) == 1);
	CHECK(read(told[0], &c, 1) == 1);
	CHECK(leak_watch_step(w) == 0);
	CHECK(w->end == LEAK_GOES_ON);
	CHECK(leak_watch_end(w) == 0);
	count_sizes(w, live, 6000);
	const unsigned sizes[] = { 1000, 1010, 1020, 1030, 1040, 1088, 1060 };
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		CHECK_U64(live[sizes[i]], EACH);
	CHECK_U64(live[500], 0);
	CHECK_U64(live[5000], 0);
	CHECK_U64(w->counts.ring_full + w->counts.table_full, 0);
	CHECK(w->counts.allocations >= 11 * EACH);
	CHECK(w->counts.frees >= 4 * EACH);
	check_names(w);
	leak_watch_free(w);
	/* It lives on. */
	CHECK(write(wake[1], "", 1) == 1);
	int status = -1;
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK_U64((uint64_t)status, 0);
	close(wake[0]), close(wake[1]), close(told[0]), close(told[1]);
	image_store_free(store);
}

static void test_names(void)
{
	bool prefixed;
	enum leak_call call;

	CHECK(leak_call_of("malloc", &prefixed, &call) && call == LEAK_FIRST && !prefixed);
	CHECK(leak_call_of("_ZdaPvm", &prefixed, &call) && call == LEAK_FREE && !prefixed);
	CHECK(leak_call_of("_rjem_realloc", &prefixed, &call) && call == LEAK_AGAIN && prefixed);
	CHECK(leak_call_of("je_posix_memalign", &prefixed, &call) && call == LEAK_THROUGH && prefixed);
	CHECK(!leak_call_of("mallocs", &prefixed, &call) && !leak_call_of("je_", &prefixed, &call) &&
	      !leak_call_of("", &prefixed, &call) && !leak_call_of("my_malloc", &prefixed, &call));
}

int main(void)
{
	struct host *h = NULL;
	struct note note = { "" };

	test_names();
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	check_skip("a sanitizer's allocator keeps what is freed");
#endif
	if (geteuid() != 0)
		check_skip("needs root");
	if (host_open_live("/", &h, &note) < 0)
		check_skip("%s", note.text);
	watch(h, false);
	watch(h, true);
	host_free(h);
	return check_exit();
}
