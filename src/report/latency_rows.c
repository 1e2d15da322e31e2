/* What both forms of latencies share: names, order, sums. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dig/latency/call_name.h"
#include "report/latency.h"

const char *const latency_kind_names[] = { "runq", "disk", "syscall", "softirq", "futex", NULL };

const char *latency_vector_name(uint64_t number)
{
	static const char *const names[] = { "hi", "timer", "net_tx", "net_rx", "block", "irq_poll", "tasklet", "sched",
					     "hrtimer", "rcu" };

	return number < sizeof names / sizeof names[0] ? names[number] : "?";
}

/* enum req_op of linux/blk_types.h: the low byte of cmd_flags. */
const char *latency_operation_name(uint32_t operation)
{
	switch (operation & 255) {
	case 0: return "read";
	case 1: return "write";
	case 2: return "flush";
	case 3: return "discard";
	case 9: return "write zeroes";
	default: return "request";
	}
}

static int number_name(const struct latency_request *q, uint64_t number, struct buf *ret)
{
	if (q->kind == LATENCY_SOFTIRQ)
		return buf_printf(ret, "%s", latency_vector_name(number));
	if (q->kind == LATENCY_RUNQ)
		return buf_printf(ret, "CPU %" PRIu64, number);
	return call_name(number) ? buf_printf(ret, "%s", call_name(number)) : buf_printf(ret, "call %" PRIu64, number);
}

int latency_row_name(const struct latency_report *report, const struct latency_row *row, struct buf *ret)
{
	const struct latency_counts *c = &row->counts;
	const char *name;

	switch (report->request->by) {
	case LATENCY_BY_PROCESS:
		return c->pid ? buf_printf(ret, "%s (%d)", c->name, c->pid) : buf_printf(ret, "%s", c->name);
	case LATENCY_BY_TASK:
		return c->tid ? buf_printf(ret, "%s (%d/%d)", c->name, c->pid, c->tid) : buf_printf(ret, "%s", c->name);
	case LATENCY_BY_CGROUP:
		name = report->cgroups ? cgroup_id_name(report->cgroups, row->key.a) : NULL;
		return name ? buf_printf(ret, "%s", name) : buf_printf(ret, "cgroup %" PRIu64, row->key.a);
	case LATENCY_BY_NUMBER: return number_name(report->request, row->key.a, ret);
	default:
		if (report->request->kind == LATENCY_DISK)
			return buf_printf(ret, "%s", c->name[0] ? c->name : "(no disk)");
		return buf_printf(ret, "0x%" PRIx64 " (%d) %s", row->key.b, c->pid, c->name);
	}
}

bool latency_row_waits(const struct latency_request *q, const struct latency_row *row)
{
	return q->kind == LATENCY_SYSCALL && q->by == LATENCY_BY_NUMBER && call_waits(row->key.a);
}

static int most_time_first(const void *a, const void *b, void *arg)
{
	const struct latency_row *x = a, *y = b;
	bool x_waits = latency_row_waits(arg, x), y_waits = latency_row_waits(arg, y);

	if (x_waits != y_waits)
		return x_waits ? 1 : -1;
	if (x->counts.total_ns != y->counts.total_ns)
		return x->counts.total_ns < y->counts.total_ns ? 1 : -1;
	return memcmp(&x->key, &y->key, sizeof x->key);
}

void latency_rows_sort(const struct latency_report *report)
{
	struct latency_request q = *report->request;
	latency_row_vec *rows = &report->result->rows;

	if (rows->n)
		qsort_r(rows->v, rows->n, sizeof rows->v[0], most_time_first, &q);
}

void latency_sum(const struct latency_report *report, struct latency_counts *ret)
{
	if (report->request->kind != LATENCY_SYSCALL || report->request->by != LATENCY_BY_NUMBER) {
		*ret = report->result->total;
		return;
	}
	memset(ret, 0, sizeof *ret);
	vec_each(row, &report->result->rows)
		if (!latency_row_waits(report->request, row))
			histogram_add(ret, &row->counts);
}
