/* Parsers of src/source/cpu; the first byte selects. */
#include <stdlib.h>

#include "source/cpu/cpu_stat.h"
#include "source/cpu/interrupt_table.h"
#include "source/cpu/interrupts.h"
#include "source/cpu/loadavg.h"
#include "source/cpu/psi.h"
#include "source/cpu/topology.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void stat_of(struct span text)
{
	cpu_line_vec cpus = { 0 };
	struct cpu_stat s;

	if (cpu_stat_parse(text, &s, &cpus) == 0 && s.presence == PRESENT && !reading_ok(cpu_times_busy_ns(&s.total)))
		abort();
	vec_free(&cpus);
}

static void interrupts(struct span text)
{
	interrupt_vec lines = { 0 };

	(void)!interrupts_parse(text, &lines);
	vec_each(i, &lines)
		if (reading_ok(i->total) && (!reading_ok(i->busiest) || i->busiest > i->total))
			abort();
	vec_free(&lines);
}

static void interrupt_counts(struct span text)
{
	struct interrupt_table t = { 0 };

	(void)!interrupt_table_parse(text, &t);
	vec_each(line, &t.lines) {
		uint64_t sum = 0;

		for (size_t i = 0; line->by_cpu && i < t.cpus.n; i++)
			sum += interrupt_count(&t, line, i);
		if (!reading_ok(line->total) || (line->by_cpu && sum != line->total))
			abort();
	}
	interrupt_table_deinit(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct loadavg load;
	struct psi_line psi;
	uint32_t n;

	if (size == 0)
		return 0;
	struct span text = { (const char *)data + 1, size - 1 };
	switch (data[0] % 6) {
	case 0:
		stat_of(text);
		break;
	case 1:
		interrupts(text);
		break;
	case 2:
		loadavg_parse(text, &load);
		break;
	case 3:
		psi_line_parse(text, &psi);
		break;
	case 4:
		interrupt_counts(text);
		break;
	default:
		if (cpu_list_count(text, &n) == 0 && n == 0)
			abort();
	}
	return 0;
}
