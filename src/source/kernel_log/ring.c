#include "source/kernel_log/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/klog.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Of syslog(2); glibc has no names for them. */
#define SYSLOG_ACTION_READ_ALL 3
#define SYSLOG_ACTION_SIZE_BUFFER 10
#define MAX_SYSLOG_BYTES (64 << 20)

struct log_ring {
	struct host *host;
	enum log_start start;
	int fd;		   /* -1: captured, or from syslog(2) */
	bool from_syslog, told; /* its text is there at once, and only once */
	uint64_t cleared;
	struct buf scratch;
};

static const char *key_of(const struct log_ring *ring, bool open)
{
	if (ring->start == LOG_START_NOW)
		return open ? "kmsg:open" : "kmsg";
	return open ? "kmsg:history:open" : "kmsg:history";
}

static int open_device(struct host *h)
{
	struct stat st;
	int fd = openat(host_root_fd(h), "dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return -errno;
	/* A container may have /dev/null over it, or an empty file. */
	if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 11)) {
		close(fd);
		return -ENOENT;
	}
	return fd;
}

/* The first record since `dmesg -C`, and back to the oldest. */
static int find_cleared(int fd, char *record, uint64_t *ret)
{
	struct span head, field;
	ssize_t n;

	if (lseek(fd, 0, SEEK_DATA) < 0)
		return -errno;
	do
		n = read(fd, record, LOG_MAX_RECORD_BYTES);
	while (n < 0 && (errno == EINTR || errno == EPIPE));
	*ret = UINT64_MAX;
	if (n > 0) {
		head = (struct span){ record, (size_t)n };
		if (!span_until(&head, ',', &field) || !span_until(&head, ',', &field) || !span_u64(field, ret))
			*ret = 0;
	}
	return lseek(fd, 0, SEEK_SET) < 0 ? -errno : 0;
}

static int live_open(struct host *h, const char *key, void *arg, struct buf *ret)
{
	struct log_ring *ring = arg;
	int r;

	(void)key;
	ring->fd = open_device(h);
	if (ring->start == LOG_START_NOW) {
		if (ring->fd < 0)
			return ring->fd;
		/* Fails on anything that is not the kernel's log. */
		return lseek(ring->fd, 0, SEEK_END) < 0 ? -errno : 0;
	}
	if (ring->fd < 0) {
		int denied = ring->fd;
		char none; /* a buffer there must be, though nothing is read into it */

		if (klogctl(SYSLOG_ACTION_SIZE_BUFFER, NULL, 0) < 0 || klogctl(SYSLOG_ACTION_READ_ALL, &none, 0) < 0)
			return errno == EPERM || denied == -EPERM || denied == -EACCES ? -EPERM : -ENOENT;
		return buf_printf(ret, "syslog\n");
	}
	r = buf_reserve(&ring->scratch, LOG_MAX_RECORD_BYTES);
	if (r == 0)
		r = find_cleared(ring->fd, ring->scratch.data, &ring->cleared);
	return r < 0 ? r : buf_printf(ret, "kmsg cleared=%" PRIu64 "\n", ring->cleared);
}

static void parse_open(struct log_ring *ring, struct span answer)
{
	struct span word;

	ring->from_syslog = span_is(span_trim(answer), "syslog");
	if (span_until(&answer, '=', &word))
		(void)!span_u64(span_trim(answer), &ring->cleared);
	/* A ring that nobody cleared begins with record 0, or has lost it: then all of it counts. */
}

int log_ring_new(struct host *h, enum log_start start, struct log_ring **ret, struct note *note)
{
	struct log_ring *ring = calloc(1, sizeof *ring);
	cleanup(buf_deinit) struct buf answer = { 0 };

	if (!ring)
		return -ENOMEM;
	ring->host = h;
	ring->start = start;
	ring->fd = -1;
	int r = host_fetch(h, key_of(ring, true), live_open, ring, &answer);
	if (r < 0) {
		log_ring_free(ring);
		if (r == -EPERM || r == -EACCES)
			return note_set(note, -EPERM, "the kernel log is denied: needs root (CAP_SYSLOG), or sysctl "
						      "kernel.dmesg_restrict=0");
		if (r == -ENOENT && !host_is_live(h))
			return note_set(note, r, "the capture does not hold the kernel log's history: "
						 "make one with osprey log --capture");
		if (r == -ENOENT && start == LOG_START_NOW)
			return note_set(note, r, "cannot follow: /dev/kmsg is missing here or not the kernel's, and "
						 "nothing else tells what comes");
		if (r == -ENOENT)
			return note_set(note, r, "there is no kernel log here: /dev/kmsg is missing or not the kernel's, "
						 "and syslog(2) does not answer");
		return note_set(note, r, "cannot read the kernel log: %s", strerror(-r));
	}
	parse_open(ring, buf_span(&answer));
	*ret = ring;
	return 0;
}

void log_ring_free(struct log_ring *ring)
{
	if (!ring)
		return;
	close_fd(&ring->fd);
	buf_deinit(&ring->scratch);
	free(ring);
}

uint64_t log_ring_cleared(const struct log_ring *ring)
{
	return ring->cleared;
}

/* ---- reading ---- */

struct reading_of {
	struct log_ring *ring;
	size_t max_bytes;
};

