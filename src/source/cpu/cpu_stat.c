#include "source/cpu/cpu_stat.h"

#include <errno.h>

#define NS_PER_TICK (UINT64_C(1000000000) / 100) /* USER_HZ is 100 on every architecture we build for */

const struct field cpu_time_fields[] = {
#define ROW(...) FIELD_ROW(struct cpu_times, __VA_ARGS__)
	CPU_TIME_FIELDS(ROW)
#undef ROW
};
const size_t cpu_time_nfields = sizeof cpu_time_fields / sizeof cpu_time_fields[0];

const struct field cpu_stat_fields[] = {
#define ROW(...) FIELD_ROW(struct cpu_stat, __VA_ARGS__)
	CPU_STAT_FIELDS(ROW)
#undef ROW
};
const size_t cpu_stat_nfields = sizeof cpu_stat_fields / sizeof cpu_stat_fields[0];

/* The columns behind "cpu" or "cpu3"; older kernels write fewer. */
static void parse_times(struct span line, struct cpu_times *ret)
{
	struct span word;

	fields_missing(cpu_time_fields, cpu_time_nfields, READING_ABSENT, ret);
	for (size_t i = 0; i < cpu_time_nfields && span_word(&line, &word); i++) {
		uint64_t ticks;
		reading *at = field_at(&cpu_time_fields[i], ret);

		if (!span_u64(word, &ticks) || __builtin_mul_overflow(ticks, NS_PER_TICK, &ticks))
			*at = READING_MALFORMED;
		else
			*at = ticks;
	}
}

int cpu_stat_parse(struct span text, struct cpu_stat *ret, cpu_line_vec *ret_cpus)
{
	struct span lines = text, after = text, line, name;

	fields_missing(cpu_time_fields, cpu_time_nfields, READING_ABSENT, &ret->total);
	if (ret_cpus)
		ret_cpus->n = 0;
	while (span_line(&after, &line)) {
		struct span rest = line;

		if (!span_word(&rest, &name) || !span_starts(name, "cpu"))
			break; /* CPU lines come first */
		lines = after;
		uint64_t number;
		struct span digits = { name.p + 3, name.n - 3 };
		if (digits.n == 0) {
			parse_times(rest, &ret->total);
		} else if (ret_cpus && span_u64(digits, &number) && number < UINT32_MAX) {
			struct cpu_line *cpu = vec_push(ret_cpus);
			if (!cpu)
				return -ENOMEM;
			cpu->cpu = (uint32_t)number;
			parse_times(rest, &cpu->times);
		}
	}
	fields_parse(lines, cpu_stat_fields, cpu_stat_nfields, 1, ret);
	ret->presence = reading_ok(ret->total.user_ns) ? PRESENT : MALFORMED;
	return 0;
}

int cpu_stat_read(struct host *h, struct buf *scratch, struct cpu_stat *ret, cpu_line_vec *ret_cpus)
{
	int r = host_read_kept(h, "/proc/stat", scratch);

	if (r < 0) {
		fields_missing(cpu_time_fields, cpu_time_nfields, reading_from_errno(r), &ret->total);
		fields_missing(cpu_stat_fields, cpu_stat_nfields, reading_from_errno(r), ret);
		ret->presence = presence_from_errno(r);
		if (ret_cpus)
			ret_cpus->n = 0;
		return 0;
	}
	return cpu_stat_parse(buf_span(scratch), ret, ret_cpus);
}

reading cpu_times_busy_ns(const struct cpu_times *t)
{
	if (!reading_ok(t->user_ns))
		return t->user_ns;
	/* Columns that an old kernel lacks count as no time: their time is in the others. */
	return t->user_ns + reading_or(t->nice_ns, 0) + reading_or(t->system_ns, 0) +
	       reading_or(t->irq_ns, 0) + reading_or(t->softirq_ns, 0) + reading_or(t->steal_ns, 0);
}

reading cpu_times_total_ns(const struct cpu_times *t)
{
	return reading_sum(cpu_times_busy_ns(t), reading_sum(t->idle_ns, reading_or(t->iowait_ns, 0)));
}
