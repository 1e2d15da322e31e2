#include "source/process/process_limits.h"

const struct process_limit_about process_limit_about[PROCESS_LIMIT_COUNT] = {
#define ABOUT(name, row, unit, scale, option, at_end) \
	[PROCESS_LIMIT_##name] = { option, row, UNIT_##unit, scale, at_end },
	PROCESS_LIMITS(ABOUT)
#undef ABOUT
};

void process_limits_missing(reading why, struct process_limits *ret)
{
	for (size_t i = 0; i < PROCESS_LIMIT_COUNT; i++)
		ret->soft[i] = ret->hard[i] = why;
	ret->presence = why == READING_DENIED ? DENIED : why == READING_ABSENT ? ABSENT : MALFORMED;
}

static reading next_limit(struct span *line, uint64_t scale)
{
	struct span word;
	uint64_t v;

	if (!span_word(line, &word))
		return READING_MALFORMED;
	if (span_is(word, "unlimited"))
		return PROCESS_UNLIMITED;
	if (!span_u64(word, &v) || !reading_ok(v))
		return READING_MALFORMED;
	if (__builtin_mul_overflow(v, scale, &v) || v > PROCESS_UNLIMITED)
		return PROCESS_UNLIMITED;
	return v;
}

static void take_line(struct span line, struct process_limits *ret)
{
	for (size_t i = 0; i < PROCESS_LIMIT_COUNT; i++) {
		const struct process_limit_about *about = &process_limit_about[i];

		if (!span_starts(line, about->row))
			continue;
		line.p += strlen(about->row);
		line.n -= strlen(about->row);
		ret->soft[i] = next_limit(&line, about->scale);
		ret->hard[i] = next_limit(&line, about->scale);
		ret->presence = PRESENT;
		return;
	}
}

/* "Max open files            1024                 1048576              files" */
void process_limits_parse(struct span text, struct process_limits *ret)
{
	struct span line;

	process_limits_missing(READING_ABSENT, ret);
	ret->presence = MALFORMED;
	while (span_line(&text, &line))
		take_line(line, ret);
}
