#include "source/cpu/interrupt_table.h"

#include <errno.h>
#include <stdio.h>

#include "source/cpu/interrupts.h"

#define MAX_CPU_NUMBER 65535 /* far above NR_CPUS of any kernel */

void interrupt_table_deinit(struct interrupt_table *t)
{
	vec_free(&t->cpus);
	vec_free(&t->lines);
	vec_free(&t->counts);
}

/* "CPU0 CPU1 CPU3". 0, -EBADMSG, -ENOMEM. */
static int parse_heading(struct span line, struct interrupt_table *ret)
{
	struct span word;

	while (span_word(&line, &word)) {
		uint64_t cpu;
		uint32_t *place;

		if (!span_starts(word, "CPU") || !span_u64((struct span){ word.p + 3, word.n - 3 }, &cpu) ||
		    cpu > MAX_CPU_NUMBER)
			return -EBADMSG;
		if (!(place = vec_push(&ret->cpus)))
			return -ENOMEM;
		*place = (uint32_t)cpu;
	}
	return ret->cpus.n ? 0 : -EBADMSG;
}

/* Takes the counts off the line; *ret_n may be less than the CPUs. */
static int parse_counts(struct span *line, struct interrupt_table *t, size_t *ret_n, reading *ret_total)
{
	uint64_t total = 0;
	size_t n = 0;

	for (; n < t->cpus.n; n++) {
		struct span rest = *line, word;
		uint64_t count, sum, *place;

		if (!span_word(&rest, &word) || !span_u64(word, &count) ||
		    __builtin_add_overflow(total, count, &sum) || !reading_ok(sum))
			break;
		if (!(place = vec_push(&t->counts)))
			return -ENOMEM;
		*place = count;
		*line = rest;
		total = sum;
	}
	*ret_n = n;
	*ret_total = total;
	return 0;
}

static bool whole_machine(struct span name)
{
	return span_is(name, "ERR") || span_is(name, "MIS") || span_is(name, "Err");
}

/* 0: the line is in the table, or was none; -ENOMEM. */
static int parse_line(struct span line, struct interrupt_table *t)
{
	struct interrupt_line parsed = { .first = t->counts.n }, *place;
	struct span name;
	uint64_t number;
	size_t n;

	if (!span_until(&line, ':', &name) || (name = span_trim(name)).n == 0)
		return 0;
	int r = parse_counts(&line, t, &n, &parsed.total);
	if (r < 0)
		return r;
	parsed.by_cpu = n == t->cpus.n && !whole_machine(name);
	if (!parsed.by_cpu) {
		t->counts.n = parsed.first;
		if (n != 1 || !whole_machine(name))
			return 0;
	}
	parsed.numbered = span_u64(name, &number);
	span_copy(name, parsed.line, sizeof parsed.line);
	span_copy(parsed.numbered ? interrupt_device(line) : span_trim(line), parsed.device, sizeof parsed.device);
	if (!(place = vec_push(&t->lines)))
		return -ENOMEM;
	*place = parsed;
	return 0;
}

int interrupt_table_parse(struct span text, struct interrupt_table *ret)
{
	const char *end = text.p + text.n;
	struct span line;
	int r;

	ret->cpus.n = ret->lines.n = ret->counts.n = 0;
	if (!span_line(&text, &line))
		return -EBADMSG;
	r = parse_heading(line, ret);
	/* A line without a newline was cut, perhaps within a number. */
	while (r == 0 && span_line(&text, &line) && line.p + line.n != end)
		r = parse_line(line, ret);
	return r;
}

int interrupt_table_read(struct host *h, const char *path, struct buf *scratch, struct interrupt_table *ret,
			 enum presence *ret_presence)
{
	int r = host_read_kept(h, path, scratch);

	ret->cpus.n = ret->lines.n = ret->counts.n = 0;
	if (r == 0)
		r = interrupt_table_parse(buf_span(scratch), ret);
	*ret_presence = presence_from_errno(r);
	return r == -ENOMEM ? r : 0;
}

reading interrupt_count(const struct interrupt_table *t, const struct interrupt_line *line, size_t i)
{
	return line->by_cpu && i < t->cpus.n ? t->counts.v[line->first + i] : READING_ABSENT;
}

const struct interrupt_line *interrupt_find(const struct interrupt_table *t, const char *line, size_t hint)
{
	for (size_t i = 0; i < t->lines.n; i++) {
		size_t at = (hint + i) % t->lines.n;

		if (strcmp(t->lines.v[at].line, line) == 0)
			return &t->lines.v[at];
	}
	return NULL;
}

static void read_list(struct host *h, const char *line, const char *file, struct buf *scratch, char *ret, size_t size)
{
	char path[80];

	ret[0] = '\0';
	snprintf(path, sizeof path, "/proc/irq/%s/%s", line, file);
	if (host_read(h, path, scratch) == 0)
		span_copy(span_trim(buf_span(scratch)), ret, size);
}

void irq_affinity_read(struct host *h, const char *line, struct buf *scratch, struct irq_affinity *ret)
{
	read_list(h, line, "smp_affinity_list", scratch, ret->allowed, sizeof ret->allowed);
	read_list(h, line, "effective_affinity_list", scratch, ret->effective, sizeof ret->effective);
}
