/* Inside of the decoders: how they write, and how they reach what was captured. */
#ifndef OSPREY_DIG_TRACE_DECODE_PARTS_H
#define OSPREY_DIG_TRACE_DECODE_PARTS_H

#include <string.h>

#include "dig/trace/decode.h"
#include "dig/trace/flag_names.h"

struct decoding {
	const struct trace_event *event;
	const struct decode_options *options;
	struct buf *out;
	int error; /* the first; -ENOMEM */
	unsigned at; /* the argument */
	const struct flag_names *names; /* of its kind */
};

/* ---- writing ---- */

static inline void put_bytes(struct decoding *d, const char *p, size_t n)
{
	struct buf *b = d->out;

	if (b->capacity - b->n <= n || !b->data) {
		int r = buf_reserve(b, n + 256);

		if (r < 0) {
			d->error = r;
			return;
		}
	}
	memcpy(b->data + b->n, p, n);
	b->n += n;
	b->data[b->n] = '\0';
}

static inline void put_text(struct decoding *d, const char *s)
{
	put_bytes(d, s, strlen(s));
}

static inline void put_char(struct decoding *d, char c)
{
	put_bytes(d, &c, 1);
}

void put_u64(struct decoding *d, uint64_t value);
void put_i64(struct decoding *d, int64_t value);
void put_hex(struct decoding *d, uint64_t value); /* 0x… */
void put_hex_padded(struct decoding *d, uint64_t value, unsigned digits);
void put_octal(struct decoding *d, uint64_t value, unsigned digits); /* 0… */
void put_pointer(struct decoding *d, uint64_t value); /* NULL or 0x… */
/* "name=" */
void put_member(struct decoding *d, const char *name);
void put_member_u64(struct decoding *d, const char *name, uint64_t value);
void put_member_i64(struct decoding *d, const char *name, int64_t value);
/* In quotes and escaped; "…"... when `more` stands behind it. */
void put_quoted(struct decoding *d, struct span s, bool more);
void put_fd(struct decoding *d, int fd);
void put_signal(struct decoding *d, int signal);
/* One name, or the number with names->unknown. */
void put_value(struct decoding *d, const struct flag_names *names, uint64_t value);
/* Names joined by |; 0 without a name of its own: 0. */
void put_bits(struct decoding *d, const struct flag_names *names, uint64_t value);
void put_bits_more(struct decoding *d, const struct flag_names *names, uint64_t value, bool *any);
void put_mode(struct decoding *d, uint32_t mode, bool type);
void put_sigset(struct decoding *d, uint64_t set);
void put_siginfo(struct decoding *d, const void *info);
void put_statx_mask(struct decoding *d, uint32_t mask);
void put_mount_state(struct decoding *d, uint64_t flags); /* ST_… of statfs */
void put_open_flags(struct decoding *d, uint64_t flags);
void put_fcntl_number(struct decoding *d);
void put_fcntl_result(struct decoding *d);
void put_sockaddr(struct decoding *d, struct span address);
void put_iovec(struct decoding *d, unsigned argument, unsigned array, unsigned first, uint64_t n, bool at_exit, uint64_t total);

/* ---- reaching ---- */

static inline uint64_t value_of(const struct decoding *d)
{
	return d->event->record->argument[d->at];
}
/* False: not captured. */
bool part_of(const struct decoding *d, unsigned argument, unsigned piece, bool at_exit, struct span *ret);
/* Of this argument, the whole, whichever moment was captured (the enter first), `n` bytes at least. */
bool struct_of(const struct decoding *d, size_t n, const void **ret);
bool succeeded(const struct decoding *d);

static inline uint64_t u64_at(const void *p, size_t offset)
{
	uint64_t v;

	memcpy(&v, (const char *)p + offset, sizeof v);
	return v;
}

static inline uint32_t u32_at(const void *p, size_t offset)
{
	uint32_t v;

	memcpy(&v, (const char *)p + offset, sizeof v);
	return v;
}

static inline uint16_t u16_at(const void *p, size_t offset)
{
	uint16_t v;

	memcpy(&v, (const char *)p + offset, sizeof v);
	return v;
}

/* Whether argument i is one, by what the others say. */
bool decode_counts(const struct trace_event *e, unsigned i);
/* Whether it is left out though later ones count. */
bool decode_skips(const struct trace_event *e, unsigned i);
/* What is said behind a result: " ([{fd=3, revents=POLLIN}])". */
void decode_result_words(struct decoding *d);

/* ---- every decoder of arguments.def ---- */

#define ARGUMENT(id, capture, when, size, decoder, names) void decode_##decoder(struct decoding *d);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wredundant-decls"
#include "dig/trace/arguments.def"
#pragma GCC diagnostic pop
#undef ARGUMENT

#endif
