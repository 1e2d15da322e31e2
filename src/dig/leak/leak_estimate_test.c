/* Draws, estimates and their errors, against sums that are known. */
#include "dig/leak/leak_estimate.h"

#include "base/check.h"
#include "base/clock.h"
#include "dig/leak/leak_draw.bpf.h"
#include "dig/leak/leak_watch.bpf.h"

static uint64_t state = 88172645463325252ull;

static uint32_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32);
}

static void test_logarithm(void)
{
	const uint32_t x[] = { 1, 2, 3, 1000, 1u << 16, 0x7fffffff, 0x80000000, 0x80000001, 0xc0000000, UINT32_MAX };

	for (size_t i = 0; i < sizeof x / sizeof x[0]; i++)
		CHECK_NEAR((double)leak_minus_log2(x[i]) / 65536, 32 - log2((double)x[i]), 1e-4);
}

static void test_draws(void)
{
	const uint64_t means[] = { 1000, 512 << 10, 1ull << 40 };

	for (size_t m = 0; m < sizeof means / sizeof means[0]; m++) {
		double sum = 0, squares = 0, mean = (double)means[m];
		unsigned above = 0;
		const unsigned n = 200000;

		for (unsigned i = 0; i < n; i++) {
			double x = (double)leak_draw(means[m], next_random()) / mean;
			sum += x;
			squares += x * x;
			above += x > 1;
		}
		CHECK_NEAR(sum / n, 1, 0.02);
		CHECK_NEAR(squares / n, 2, 0.1);
		CHECK_NEAR((double)above / n, exp(-1), 0.01);
	}
	CHECK(leak_draw(1, 1) >= 1 && leak_draw(1, UINT32_MAX) >= 1 && leak_draw(1, 0) >= 1);
	/* The largest draw of the largest mean does not wrap. */
	CHECK(leak_draw(LEAK_MEAN_MAX, 1) > 20 * LEAK_MEAN_MAX);
}

/* As the BPF program does it. */
struct sampler {
	uint64_t mean, left;
};

static void allocate(struct sampler *s, leak_sample_vec *v, uint32_t site, uint64_t bytes, uint64_t at_ns, bool live)
{
	if (s->left > bytes) {
		s->left -= bytes;
		return;
	}
	s->left = leak_draw(s->mean, next_random());
	struct leak_sample *a = vec_push(v);
	if (!a)
		abort();
	*a = (struct leak_sample){ at_ns, 0, bytes, s->mean, site, live };
}

static const struct leak_row *row_of(const leak_row_vec *rows, uint32_t site)
{
	static const struct leak_row none;

	vec_each(r, rows)
		if (r->site == site)
			return r;
	return &none;
}

/* Site 0 keeps all, of one size; 1 frees all; 2 keeps what it allocated in the last quarter, small and large;
 * 3 in the first. */
static double run(uint64_t mean, double *ret_error, leak_row_vec *rows, struct leak_row *total)
{
	const struct leak_window window = { 1000 * NS_PER_S, 1010 * NS_PER_S, 5 * NS_PER_S };
	struct sampler s = { mean, leak_draw(mean, next_random()) };
	leak_sample_vec v = { 0 };
	const unsigned n = 20000;

	for (unsigned i = 0; i < n; i++) {
		uint64_t at_ns = window.start_ns + 10 * NS_PER_S / n * i;

		allocate(&s, &v, 0, 1000, at_ns, true);
		allocate(&s, &v, 1, 3000, at_ns, false);
		allocate(&s, &v, 2, i % 2 ? 16 : 5000, at_ns, i >= n / 4 * 3);
		allocate(&s, &v, 3, 100, at_ns, i < n / 4);
	}
	CHECK(leak_rows_make(&v, 5, &window, rows, total) == 0);
	vec_free(&v);
	*ret_error = leak_sum_error(&row_of(rows, 0)->live);
	return row_of(rows, 0)->live.bytes;
}

