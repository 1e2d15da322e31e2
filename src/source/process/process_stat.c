#include "source/process/process_stat.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#define NS_PER_TICK UINT64_C(10000000) /* USER_HZ is 100 on every architecture we build for */

const struct field process_statm_fields[] = {
#define ROW(...) FIELD_ROW(struct process_statm, __VA_ARGS__)
	PROCESS_STATM_FIELDS(ROW)
#undef ROW
};
const size_t process_statm_nfields = sizeof process_statm_fields / sizeof process_statm_fields[0];

const struct field process_io_fields[] = {
#define ROW(...) FIELD_ROW(struct process_io, __VA_ARGS__)
	PROCESS_IO_FIELDS(ROW)
#undef ROW
};
const size_t process_io_nfields = sizeof process_io_fields / sizeof process_io_fields[0];

/* Numbers are those of proc_pid_stat(5). */
enum {
	FIRST = 4, PROCESS_GROUP = 5, SESSION = 6, TTY = 7, TTY_GROUP = 8, FLAGS = 9, CHILDREN_MAJOR = 13,
	STACK = 28, EXIT_SIGNAL = 38, GUEST = 43, CHILDREN_GUEST = 44, DATA = 45, BRK = 47, EXIT_CODE = 52,
	COLUMNS = 53,
};

static bool take_columns(struct span line, int64_t *columns, int *ret_n)
{
	struct span word;
	uint64_t v;

	for (int i = FIRST; i < COLUMNS; i++) {
		*ret_n = i;
		if (!span_word(&line, &word))
			return i > FLAGS;
		if (span_u64(word, &v))
			columns[i] = (int64_t)v;
		else if (!span_i64(word, &columns[i]))
			return false;
	}
	*ret_n = COLUMNS;
	return true;
}

static reading column(const int64_t *columns, int n, int at, uint64_t scale)
{
	uint64_t v;

	if (at >= n)
		return READING_ABSENT;
	if (columns[at] < 0 || __builtin_mul_overflow((uint64_t)columns[at], scale, &v) || !reading_ok(v))
		return READING_MALFORMED;
	return v;
}

/* Without privilege the kernel writes 0. */
static reading address(const int64_t *columns, int n, int at)
{
	reading r = at < n && reading_ok((uint64_t)columns[at]) ? (uint64_t)columns[at] : READING_ABSENT;

	return r == 0 ? READING_DENIED : r;
}

/* The name may itself hold parentheses and newlines: it ends at the last one. */
int process_stat_parse(struct span text, struct process_stat *ret)
{
	int64_t columns[COLUMNS] = { 0 };
	struct span numbers, state;
	int n;

	if (!span_until_last(&text, ')', &numbers) || !span_word(&numbers, &state) || state.n != 1)
		return -EBADMSG;
	if (!take_columns(span_trim(numbers), columns, &n))
		return -EBADMSG;
	uint32_t tty = (uint32_t)columns[TTY];
	*ret = (struct process_stat){
		.process_group = (int32_t)columns[PROCESS_GROUP],
		.session = (int32_t)columns[SESSION],
		.tty_major = tty >> 8 & 0xfff,
		.tty_minor = (tty & 0xff) | (tty >> 12 & 0xfff00),
		.tty_group = (int32_t)columns[TTY_GROUP],
		.flags = (uint32_t)columns[FLAGS],
		.exit_signal = column(columns, n, EXIT_SIGNAL, 1),
		.exit_code = column(columns, n, EXIT_CODE, 1),
		.guest_ns = column(columns, n, GUEST, NS_PER_TICK),
		.children_guest_ns = column(columns, n, CHILDREN_GUEST, NS_PER_TICK),
		.children_major_faults = column(columns, n, CHILDREN_MAJOR, 1),
		.start_data_address = address(columns, n, DATA),
		.start_brk_address = address(columns, n, BRK),
		.start_stack_address = address(columns, n, STACK),
	};
	return 0;
}

/* Documentation/admin-guide/devices.txt */
void tty_name(uint32_t major, uint32_t minor, char *ret, size_t size)
{
	if (major == 0 && minor == 0)
		*ret = '\0';
	else if (major >= 136 && major <= 143)
		snprintf(ret, size, "pts/%u", (major - 136) * 256 + minor);
	else if (major == 4 && minor < 64)
		snprintf(ret, size, "tty%u", minor);
	else if (major == 4)
		snprintf(ret, size, "ttyS%u", minor - 64);
	else if (major == 5 && minor == 1)
		snprintf(ret, size, "console");
	else if (major == 204 && minor >= 64 && minor < 80)
		snprintf(ret, size, "ttyAMA%u", minor - 64);
	else if (major == 188)
		snprintf(ret, size, "ttyUSB%u", minor);
	else if (major == 229)
		snprintf(ret, size, "hvc%u", minor);
	else
		snprintf(ret, size, "%u:%u", major, minor);
}

static reading pages(struct span *line, uint64_t page_bytes)
{
	uint64_t v;

	if (!span_next_u64(line, &v) || __builtin_mul_overflow(v, page_bytes, &v) || !reading_ok(v))
		return READING_MALFORMED;
	return v;
}

/* "size resident shared text lib data dt": lib and dt are 0 since 2.6. */
void process_statm_parse(struct span text, uint64_t page_bytes, struct process_statm *ret)
{
	struct span line = text;

	span_line(&text, &line);
	ret->size_bytes = pages(&line, page_bytes);
	ret->resident_bytes = pages(&line, page_bytes);
	ret->shared_bytes = pages(&line, page_bytes);
	ret->text_bytes = pages(&line, page_bytes);
	(void)!pages(&line, page_bytes);
	ret->data_bytes = pages(&line, page_bytes);
	ret->presence = reading_ok(ret->data_bytes) ? PRESENT : MALFORMED;
}

void process_io_parse(struct span text, struct process_io *ret)
{
	fields_parse(text, process_io_fields, process_io_nfields, 1, ret);
	ret->presence = reading_ok(ret->read_chars_bytes) ? PRESENT : MALFORMED;
}

void process_io_missing(reading why, struct process_io *ret)
{
	fields_missing(process_io_fields, process_io_nfields, why, ret);
	ret->presence = why == READING_DENIED ? DENIED : why == READING_ABSENT ? ABSENT : MALFORMED;
}
