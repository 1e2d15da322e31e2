#include "dig/latency/histogram.h"

#include "base/check.h"

static void slots_are_gapless(void)
{
	for (unsigned i = 0; i + 1 < LATENCY_SLOTS; i++) {
		CHECK(histogram_low_ns(i) < histogram_high_ns(i));
		CHECK_U64(histogram_high_ns(i), histogram_low_ns(i + 1));
		CHECK_U64(latency_slot(histogram_low_ns(i)), i);
		CHECK_U64(latency_slot(histogram_high_ns(i) - 1), i);
	}
	CHECK_U64(latency_slot(UINT64_MAX), LATENCY_SLOTS - 1);
	CHECK_U64(latency_slot(0), 0);
	CHECK_U64(histogram_low_ns(latency_slot(1000)), 896);
	/* The slots reach far enough for what hangs. */
	CHECK(histogram_low_ns(LATENCY_SLOTS - 1) > UINT64_C(900) * 1000000000);
}

static void put(struct latency_counts *c, uint64_t ns, uint64_t times)
{
	c->count += times;
	c->total_ns += times * ns;
	c->slot[latency_slot(ns)] += times;
	if (ns > c->max_ns) {
		c->max_ns = ns;
		c->max_at_ns = ns + 1;
	}
}

/* Against the same values sorted. */
static void quantiles_are_within_an_eighth(void)
{
	static const double wanted[] = { 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 1 };
	struct latency_counts c = { 0 };
	uint64_t value[2000], x = 1;

	for (size_t i = 0; i < 2000; i++) {
		x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
		value[i] = 100 + (x >> 40) % 1000 * ((x >> 20) % 5000);
		put(&c, value[i], 1);
	}
	for (size_t i = 1; i < 2000; i++) /* by insertion */
		for (size_t k = i; k > 0 && value[k] < value[k - 1]; k--) {
			uint64_t swap = value[k];
			value[k] = value[k - 1];
			value[k - 1] = swap;
		}
	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
		size_t at = (size_t)(wanted[i] * 2000 + 0.5) - 1;
		CHECK_NEAR((double)histogram_quantile(&c, wanted[i]), (double)value[at], (double)value[at] * 0.25);
	}
	CHECK_U64(histogram_quantile(&c, 1), c.max_ns);
	CHECK_NEAR(histogram_mean(&c), (double)c.total_ns / 2000, 1e-6);
}

static void none_and_one(void)
{
	struct latency_counts c = { 0 };

	CHECK_U64(histogram_quantile(&c, 0.99), 0);
	CHECK(isnan(histogram_mean(&c)));
	put(&c, 5000, 1);
	CHECK(histogram_quantile(&c, 0.5) <= 5000);
	CHECK_U64(histogram_quantile(&c, 1), 5000);
}

static void sums_and_differences(void)
{
	struct latency_counts a = { 0 }, b = { 0 }, d;

	put(&a, 1000, 10);
	b = a;
	put(&b, 300, 4);
	histogram_delta(&a, &b, &d);
	CHECK_U64(d.count, 4);
	CHECK_U64(d.total_ns, 1200);
	CHECK_U64(d.max_at_ns, 0); /* the worst is older */
	CHECK(d.max_ns >= 300 && d.max_ns <= 384);
	put(&b, 7000, 1);
	histogram_delta(&a, &b, &d);
	CHECK_U64(d.max_ns, 7000);
	CHECK_U64(d.max_at_ns, 7001);
	histogram_delta(&b, &b, &d);
	CHECK_U64(d.count, 0);
	CHECK_U64(d.max_ns, 0);
	histogram_add(&a, &b);
	CHECK_U64(a.count, 25);
	CHECK_U64(a.max_ns, 7000);
}

static void rows_keep_the_sum(void)
{
	struct latency_counts c = { 0 };
	struct histogram_row row[HISTOGRAM_MAX_ROWS];
	uint64_t sum = 0;

	CHECK_U64(histogram_rows(&c, 20, row), 0);
	put(&c, 1000, 3);
	put(&c, 1100, 2);
	CHECK_U64(histogram_rows(&c, 20, row), 2);
	CHECK_U64(row[0].low_ns, 896);
	put(&c, 1, 1);
	put(&c, UINT64_MAX, 1);
	unsigned n = histogram_rows(&c, 20, row);
	CHECK(n == LATENCY_SLOTS / 4);
	for (unsigned i = 0; i < n; i++)
		sum += row[i].count;
	CHECK_U64(sum, 7);
}

int main(void)
{
	slots_are_gapless();
	quantiles_are_within_an_eighth();
	none_and_one();
	sums_and_differences();
	rows_keep_the_sum();
	return check_exit();
}
