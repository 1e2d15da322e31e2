#include "dig/trace/decode.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "dig/trace/decode_parts.h"

int trace_event_parse(struct span bytes, struct trace_event *ret)
{
	const struct trace_record *r = (const void *)bytes.p;

	if (bytes.n < sizeof *r || (uintptr_t)bytes.p % 8 || bytes.n - sizeof *r < r->size)
		return -EBADMSG;
	ret->record = r;
	ret->call = r->type == RECORD_CALL && !(r->flags & RECORD_COMPAT) ? syscall_entry(r->call) : NULL;
	ret->nparts = 0;
	for (size_t at = 0; at + sizeof(struct trace_part) <= r->size;) {
		const struct trace_part *part = (const void *)(bytes.p + sizeof *r + at);

		at += sizeof *part;
		if (part->size > r->size - at)
			return -EBADMSG;
		if (ret->nparts == TRACE_PARTS_MAX)
			break;
		ret->part[ret->nparts++] = (struct event_part){ part->argument, part->piece, part->at_exit & 1,
								{ (const char *)(part + 1), part->size } };
		at += (part->size + 7u) & ~7u;
	}
	return 0;
}

int trace_event_error(const struct trace_event *e)
{
	const struct trace_record *r = e->record;

	if (r->type != RECORD_CALL || (r->flags & RECORD_UNFINISHED))
		return 0;
	return r->result < 0 && r->result >= -TRACE_ERRNO_MAX ? (int)-r->result : 0;
}

/* ---- writing ---- */

void put_u64(struct decoding *d, uint64_t value)
{
	char text[20], *p = text + sizeof text;

	do
		*--p = (char)('0' + value % 10);
	while (value /= 10);
	put_bytes(d, p, (size_t)(text + sizeof text - p));
}

