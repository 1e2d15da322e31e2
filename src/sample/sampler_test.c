/* The sampler on this machine: its pace, that a step costs no allocation once running, and that
 * a capture of it replays to the same window. */
#include "sample/sampler.h"

#include <errno.h>
#include <unistd.h>
#include <zstd.h>

#include "base/check.h"

/* Counts allocations while `counting`. Sanitizers bring their own allocator. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define CAN_COUNT 1
static bool counting;
static unsigned long allocations;

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

void *malloc(size_t n)
{
	allocations += counting;
	return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	allocations += counting;
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	allocations += counting;
	return __libc_realloc(p, n);
}
#else
#define CAN_COUNT 0
#endif

static struct sampler *start(struct host **ret_host)
{
	struct sampler *s = NULL;
	struct note note = { "" };

	CHECK(host_open_live("/", ret_host, &note) == 0);
	CHECK(sampler_new(*ret_host, NULL, &s, &note) == 0);
	return s;
}

static void looks_once_a_second_and_at_both_ends(void)
{
	struct host *h;
	struct sampler *s = start(&h);
	struct window w;
	uint64_t from = host_time(h).mono_ns, end = from + 1500 * NS_PER_MS;
	unsigned steps = 0, looks = 0;
	int r;

	do {
		r = sampler_step(s, end);
		steps++;
		looks += sampler_looked(s);
	} while (r > 0);
	CHECK(r == 0);
	CHECK(steps >= 10 && steps <= 17); /* a loaded machine may miss ticks, never adds any */
	CHECK_U64(looks, 2);
	CHECK(sampler_window(s, &w) == 0);
	CHECK(w.seconds >= 1.49);
	CHECK(w.nticks == steps + 1 || w.nticks == steps);
	CHECK_U64(w.task_looks, 3);
	CHECK(window_process(&w, getpid()) != NULL);
	CHECK(window_process(&w, getpid())->looks >= 3);
	CHECK(reading_ok(WINDOW_DELTA(&w, cpu.context_switches)));
	for (size_t i = 1; i < w.nticks; i++)
		CHECK(w.ticks[i].at.mono_ns > w.ticks[i - 1].at.mono_ns);
	sampler_free(s);
	host_free(h);
}

/* Whatever was sought before, each search finds what is there, and nothing else. */
static void finds_in_any_order(void)
{
	enum { N = 7 };
	static const int order[] = { 0, 1, 2, 3, 6, 0, 5, 5, 4, 1 };
	struct sample s = { .nnet_ns = 1 }, shorter = { .nnet_ns = 1 };

	for (size_t i = 0; i < N; i++) {
		struct cgroup *c = vec_push(&s.cgroups);
		struct socket *socket = vec_push(&s.net_ns[0].sockets);

		CHECK(c && socket);
		c->id = 100 + i / 2; /* one number in two hierarchies */
		strcpy(c->mount, i % 2 ? "/a" : "/b");
		socket->cookie = 200 + i;
	}
	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
		struct cgroup like = s.cgroups.v[order[i]], other = like;

		CHECK(sample_cgroup(&s, &like) == &s.cgroups.v[order[i]]);
		CHECK(net_ns_socket(&s.net_ns[0], 200 + (unsigned)order[i]) == &s.net_ns[0].sockets.v[order[i]]);
		strcpy(other.mount, "/c");
		CHECK(sample_cgroup(&s, &other) == NULL && sample_cgroup(&shorter, &like) == NULL);
		CHECK(net_ns_socket(&s.net_ns[0], 300) == NULL && net_ns_socket(&shorter.net_ns[0], 200) == NULL);
	}
	sample_deinit(&s);
}

/* Ticks between looks read fixed files: nothing may be allocated at all. Looks may meet new tasks
 * and grow a vector for them, which no test can forbid on a machine that lives. */
