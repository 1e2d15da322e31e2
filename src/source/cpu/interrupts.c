#include "source/cpu/interrupts.h"

#include <errno.h>

static size_t count_words(struct span line)
{
	struct span word;
	size_t n = 0;

	while (span_word(&line, &word))
		n++;
	return n;
}

/* Sums the columns off the front of *line; returns how many there were. */
static size_t parse_counts(struct span *line, size_t cpus, struct interrupt *ret)
{
	size_t n = 0;

	for (; n < cpus; n++) {
		struct span rest = *line, word;
		uint64_t count;

		if (!span_word(&rest, &word) || !span_u64(word, &count))
			break;
		*line = rest;
		if (__builtin_add_overflow(ret->total, count, &ret->total) || !reading_ok(ret->total))
			return 0;
		if (n == 0 || count > ret->busiest) {
			ret->busiest = count;
			ret->busiest_cpu = (uint32_t)n;
		}
	}
	return n;
}

/* Chip, hardware number and trigger stand in padded columns of their own; what follows the
 * last gap of two blanks is the name the driver gave. A line that ends in padding has no
 * driver. */
struct span interrupt_device(struct span rest)
{
	if (rest.n && rest.p[rest.n - 1] == ' ')
		return (struct span){ rest.p, 0 };
	for (size_t i = rest.n; i > 1; i--)
		if (rest.p[i - 1] == ' ' && rest.p[i - 2] == ' ')
			return (struct span){ rest.p + i, rest.n - i };
	return (struct span){ rest.p, 0 };
}

static bool parse_line(struct span line, size_t cpus, struct interrupt *ret)
{
	struct span name;
	uint64_t number;

	if (!span_until(&line, ':', &name))
		return false;
	name = span_trim(name);
	if (name.n == 0)
		return false;
	span_copy(name, ret->line, sizeof ret->line);
	size_t n = parse_counts(&line, cpus, ret);
	/* ERR (on arm64 Err) and MIS have one count for the whole machine. */
	bool whole = n == cpus ||
		     (n == 1 && (span_is(name, "ERR") || span_is(name, "MIS") || span_is(name, "Err")));
	if (!whole)
		ret->total = ret->busiest = READING_MALFORMED;
	span_copy(span_u64(name, &number) ? interrupt_device(line) : span_trim(line), ret->device,
		  sizeof ret->device);
	return true;
}

int interrupts_parse(struct span text, interrupt_vec *ret)
{
	const char *end = text.p + text.n;
	struct span line;

	ret->n = 0;
	if (!span_line(&text, &line))
		return 0;
	size_t cpus = count_words(line);
	while (cpus && span_line(&text, &line)) {
		struct interrupt parsed = { 0 };

		/* A line without a newline was cut, perhaps within a number. */
		if (line.p + line.n == end || !parse_line(line, cpus, &parsed))
			continue;
		struct interrupt *interrupt = vec_push(ret);
		if (!interrupt)
			return -ENOMEM;
		*interrupt = parsed;
	}
	return 0;
}

int interrupts_read(struct host *h, const char *path, struct buf *scratch, interrupt_vec *ret,
		    enum presence *ret_presence)
{
	int r = host_read_kept(h, path, scratch);

	if (r < 0) {
		ret->n = 0;
		*ret_presence = presence_from_errno(r);
		return 0;
	}
	r = interrupts_parse(buf_span(scratch), ret);
	if (r == 0)
		*ret_presence = ret->n ? PRESENT : MALFORMED;
	return r;
}