void put_i64(struct decoding *d, int64_t value)
{
	if (value < 0)
		put_char(d, '-');
	put_u64(d, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void put_hex(struct decoding *d, uint64_t value)
{
	char text[18], *p = text + sizeof text;

	do
		*--p = "0123456789abcdef"[value & 15];
	while (value >>= 4);
	*--p = 'x';
	*--p = '0';
	put_bytes(d, p, (size_t)(text + sizeof text - p));
}

void put_hex_padded(struct decoding *d, uint64_t value, unsigned digits)
{
	put_text(d, "0x");
	while (digits--)
		put_char(d, "0123456789abcdef"[value >> digits * 4 & 15]);
}

void put_octal(struct decoding *d, uint64_t value, unsigned digits)
{
	char text[24], *p = text + sizeof text;

	for (; value || digits; value >>= 3, digits -= digits > 0)
		*--p = (char)('0' + (value & 7));
	if (p == text + sizeof text || *p != '0')
		*--p = '0';
	put_bytes(d, p, (size_t)(text + sizeof text - p));
}

void put_pointer(struct decoding *d, uint64_t value)
{
	if (value)
		put_hex(d, value);
	else
		put_text(d, "NULL");
}

void put_member(struct decoding *d, const char *name)
{
	put_text(d, name);
	put_char(d, '=');
}

void put_member_u64(struct decoding *d, const char *name, uint64_t value)
{
	put_member(d, name);
	put_u64(d, value);
}

void put_member_i64(struct decoding *d, const char *name, int64_t value)
{
	put_member(d, name);
	put_i64(d, value);
}

/* The shortest octal, unless a digit behind it would be taken for one more of it. */
static void put_escaped(struct decoding *d, unsigned char c, bool digit_follows)
{
	static const char letters[] = "\ff\nn\rr\tt\vv\\\\\"\"";
	char text[4] = { '\\' };

	for (size_t i = 0; i + 1 < sizeof letters; i += 2)
		if ((unsigned char)letters[i] == c) {
			text[1] = letters[i + 1];
			put_bytes(d, text, 2);
			return;
		}
	size_t n = 1;
	if (digit_follows || c >= 0100)
		text[n++] = (char)('0' + (c >> 6));
	if (digit_follows || c >= 010)
		text[n++] = (char)('0' + (c >> 3 & 7));
	text[n++] = (char)('0' + (c & 7));
	put_bytes(d, text, n);
}

void put_quoted(struct decoding *d, struct span s, bool more)
{
	size_t plain = 0;

	put_char(d, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\')
			continue;
		put_bytes(d, s.p + plain, i - plain);
		put_escaped(d, c, i + 1 < s.n && s.p[i + 1] >= '0' && s.p[i + 1] <= '9');
		plain = i + 1;
	}
	put_bytes(d, s.p + plain, s.n - plain);
	put_text(d, more ? "\"..." : "\"");
}

void put_fd(struct decoding *d, int fd)
{
	put_i64(d, fd);
	if (!d->options->fd_path || fd < 0)
		return;
	struct span path = d->options->fd_path(d->options->arg, d->event->record->pid, fd);
	if (!path.n)
		return;
	put_char(d, '<');
	for (size_t i = 0; i < path.n; i++) {
		unsigned char c = (unsigned char)path.p[i];

		if (c < 0x20 || c >= 0x7f || c == '<' || c == '>' || c == '\\')
			put_escaped(d, c, i + 1 < path.n && path.p[i + 1] >= '0' && path.p[i + 1] <= '9');
		else
			put_char(d, (char)c);
	}
	put_char(d, '>');
}

void put_signal(struct decoding *d, int signal)
{
	char name[SIGNAL_NAME_SIZE];

	if (trace_signal_name(signal, name))
		put_text(d, name);
	else
		put_i64(d, signal);
}

static void put_unknown(struct decoding *d, const struct flag_names *names)
{
	if (!names->unknown || !names->unknown[0])
		return;
	put_text(d, " /* ");
	put_text(d, names->unknown);
	put_text(d, " */");
}

void put_value(struct decoding *d, const struct flag_names *names, uint64_t value)
{
	const char *name = flag_name(names, (uint32_t)value);

	if (name) {
		put_text(d, name);
		return;
	}
	put_hex(d, (uint32_t)value);
	put_unknown(d, names);
}

void put_bits_more(struct decoding *d, const struct flag_names *names, uint64_t value, bool *any)
{
	for (unsigned i = 0; i < names->n; i++) {
		uint64_t bits = names->v[i].value;

		if (!bits || (value & bits) != bits)
			continue;
		if (*any)
			put_char(d, '|');
		put_text(d, names->v[i].name);
		value &= ~bits;
		*any = true;
	}
	if (!value)
		return;
	if (*any)
		put_char(d, '|');
	put_hex(d, value);
	if (!*any)
		put_unknown(d, names);
	*any = true;
}

void put_bits(struct decoding *d, const struct flag_names *names, uint64_t value)
{
	const char *zero = value ? NULL : flag_name(names, 0);
	bool any = false;

	if (zero)
		put_text(d, zero);
	else if (!value)
		put_char(d, '0');
	else
		put_bits_more(d, names, value, &any);
}

void put_mode(struct decoding *d, uint32_t mode, bool type)
{
	static const struct {
		uint32_t bits;
		const char *name;
	} types[] = { { S_IFREG, "S_IFREG|" },	 { S_IFDIR, "S_IFDIR|" }, { S_IFCHR, "S_IFCHR|" },   { S_IFBLK, "S_IFBLK|" },
		      { S_IFIFO, "S_IFIFO|" }, { S_IFLNK, "S_IFLNK|" }, { S_IFSOCK, "S_IFSOCK|" } };

	for (size_t i = 0; type && i < sizeof types / sizeof types[0]; i++)
		if ((mode & S_IFMT) == types[i].bits) {
			put_text(d, types[i].name);
			mode &= ~(uint32_t)S_IFMT;
			break;
		}
	if (type && (mode & S_ISUID))
		put_text(d, "S_ISUID|");
	if (type && (mode & S_ISGID))
		put_text(d, "S_ISGID|");
	if (type && (mode & S_ISVTX))
		put_text(d, "S_ISVTX|");
	put_octal(d, type ? mode & ~07000u : mode, 3);
}

/* ---- reaching ---- */

bool part_of(const struct decoding *d, unsigned argument, unsigned piece, bool at_exit, struct span *ret)
{
	const struct trace_event *e = d->event;

	for (unsigned i = 0; i < e->nparts; i++)
		if (e->part[i].argument == argument && e->part[i].piece == piece && e->part[i].at_exit == at_exit) {
			*ret = e->part[i].bytes;
			return true;
		}
	return false;
}

bool struct_of(const struct decoding *d, size_t n, const void **ret)
{
	struct span s;

	if ((!part_of(d, d->at, 0, false, &s) && !part_of(d, d->at, 0, true, &s)) || s.n < n)
		return false;
	*ret = s.p;
	return true;
}

bool succeeded(const struct decoding *d)
{
	return !(d->event->record->flags & RECORD_UNFINISHED) && d->event->record->result >= 0;
}

/* ---- plain kinds ---- */

void decode_nothing(struct decoding *d)
{
	(void)d;
}

void decode_int(struct decoding *d)
{
	put_i64(d, (int32_t)value_of(d));
}

void decode_uint(struct decoding *d)
{
	put_u64(d, (uint32_t)value_of(d));
}

void decode_long(struct decoding *d)
{
	put_i64(d, (int64_t)value_of(d));
}

void decode_ulong(struct decoding *d)
{
	put_u64(d, value_of(d));
}

void decode_hex(struct decoding *d)
{
	if (value_of(d))
		put_hex(d, value_of(d));
	else
		put_char(d, '0');
}

void decode_pointer(struct decoding *d)
{
	put_pointer(d, value_of(d));
}

void decode_mode(struct decoding *d)
{
	put_octal(d, (uint32_t)value_of(d), 3);
}

void decode_mode_type(struct decoding *d)
{
	put_mode(d, (uint32_t)value_of(d), true);
}

void decode_fd(struct decoding *d)
{
	put_fd(d, (int32_t)value_of(d));
}

void decode_dirfd(struct decoding *d)
{
	if ((int32_t)value_of(d) == AT_FDCWD)
		put_text(d, "AT_FDCWD");
	else
		decode_fd(d);
}

void decode_signal(struct decoding *d)
{
	int signal = (int32_t)value_of(d);

	if (signal == 0)
		put_char(d, '0');
	else
		put_signal(d, signal);
}

void decode_value(struct decoding *d)
{
	put_value(d, d->names, value_of(d));
}

void decode_bits(struct decoding *d)
{
	put_bits(d, d->names, (uint32_t)value_of(d));
}

static void put_string(struct decoding *d, bool cut_to_excerpt)
{
	struct span s;

	if (!part_of(d, d->at, 0, false, &s) && !part_of(d, d->at, 0, true, &s)) {
		decode_pointer(d);
		return;
	}
	size_t n = strnlen(s.p, s.n);
	bool more = n == s.n;

	if (cut_to_excerpt && n > d->options->excerpt_bytes) {
		n = d->options->excerpt_bytes;
		more = true;
	}
	/* The kernel put the NUL, where the text was longer than the piece. */
	put_quoted(d, (struct span){ s.p, n }, more || s.n == TRACE_PIECE_MAX);
}

void decode_path(struct decoding *d)
{
	put_string(d, false);
}

void decode_string(struct decoding *d)
{
	put_string(d, true);
}

static uint64_t length_of_data(const struct decoding *d)
{
	unsigned by = syscall_argument_length(d->event->call, d->at);
	const struct trace_record *r = d->event->record;

	if (by == CAPTURE_BY_RESULT)
		return r->result > 0 ? (uint64_t)r->result : 0;
	return by < TRACE_ARGUMENTS ? r->argument[by] : 0;
}

void decode_data(struct decoding *d)
{
	struct span s;

	if (!part_of(d, d->at, 0, false, &s) && !part_of(d, d->at, 0, true, &s))
		decode_pointer(d);
	else
		put_quoted(d, s, length_of_data(d) > s.n);
}

void decode_data_hex(struct decoding *d)
{
	struct span s;

	if (!part_of(d, d->at, 0, true, &s)) {
		decode_pointer(d);
		return;
	}
	put_char(d, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		char text[4] = { '\\', 'x', "0123456789abcdef"[c >> 4], "0123456789abcdef"[c & 15] };

		put_bytes(d, text, 4);
	}
	put_text(d, length_of_data(d) > s.n ? "\"..." : "\"");
}

void decode_strings(struct decoding *d)
{
	struct span s;
	unsigned i = 0;

	if (!value_of(d) || !part_of(d, d->at, 1, false, &s)) {
		decode_pointer(d);
		return;
	}
	put_char(d, '[');
	for (; i < TRACE_STRINGS && part_of(d, d->at, 1 + i, false, &s); i++) {
		size_t n = strnlen(s.p, s.n), shown = n < d->options->excerpt_bytes ? n : d->options->excerpt_bytes;

		if (i)
			put_text(d, ", ");
		put_quoted(d, (struct span){ s.p, shown }, shown < n);
	}
	put_text(d, i == TRACE_STRINGS ? ", ...]" : "]");
}

/* ---- whole records ---- */

struct kind {
	void (*decode)(struct decoding *d);
	const struct flag_names *names;
};

static const struct kind kinds[] = {
#define ARGUMENT(id, capture, when, size, decoder, names) { decode_##decoder, &flag_names_##names },
#include "dig/trace/arguments.def"
#undef ARGUMENT
};

int decode_name(const struct trace_event *e, struct buf *ret)
{
	struct decoding d = { .event = e, .out = ret };

	if (e->call) {
		put_text(&d, e->call->name);
	} else if (e->record->flags & RECORD_COMPAT) {
		put_text(&d, "32-bit:");
		put_u64(&d, e->record->call);
	} else {
		put_text(&d, "syscall_");
		put_hex(&d, e->record->call);
	}
	return d.error;
}

/* Those of fcntl, prctl, open, futex… are fewer where the others say so. */
static bool argument_counts(const struct trace_event *e, unsigned i)
{
	const struct trace_record *r = e->record;

	switch (syscall_argument_kind(e->call, i)) {
	case ARGUMENT_NONE:
		return false;
	case ARGUMENT_OPEN_MODE:
		return (r->argument[i - 1] & O_CREAT) || (r->argument[i - 1] & O_TMPFILE) == O_TMPFILE;
	default:
		return decode_counts(e, i);
	}
}

int decode_arguments(const struct trace_event *e, const struct decode_options *o, struct buf *ret, size_t *ret_end,
		     unsigned *ret_n)
{
	struct decoding d = { .event = e, .options = o, .out = ret };
	unsigned n = 0;

	for (unsigned i = 0; i < TRACE_ARGUMENTS; i++) {
		const struct kind *kind = NULL;

		if (e->call) {
			if (!argument_counts(e, i))
				break;
			kind = &kinds[syscall_argument_kind(e->call, i)];
			d.names = kind->names;
			if (decode_skips(e, i))
				continue;
		}
		if (i)
			put_text(&d, ", ");
		d.at = i;
		if (kind)
			kind->decode(&d);
		else
			put_hex(&d, e->record->argument[i]);
		if (ret_end)
			ret_end[n] = ret->n;
		n++;
	}
	if (ret_n)
		*ret_n = n;
	return d.error;
}

static void put_error(struct decoding *d, int error)
{
	const char *name = errno_name(error);
	static const char *const words[] = { [0] = "To be restarted if SA_RESTART is set", [1] = "To be restarted",
					     [2] = "To be restarted if no handler", [4] = "Interrupted by signal" };

	if (error >= 512 && error <= 516 && error != 515) {
		put_text(d, "? ");
		put_text(d, name);
		put_text(d, " (");
		put_text(d, words[error - 512]);
		put_char(d, ')');
		return;
	}
	put_text(d, "-1 ");
	if (!name) {
		put_text(d, "errno ");
		put_i64(d, error);
		return;
	}
	put_text(d, name);
	put_text(d, " (");
	put_text(d, strerrordesc_np(error) ? strerrordesc_np(error) : "Unknown error");
	put_char(d, ')');
}

int decode_result(const struct trace_event *e, const struct decode_options *o, struct buf *ret)
{
	struct decoding d = { .event = e, .options = o, .out = ret };
	int64_t result = e->record->result;
	int error = trace_event_error(e);

	if (e->record->flags & RECORD_UNFINISHED)
		put_char(&d, '?');
	else if (error)
		put_error(&d, error);
	else if (!e->call || e->call->result == ARGUMENT_HEX)
		put_hex(&d, (uint64_t)result);
	else if (e->call->result == ARGUMENT_FD)
		put_fd(&d, (int)result);
	else if (e->call->result == ARGUMENT_FCNTL_RESULT)
		put_fcntl_number(&d);
	else if (e->call->result == ARGUMENT_MODE)
		put_octal(&d, (uint64_t)result, 3);
	else
		put_i64(&d, result);
	if (e->call && !error && !(e->record->flags & RECORD_UNFINISHED))
		decode_result_words(&d);
	return d.error;
}

int decode_signal_record(const struct trace_event *e, struct buf *ret)
{
	struct decoding d = { .event = e, .out = ret };

	put_signal(&d, e->record->call);
	put_char(&d, ' ');
	put_siginfo(&d, e->record->argument);
	return d.error;
}

int decode_exit(const struct trace_event *e, struct buf *ret)
{
	struct decoding d = { .event = e, .out = ret };
	unsigned status = (unsigned)e->record->argument[0];

	if (status & 0x7f) {
		put_text(&d, "killed by ");
		put_signal(&d, status & 0x7f);
		if (status & 0x80)
			put_text(&d, " (core dumped)");
	} else {
		put_text(&d, "exited with ");
		put_u64(&d, status >> 8 & 0xff);
	}
	return d.error;
}
