#include "source/cpu/psi.h"

/* "some avg10=0.37 avg60=2.45 avg300=0.95 total=3470172" */
static reading parse_total(struct span line)
{
	struct span word, name;
	uint64_t us;

	while (span_word(&line, &word)) {
		if (!span_until(&word, '=', &name) || !span_is(name, "total"))
			continue;
		if (!span_u64(word, &us) || __builtin_mul_overflow(us, UINT64_C(1000), &us))
			return READING_MALFORMED;
		return us;
	}
	return READING_MALFORMED;
}

void psi_line_parse(struct span text, struct psi_line *ret)
{
	struct span line, kind;

	*ret = (struct psi_line){ READING_ABSENT, READING_ABSENT };
	while (span_line(&text, &line)) {
		if (!span_word(&line, &kind))
			continue;
		if (span_is(kind, "some"))
			ret->some_ns = parse_total(line);
		else if (span_is(kind, "full"))
			ret->full_ns = parse_total(line);
	}
}

static void parse_answer(int r, const struct buf *text, struct psi_line *ret)
{
	if (r < 0)
		*ret = (struct psi_line){ reading_from_errno(r), reading_from_errno(r) };
	else
		psi_line_parse(buf_span(text), ret);
}

void psi_line_read(struct host *h, const char *path, struct buf *scratch, struct psi_line *ret)
{
	parse_answer(host_read(h, path, scratch), scratch, ret);
}

void psi_read(struct host *h, struct buf *scratch, struct psi *ret)
{
	int r = host_read_kept(h, "/proc/pressure/cpu", scratch);

	ret->presence = presence_from_errno(r);
	parse_answer(r, scratch, &ret->cpu);
	r = host_read_kept(h, "/proc/pressure/memory", scratch);
	parse_answer(r, scratch, &ret->memory);
	r = host_read_kept(h, "/proc/pressure/io", scratch);
	parse_answer(r, scratch, &ret->io);
}
