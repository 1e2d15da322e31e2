/* codecs FILE: one line each of "CODEC decode|encode MB/s" (of the text, by CPU time), the best of several
 * rounds in which they take turns. */
#include <osprey/rt.h>

#include "records.h"

#define ROUNDS 5
#define ROUND_NS 60000000

static void fail(const char *what)
{
	fprintf(stderr, "codecs: %s\n", what);
	exit(1);
}

static void ours_decode(const char *text, size_t n, struct orders *ret)
{
	struct rt_problem p;

	if (rt_json_decode(RT_TYPE(struct orders), text, n, NULL, ret, &p) != 0)
		fail(p.reason);
}

static void ours_encode(const struct orders *o, char **ret, size_t *ret_n)
{
	struct rt_problem p;

	if (rt_json_encode_text(RT_TYPE(struct orders), o, NULL, NULL, ret, ret_n, &p) != 0)
		fail(p.reason);
}

static int64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static double once(const struct codec *c, bool encodes, const char *text, size_t n, const struct orders *whole)
{
	int64_t start = cpu_ns(), ns;
	unsigned times = 0;

	do {
		if (encodes) {
			char *out;
			size_t out_n;
			c->encode(whole, &out, &out_n);
			free(out);
		} else {
			struct orders o = { 0 };
			c->decode(text, n, &o);
			rt_clear(RT_TYPE(struct orders), &o, NULL);
		}
		times++;
		ns = cpu_ns() - start;
	} while (ns < ROUND_NS);
	return (double)n * times / ((double)ns / 1e9) / 1e6;
}

/* What one writes all read, and get the same. */
static void agree(const struct codec *c, const char *text, size_t n, const struct orders *whole)
{
	struct orders o = { 0 }, again = { 0 };
	char *out;
	size_t out_n;

	c->decode(text, n, &o);
	if (rt_equal(RT_TYPE(struct orders), &o, whole) != 1)
		fail("not all read the same");
	c->encode(whole, &out, &out_n);
	ours_decode(out, out_n, &again);
	if (rt_equal(RT_TYPE(struct orders), &again, whole) != 1)
		fail("not all write the same");
	rt_clear(RT_TYPE(struct orders), &o, NULL);
	rt_clear(RT_TYPE(struct orders), &again, NULL);
	free(out);
}

int main(int argc, char **argv)
{
	static char text[1 << 22];
	const struct codec all[] = { { "ours", ours_decode, ours_encode }, peer };
	double best[2][2] = { 0 };
	struct orders whole = { 0 };
	FILE *f = argc == 2 ? fopen(argv[1], "r") : NULL;
	size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;

	if (n == 0)
		fail("no text");
	fclose(f);
	ours_decode(text, n, &whole);
	for (size_t i = 0; i < 2; i++)
		agree(&all[i], text, n, &whole);
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < 2; i++) {
			for (int encodes = 0; encodes < 2; encodes++) {
				double speed = once(&all[i], encodes, text, n, &whole);
				best[i][encodes] = speed > best[i][encodes] ? speed : best[i][encodes];
			}
		}
	}
	for (size_t i = 0; i < 2; i++)
		printf("%s decode %.1f\n%s encode %.1f\n", all[i].name, best[i][0], all[i].name, best[i][1]);
	rt_clear(RT_TYPE(struct orders), &whole, NULL);
	return 0;
}
