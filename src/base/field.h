/* The field table: each field that osprey reads is described once.
 *
 * A source lists its fields in one X-macro, FIELD(id, member, kernel_name, unit,
 * kind, help). From it come the members of its struct, the parser of "name value"
 * files, JSON keys, table headers and the reference page. An id is never reused.
 *
 * Values are stored in base units: bytes, nanoseconds, events. `scale` turns the
 * kernel's unit into ours (kB -> 1024, usec -> 1000, ticks -> 10^9 / HZ).
 */
#ifndef OSPREY_BASE_FIELD_H
#define OSPREY_BASE_FIELD_H

#include <stddef.h>
#include <stdint.h>

#include "base/reading.h"
#include "base/span.h"

enum field_unit {
	UNIT_COUNT,
	UNIT_BYTES,
	UNIT_NS,
	UNIT_PAGES,
	UNIT_PCT,
	UNIT_PER_S,
	UNIT_BYTES_PER_S,
	UNIT_MS,   /* a duration as a real number of milliseconds */
	UNIT_TIME, /* a moment: ns since 1970 */
	UNIT_TEXT,
};
/* A gauge is what is now, a counter only grows, a rate is a counter's growth over an interval, a
 * label tells things apart or describes them (names, ids). */
enum field_kind { GAUGE, COUNTER, RATE, LABEL };

struct field {
	uint32_t id;
	const char *name;	 /* ours, snake_case with its unit */
	const char *kernel_name; /* as the kernel writes it */
	enum field_unit unit;
	enum field_kind kind;
	const char *help;
	size_t offset; /* of the reading in its struct */
};

#define FIELD_MEMBER(id, member, kernel_name, unit, kind, help) reading member;
#define FIELD_ROW(type, id, member, kernel_name, unit, kind, help) \
	{ id, #member, kernel_name, UNIT_##unit, kind, help, offsetof(type, member) },

/* Marks every reading of `ret` with `why` (READING_ABSENT and so on). */
void fields_missing(const struct field *fields, size_t n, reading why, void *ret);

/* Parses lines of "name value", "name: value" or "name: value kB". Fields that
 * do not occur become READING_ABSENT, a value that is no number (or overflows
 * when scaled) READING_MALFORMED; unknown lines are passed over. A value followed
 * by "kB" is scaled by 1024; all others by `scale`.
 * Cost: kernels write their lines in a fixed order, so each line is first compared
 * with the field that follows the last match; fields listed in kernel order
 * parse in one pass. */
void fields_parse(struct span text, const struct field *fields, size_t n, uint64_t scale, void *ret);

static inline reading *field_at(const struct field *field, void *base)
{
	return (reading *)((char *)base + field->offset);
}

const char *field_unit_name(enum field_unit unit);
const char *field_kind_name(enum field_kind kind);

#endif