static void ticks_allocate_nothing(void)
{
#if CAN_COUNT
	struct host *h;
	struct sampler *s = start(&h);
	uint64_t end = host_time(h).mono_ns + 900 * NS_PER_MS;

	CHECK(sampler_step(s, end) == 1); /* buffers grow to their size */
	allocations = 0;
	counting = true;
	for (int i = 0; i < 5; i++)
		CHECK(sampler_step(s, end) == 1 && !sampler_looked(s));
	counting = false;
	CHECK_U64(allocations, 0);
	sampler_free(s);
	host_free(h);
#endif
}

struct figures {
	size_t nprocesses, ntasks, nticks, nevents;
	uint64_t switches, idle_ns, first_ns, last_ns, cpu_sum_ns;
};

static struct figures figures_of(const struct window *w)
{
	struct figures f = {
		.nprocesses = w->nprocesses,
		.ntasks = w->ntasks,
		.nticks = w->nticks,
		.nevents = w->nevents,
		.switches = WINDOW_DELTA(w, cpu.context_switches),
		.idle_ns = WINDOW_DELTA(w, cpu.total.idle_ns),
		.first_ns = w->from.mono_ns,
		.last_ns = w->to.mono_ns,
	};

	for (size_t i = 0; i < w->nprocesses; i++)
		f.cpu_sum_ns += reading_or(w->processes[i].cpu_ns, 0);
	return f;
}

static void check_same(const struct figures *a, const struct figures *b)
{
	CHECK_U64(a->nprocesses, b->nprocesses);
	CHECK_U64(a->ntasks, b->ntasks);
	CHECK_U64(a->nticks, b->nticks);
	CHECK_U64(a->nevents, b->nevents);
	CHECK_U64(a->switches, b->switches);
	CHECK_U64(a->idle_ns, b->idle_ns);
	CHECK_U64(a->first_ns, b->first_ns);
	CHECK_U64(a->last_ns, b->last_ns);
	CHECK_U64(a->cpu_sum_ns, b->cpu_sum_ns);
}

static struct figures run(struct host *h, uint64_t window_ns)
{
	struct sampler *s = NULL;
	struct note note = { "" };
	struct window w;
	struct figures f = { 0 };

	CHECK(sampler_new(h, NULL, &s, &note) == 0);
	if (!s)
		return f;
	uint64_t end = host_time(h).mono_ns + window_ns;
	while (sampler_step(s, end) > 0)
		;
	CHECK(sampler_window(s, &w) == 0);
	f = figures_of(&w);
	sampler_free(s);
	return f;
}

static void a_capture_replays_to_the_same_window(void)
{
	char path[] = "/tmp/osprey-sampler-test.XXXXXX";
	struct note note = { "" };
	struct host *h;

	close(mkstemp(path));
	CHECK(host_open_live("/", &h, &note) == 0);
	CHECK(host_capture_to(h, path, &note) == 0);
	struct figures live = run(h, 1200 * NS_PER_MS);
	CHECK(host_capture_end(h) == 0);
	host_free(h);

	CHECK(host_open_capture(path, &h, &note) == 0);
	struct figures replayed = run(h, 1200 * NS_PER_MS);
	CHECK(replayed.nprocesses > 1);
	check_same(&live, &replayed);
	host_free(h);
	unlink(path);
}

static struct host *replay(struct buf *text)
{
	struct note note = { "" };
	struct host *h = NULL;

	CHECK(host_open_capture_text(text, &h, &note) == 0);
	return h;
}

static void add_tick(struct buf *text, uint64_t ns)
{
	static const char stat[] = "cpu  10 0 10 80 0 0 0 0 0 0\nctxt 5\nprocesses 9\n";

	CHECK(buf_printf(text, "tick %llu %llu %llu\nhave %zu /proc/stat\n%s\n", (unsigned long long)ns,
			 (unsigned long long)ns, (unsigned long long)ns, sizeof stat - 1, stat) == 0);
}

