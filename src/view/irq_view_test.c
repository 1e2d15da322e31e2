#include "view/irq_view.h"

#include "base/check.h"
#include "base/cleanup.h"

static void test_growth(void)
{
	CHECK_U64(irq_growth(5, 12), 7);
	CHECK_U64(irq_growth(7, 7), 0);
	CHECK_U64(irq_growth(UINT32_MAX - 4, 5), 10); /* over the wrap */
	CHECK_U64(irq_growth(UINT64_C(1) << 40, 5), 0); /* no counter of 32 bits: it was reset */
}

static int have(struct buf *b, const char *key, const char *text)
{
	return buf_printf(b, "have %zu %s\n%s\n", strlen(text), key, text);
}

static double number(const struct entity *e, const char *column, const void *row)
{
	struct cell c = entity_column(e, span_from(column))->get(row);

	return cell_number(&c);
}

static const void *row_of(const row_vec *rows, const char *line)
{
	for (size_t i = 0; i < rows->n; i++)
		if (strcmp(((const struct irq_row *)rows->v[i])->line->line, line) == 0)
			return rows->v[i];
	fprintf(stderr, "no line %s\n", line);
	exit(1);
}

/* Two looks, 2 s apart. In between a counter wraps, CPU 3 comes, line 9 too, line 8 goes. */
static void test_two_looks(void)
{
	struct buf capture = { 0 };
	struct view_wanted wanted = { 0 };
	struct host *h = NULL;
	row_vec rows = { 0 }, cpus = { 0 };
	void *state = NULL;

	CHECK(buf_printf(&capture, "osprey-capture 1\ntick 1000000000 10000000000 5\n") == 0);
	CHECK(have(&capture, "/proc/interrupts", 
		   "      CPU0  CPU1\n  7: 4294967290  100  APIC  1-edge  eth0\n  8: 5 5  APIC  2-edge  gone\n") == 0);
	CHECK(buf_printf(&capture, "tick 3000000000 12000000000 7\n") == 0);
	CHECK(have(&capture, "/proc/interrupts",
		   "      CPU0  CPU1  CPU3\n  7: 4  120  60  APIC  1-edge  eth0\n  9: 0  0  8  APIC  2-edge  new\nERR: 3\n") == 0);
	CHECK(have(&capture, "/proc/softirqs", "      CPU0  CPU1 CPU3 CPU4\n NET_RX: 4  0  0  0\n") == 0);
	CHECK(host_open_capture_text(&capture, &h, NULL) == 0);
	CHECK(view_irq.open(h, &wanted, NULL, &state, NULL) == 0);
	CHECK(view_irq.look(state, NULL) == 0);
	CHECK(view_irq.sections[0].rows(state, &rows) == 0);
	CHECK_U64(rows.n, 2);
	CHECK_NEAR(number(&entity_interrupt, "per_s", row_of(&rows, "8")), 1, 1e-9); /* 10 in 10 s since boot */
	CHECK(host_tick(h, 0) == 0 && view_irq.look(state, NULL) == 0);
	rows.n = 0;
	CHECK(view_irq.sections[0].rows(state, &rows) == 0);
	CHECK_U64(rows.n, 4); /* 7, 9, ERR, NET_RX */
	const struct irq_row *eth = row_of(&rows, "7");
	CHECK_U64(eth->growth[0], 10);
	CHECK_U64(eth->growth[1], 20);
	CHECK_U64(eth->growth[2], 60);
	CHECK_NEAR(number(&entity_interrupt, "per_s", eth), 45, 1e-9);
	CHECK_NEAR(number(&entity_interrupt, "busiest_cpu", eth), 3, 0);
	CHECK_NEAR(number(&entity_interrupt, "busiest_pct", eth), 100 * 60.0 / 90, 1e-9);
	CHECK_NEAR(number(&entity_interrupt, "imbalance", eth), 2, 1e-9);
	CHECK_STR(eth->by_cpu, "0:5.0 1:10.0 3:30.0");
	CHECK_NEAR(number(&entity_interrupt, "per_s", row_of(&rows, "ERR")), 1.5, 1e-9);
	CHECK(isnan(number(&entity_interrupt, "busiest_cpu", row_of(&rows, "ERR"))));
	CHECK(view_irq.sections[1].rows(state, &cpus) == 0);
	CHECK_U64(cpus.n, 3); /* CPU 4 is not there, and did nothing */
	CHECK_NEAR(number(&entity_interrupt_cpu, "hard_per_s", cpus.v[2]), 34, 1e-9);
	CHECK_NEAR(number(&entity_interrupt_cpu, "soft_per_s", cpus.v[0]), 2, 1e-9);
	CHECK_NEAR(number(&entity_interrupt_cpu, "hard_pct", cpus.v[2]), 100 * 68.0 / 98, 1e-9);
	view_irq.close(state);
	host_free(h);
	vec_free(&rows);
	vec_free(&cpus);
	buf_deinit(&capture);
}

/* With more than eight CPUs the busiest are named, most first. */
static void test_many_cpus(void)
{
	struct buf capture = { 0 };
	struct view_wanted wanted = { 0 };
	struct host *h = NULL;
	row_vec rows = { 0 };
	void *state = NULL;

	CHECK(buf_printf(&capture, "osprey-capture 1\ntick 1000000000 1000000000 5\n") == 0);
	CHECK(have(&capture, "/proc/interrupts",
		   " CPU0 CPU1 CPU2 CPU3 CPU4 CPU5 CPU6 CPU7 CPU8 CPU9 CPU10\n"
		   "LOC: 1 2 3 4 5 6 7 8 9 200000 11   Local timer interrupts\n") == 0);
	CHECK(host_open_capture_text(&capture, &h, NULL) == 0);
	CHECK(view_irq.open(h, &wanted, NULL, &state, NULL) == 0 && view_irq.look(state, NULL) == 0);
	CHECK(view_irq.sections[0].rows(state, &rows) == 0);
	CHECK_STR(((const struct irq_row *)rows.v[0])->by_cpu, "9:200K 10:11.0 8:9.0 7:8.0 6:7.0 5:6.0 4:5.0 3:4.0");
	struct irq_overview o = irq_overview(state);
	CHECK(o.cpus == 11 && o.busiest && o.busiest->cpu == 9);
	CHECK_NEAR(o.hard_per_s, 200056, 1e-6);
	view_irq.close(state);
	host_free(h);
	vec_free(&rows);
	buf_deinit(&capture);
}

int main(void)
{
	test_growth();
	test_two_looks();
	test_many_cpus();
	return check_exit();
}