static int read_records(int fd, size_t max_bytes, struct buf *ret)
{
	while (ret->n < max_bytes) {
		int r = buf_reserve(ret, LOG_MAX_RECORD_BYTES);
		if (r < 0)
			return r;
		ssize_t got = read(fd, ret->data + ret->n, LOG_MAX_RECORD_BYTES);
		if (got < 0 && (errno == EPIPE || errno == EINTR))
			continue; /* EPIPE: records were overwritten; the next read gives the oldest left */
		if (got < 0 && errno != EAGAIN)
			return ret->n ? 0 : -errno;
		if (got <= 0)
			break;
		ret->n += (size_t)got;
		ret->data[ret->n++] = '\0';
	}
	if (ret->data)
		ret->data[ret->n] = '\0';
	return 0;
}

static int read_syslog(struct log_ring *ring, struct buf *ret)
{
	int size = klogctl(SYSLOG_ACTION_SIZE_BUFFER, NULL, 0);

	if (size < 0)
		return -errno;
	if (size > MAX_SYSLOG_BYTES / 2)
		size = MAX_SYSLOG_BYTES / 2;
	size *= 2; /* the prefixes of its lines come on top */
	buf_clear(&ring->scratch);
	int r = buf_reserve(&ring->scratch, (size_t)size);
	if (r < 0)
		return r;
	int got = klogctl(SYSLOG_ACTION_READ_ALL, ring->scratch.data, size);
	if (got < 0)
		return -errno;
	return log_ring_from_syslog((struct span){ ring->scratch.data, (size_t)got }, ret);
}

static int live_read(struct host *h, const char *key, void *arg, struct buf *ret)
{
	struct reading_of *of = arg;

	(void)h;
	(void)key;
	if (of->ring->fd >= 0)
		return read_records(of->ring->fd, of->max_bytes, ret);
	if (of->ring->told)
		return 0;
	of->ring->told = true;
	return read_syslog(of->ring, ret);
}

int log_ring_read(struct log_ring *ring, size_t max_bytes, struct buf *ret)
{
	struct reading_of of = { ring, max_bytes };

	return host_fetch(ring->host, key_of(ring, false), live_read, &of, ret);
}

int log_ring_wait(struct log_ring *ring, int timeout_ms)
{
	struct pollfd ready = { .fd = ring->fd, .events = POLLIN };

	if (ring->fd < 0)
		return -EOPNOTSUPP;
	/* POLLERR comes with POLLIN: records were overwritten. */
	int n = poll(&ready, 1, timeout_ms);
	return n < 0 ? -errno : n > 0;
}

/* ---- syslog(2) ---- */

/* "<6>": priority and facility as in /dev/kmsg. */
static bool take_priority(struct span *line, uint64_t *ret)
{
	struct span rest = *line, number;

	if (!span_starts(rest, "<"))
		return false;
	rest = (struct span){ rest.p + 1, rest.n - 1 };
	if (!span_until(&rest, '>', &number) || !span_u64(number, ret))
		return false;
	*line = rest;
	return true;
}

/* "[    5.123456]", then perhaps "[   T12]" and a blank. */
static bool take_brackets(struct span *line, struct span *ret)
{
	struct span rest = *line;

	if (!span_starts(rest, "["))
		return false;
	rest = (struct span){ rest.p + 1, rest.n - 1 };
	if (!span_until(&rest, ']', ret))
		return false;
	*ret = span_trim(*ret);
	*line = rest;
	return true;
}

static bool is_caller(struct span s)
{
	uint64_t n;

	return s.n > 1 && (s.p[0] == 'T' || s.p[0] == 'C') && span_u64((struct span){ s.p + 1, s.n - 1 }, &n);
}

static int append_escaped(struct span text, struct buf *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		r = c < ' ' || c >= 127 || c == '\\' ? buf_printf(ret, "\\x%02x", c) : buf_append(ret, &text.p[i], 1);
	}
	return r;
}

static int append_record(struct span line, uint64_t sequence, struct buf *ret)
{
	struct span stamp = { 0 }, caller = { 0 }, probe = line;
	uint64_t priority = 4, us = 0;
	bool timed;

	if (take_priority(&probe, &priority))
		line = probe;
	timed = take_brackets(&probe, &stamp) && span_fixed(stamp, 6, &us);
	if (timed) {
		line = probe;
		if (take_brackets(&probe, &caller) && is_caller(caller))
			line = probe;
		else
			caller.n = 0;
		if (span_starts(line, " "))
			line = (struct span){ line.p + 1, line.n - 1 };
	}
	int r = buf_printf(ret, "%" PRIu64 ",%" PRIu64 ",", priority, sequence);
	if (r == 0)
		r = timed ? buf_printf(ret, "%" PRIu64 ",-", us) : buf_printf(ret, "-,-");
	if (r == 0 && caller.n)
		r = buf_printf(ret, ",caller=%.*s", (int)caller.n, caller.p);
	if (r == 0)
		r = buf_append(ret, ";", 1);
	if (r == 0)
		r = append_escaped(line, ret);
	return r < 0 ? r : buf_append(ret, "\n", 2); /* and its NUL */
}

int log_ring_from_syslog(struct span text, struct buf *ret)
{
	struct span line;
	uint64_t sequence = 0;
	int r = 0;

	while (r == 0 && span_line(&text, &line))
		r = append_record(line, sequence++, ret);
	return r;
}