/* A host that stood still for 5 s is looked at once for it, and then once a second again. */
static void missed_looks_are_not_made_up_for(void)
{
	struct buf text = { 0 };
	struct sampler *s = NULL;
	struct note note = { "" };
	unsigned looks = 0;

	CHECK(buf_printf(&text, "osprey-capture 1\n") == 0);
	for (uint64_t ms = 100; ms <= 7600; ms += ms == 200 ? 5000 : 100)
		add_tick(&text, ms * NS_PER_MS);
	struct host *h = replay(&text);
	CHECK(sampler_new(h, NULL, &s, &note) == 0);
	while (sampler_step(s, UINT64_MAX) > 0)
		looks += sampler_looked(s);
	CHECK_U64(looks, 3); /* at 5.2, 6.1 and 7.1 s; the last tick's is not counted */
	sampler_free(s);
	host_free(h);
}

#if CAN_COUNT
/* The text of a capture, without the magic and the first tick. */
static void read_capture(const char *path, struct buf *ret)
{
	struct buf raw = { 0 };
	struct host *h = NULL;
	size_t left = 1;

	CHECK(host_open_live("/", &h, NULL) == 0);
	CHECK(host_read(h, path, &raw) == 0);
	host_free(h);
	ZSTD_DCtx *zstd = ZSTD_createDCtx();
	ZSTD_inBuffer in = { raw.data, raw.n, 0 };
	while (left && in.pos <= in.size) {
		CHECK(buf_reserve(ret, 1 << 16) == 0);
		ZSTD_outBuffer out = { ret->data + ret->n, 1 << 16, 0 };
		left = ZSTD_decompressStream(zstd, &out, &in);
		CHECK(!ZSTD_isError(left));
		ret->n += out.pos;
	}
	ZSTD_freeDCtx(zstd);
	buf_deinit(&raw);
}

static struct host *same_look_again(unsigned ticks)
{
	char path[] = "/tmp/osprey-sampler-test.XXXXXX";
	struct buf once = { 0 }, text = { 0 };
	struct span body, line;
	struct host *h = NULL;
	struct sampler *s = NULL;

	close(mkstemp(path));
	CHECK(host_open_live("/", &h, NULL) == 0 && host_capture_to(h, path, NULL) == 0);
	CHECK(sampler_new(h, NULL, &s, NULL) == 0);
	sampler_free(s);
	CHECK(host_capture_end(h) == 0);
	host_free(h);
	read_capture(path, &once);
	unlink(path);
	body = buf_span(&once);
	CHECK(span_line(&body, &line) && span_line(&body, &line) && span_starts(line, "tick "));
	CHECK(buf_printf(&text, "osprey-capture 1\n") == 0);
	for (unsigned i = 1; i <= ticks; i++)
		CHECK(buf_printf(&text, "tick %u000000000 %u000000000 1\n", i, 1000000 + i) == 0 &&
		      buf_append(&text, body.p, body.n) == 0);
	buf_deinit(&once);
	return replay(&text);
}
#endif

/* On a host where nothing comes and goes whole looks allocate nothing either. */
static void looks_allocate_nothing(void)
{
#if CAN_COUNT
	struct host *h = same_look_again(9);
	struct sampler *s = NULL;

	CHECK(sampler_new(h, NULL, &s, NULL) == 0);
	for (int i = 0; i < 3; i++) /* buffers grow to their size */
		CHECK(sampler_step(s, UINT64_MAX) == 1 && sampler_looked(s));
	allocations = 0;
	counting = true;
	for (int i = 0; i < 4; i++)
		CHECK(sampler_step(s, UINT64_MAX) == 1 && sampler_looked(s));
	counting = false;
	CHECK_U64(allocations, 0);
	CHECK(s && sampler_step(s, UINT64_MAX) == 0);
	sampler_free(s);
	host_free(h);
#endif
}

int main(void)
{
	looks_allocate_nothing();
	finds_in_any_order();
	missed_looks_are_not_made_up_for();
	looks_once_a_second_and_at_both_ends();
	ticks_allocate_nothing();
	a_capture_replays_to_the_same_window();
	return check_exit();
}