static void test_exact(void)
{
	leak_row_vec rows = { 0 };
	struct leak_row total;
	double error;

	CHECK_NEAR(run(1, &error, &rows, &total), 20e6, 1);
	CHECK_NEAR(error, 0, 1);
	CHECK_U64(rows.n, 3);
	/* Most that is old comes first. */
	CHECK_U64(rows.v[0].site, 0);
	CHECK_U64(rows.v[1].site, 3);
	CHECK_U64(rows.v[2].site, 2);
	const struct leak_row *r = &rows.v[0];
	CHECK_NEAR(r->old.bytes, 10e6, 2000);
	CHECK_NEAR(r->live.count, 20000, 0.1);
	CHECK_NEAR(r->mean_age_s, 5, 0.01);
	CHECK_NEAR(r->growth_bytes_per_s, 2e6, 1000);
	for (size_t i = 0; i < LEAK_PARTS; i++)
		CHECK_NEAR(r->part_bytes[i], 5e6, 2000);
	CHECK_NEAR(rows.v[1].old.bytes, 500e3, 200);
	CHECK_NEAR(rows.v[1].allocated.bytes, 2e6, 200);
	CHECK_NEAR(rows.v[1].part_bytes[0], 500e3, 200);
	CHECK_NEAR(rows.v[2].old.bytes, 0, 0);
	CHECK_NEAR(rows.v[2].live.bytes, 2500.0 * 5016, 20);
	CHECK_NEAR(rows.v[2].part_bytes[3], 2500.0 * 5016, 20);
	CHECK_NEAR(total.live.bytes, 20e6 + 500e3 + 2500.0 * 5016, 100);
	CHECK_NEAR(total.allocated.bytes, 20e6 + 60e6 + 10000.0 * 5016 + 2e6, 1000);
	vec_free(&rows);
}

/* Over many runs the mean is the truth, and the interval holds it in about 95 of 100. */
static void test_sampled(void)
{
	const unsigned runs = 200;
	unsigned inside = 0;
	double sum = 0;

	for (unsigned i = 0; i < runs; i++) {
		leak_row_vec rows = { 0 };
		struct leak_row total;
		double error, bytes = run(40000, &error, &rows, &total);

		sum += bytes;
		inside += fabs(bytes - 20e6) <= error;
		vec_free(&rows);
	}
	CHECK_NEAR(sum / runs / 20e6, 1, 0.02);
	CHECK(inside >= 0.88 * runs && inside <= 0.995 * runs);
}

static void test_nothing(void)
{
	const struct leak_window window = { 5, 5, 0 };
	leak_sample_vec v = { 0 };
	leak_row_vec rows = { 0 };
	struct leak_row total;

	CHECK(leak_rows_make(&v, 0, &window, &rows, &total) == 0);
	CHECK_U64(rows.n, 0);
	CHECK_NEAR(total.live.bytes, 0, 0);
	CHECK(isnan(total.growth_bytes_per_s));
	vec_free(&rows);
}

static void test_adapt(void)
{
	CHECK_U64(leak_mean_first(0, 0, 0.05, 1000), 1);
	CHECK_U64(leak_mean_first(49, 5000000, 0.05, 1000), 1);
	CHECK_U64(leak_mean_first(5000, 5000000, 0.05, 1000), 100000);
	/* Up at once, down step by step, and it stays where it fits. */
	CHECK_U64(leak_mean_adapt(1000, 2500, 0.25, 1000), 10000);
	CHECK_U64(leak_mean_adapt(1000, 0, 0.25, 1000), 250);
	CHECK_U64(leak_mean_adapt(1000, 240, 0.25, 1000), 1000);
	CHECK_U64(leak_mean_adapt(1, 0, 0.25, 1000), 1);
	CHECK_U64(leak_mean_adapt(LEAK_MEAN_MAX, 100000, 0.25, 1000), LEAK_MEAN_MAX);
}

int main(void)
{
	test_logarithm();
	test_draws();
	test_exact();
	test_sampled();
	test_nothing();
	test_adapt();
	return check_exit();
}
