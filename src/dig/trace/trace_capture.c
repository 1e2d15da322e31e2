#include "dig/trace/trace_capture.h"

#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

struct capturing {
	struct trace_capturer *c;
	int pid;
	bool at_exit;
	unsigned excerpt_bytes;
	uint8_t argument;
};

/* All of n bytes. */
static bool read_whole(int pid, uint64_t from, void *to, size_t n)
{
	struct iovec local = { to, n }, remote = { (void *)(uintptr_t)from, n };

	return n == 0 || process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)n;
}

static struct trace_part *room(struct capturing *k)
{
	if (k->c->record.size > TRACE_PAYLOAD_MAX) {
		k->c->record.flags |= RECORD_CUT;
		return NULL;
	}
	return (struct trace_part *)(k->c->payload + k->c->record.size);
}

static void part_end(struct capturing *k, struct trace_part *part, unsigned piece, size_t size)
{
	*part = (struct trace_part){ k->argument, (uint8_t)piece, k->at_exit, 0, (uint16_t)size, 0 };
	k->c->record.size += (uint32_t)(sizeof *part + ((size + 7) & ~(size_t)7));
}

static void bytes(struct capturing *k, unsigned piece, uint64_t from, uint64_t size)
{
	struct trace_part *part = room(k);

	if (size > TRACE_PIECE_MAX)
		size = TRACE_PIECE_MAX;
	if (part && from && read_whole(k->pid, from, part + 1, size))
		part_end(k, part, piece, size);
}

/* Page by page, for the next one may not be there. */
static void text(struct capturing *k, unsigned piece, uint64_t from)
{
	struct trace_part *part = room(k);
	char *to = (char *)(part + 1);
	size_t n = 0;

	if (!part || !from)
		return;
	while (n < TRACE_PIECE_MAX) {
		size_t step = 256 - (from + n) % 256;

		if (step > TRACE_PIECE_MAX - n)
			step = TRACE_PIECE_MAX - n;
		if (!read_whole(k->pid, from + n, to + n, step))
			return;
		char *end = memchr(to + n, '\0', step);
		if (end) {
			part_end(k, part, piece, (size_t)(end + 1 - to));
			return;
		}
		n += step;
	}
	to[TRACE_PIECE_MAX - 1] = '\0';
	part_end(k, part, piece, TRACE_PIECE_MAX);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void vector(struct capturing *k, unsigned piece, unsigned first, uint64_t from, uint64_t n, uint64_t total)
{
	n = least(n, TRACE_IOVECS);
	bytes(k, piece, from, n * 16);
	for (unsigned i = 0; i < n && total; i++) {
		uint64_t v[2];

		if (!read_whole(k->pid, from + i * 16, v, sizeof v))
			break;
		v[1] = least(v[1], total);
		total -= v[1];
		bytes(k, first + i, v[0], least(v[1], k->excerpt_bytes));
	}
}

static void message(struct capturing *k, unsigned first, uint64_t from, uint64_t total)
{
	struct {
		uint64_t name;
		uint32_t name_size, unused;
		uint64_t vector, vector_size, control, control_size;
	} m;

	if (!read_whole(k->pid, from, &m, sizeof m))
		return;
	bytes(k, first + PIECE_HEADER, from, 56);
	bytes(k, first + PIECE_NAME, m.name, least(m.name_size, 128));
	vector(k, first + PIECE_VECTOR, first + PIECE_DATA, m.vector, m.vector_size, total);
	bytes(k, first + PIECE_CONTROL, m.control, least(m.control_size, 256));
}

static void messages(struct capturing *k, uint64_t from, uint64_t n)
{
	for (unsigned i = 0; i < TRACE_MESSAGES && i < n; i++) {
		uint64_t at = from + i * 64;
		uint32_t sent = UINT32_MAX;

		if (k->at_exit && !read_whole(k->pid, at + 56, &sent, sizeof sent))
			return;
		message(k, i * 16, at, sent);
	}
}

static void strings(struct capturing *k, uint64_t from)
{
	uint64_t at;

	for (unsigned i = 0; i < TRACE_STRINGS && read_whole(k->pid, from + i * 8, &at, sizeof at) && at; i++)
		text(k, 1 + i, at);
}

static uint64_t length_of(const struct trace_record *r, unsigned length)
{
	if (length == CAPTURE_BY_RESULT)
		return r->result < 0 ? 0 : (uint64_t)r->result;
	return length < TRACE_ARGUMENTS ? r->argument[length] : 0;
}

static void by_rule(struct capturing *k, const struct trace_capture_rule *rule)
{
	const struct trace_record *r = &k->c->record;
	uint64_t from = r->argument[k->argument], n = length_of(r, rule->length), total = k->at_exit ? (uint64_t)r->result : UINT64_MAX;
	uint32_t word;

	switch (rule->kind) {
	case CAPTURE_STRING:
		text(k, 0, from);
		break;
	case CAPTURE_FIXED:
		bytes(k, 0, from, rule->size);
		break;
	case CAPTURE_ARRAY:
		bytes(k, 0, from, least(n, TRACE_PIECE_MAX) * rule->size);
		break;
	case CAPTURE_DATA:
		bytes(k, 0, from, least(n, k->excerpt_bytes));
		break;
	case CAPTURE_DATA_WHOLE:
		bytes(k, 0, from, least(n, rule->size));
		break;
	case CAPTURE_BITS:
		bytes(k, 0, from, least((n + 63) / 64 * 8, rule->size));
		break;
	case CAPTURE_ADDRESS:
		if (read_whole(k->pid, n, &word, sizeof word))
			bytes(k, 0, from, least(word, 128));
		break;
	case CAPTURE_IOVEC:
		vector(k, 0, 1, from, n, total);
		break;
	case CAPTURE_MESSAGE:
		message(k, 0, from, total);
		break;
	case CAPTURE_MESSAGES:
		messages(k, from, n);
		break;
	case CAPTURE_STRINGS:
		strings(k, from);
		break;
	}
}

void trace_capture(struct trace_capturer *c, int pid, const struct trace_call_rule *rule, bool at_exit, unsigned excerpt_bytes)
{
	uint8_t when = at_exit ? CAPTURE_EXIT : CAPTURE_ENTER;

	if (at_exit && c->record.result < 0)
		return;
	for (uint8_t i = 0; i < TRACE_ARGUMENTS; i++)
		if (rule->argument[i].when & when)
			by_rule(&(struct capturing){ c, pid, at_exit, excerpt_bytes, i }, &rule->argument[i]);
}
