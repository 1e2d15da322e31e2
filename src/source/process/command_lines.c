#include "source/process/command_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* What a reader has done with a line. */
enum line_state { NOT_READ, READ };

struct line {
	int32_t pid;
	const char *text; /* in a chunk, which does not move */
	size_t n;
	_Atomic int state; /* READ is set last, and with it the rest may be looked at */
};

/* Lines that were read; a thread's own malloc would ask the kernel for each page. */
#define CHUNK_BYTES (256 * 1024)
struct chunk {
	struct chunk *next;
	size_t n, size;
	char text[];
};

/* Lives until the last reader is done with it, which may be long after the caller left. */
struct batch {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	unsigned users; /* under the lock */
	unsigned running;
	int root_fd;
	size_t n;
	_Atomic size_t next;
	struct line *lines;
	struct reader {
		struct batch *batch;
		_Atomic size_t at; /* line in hand + 1 */
		struct buf text;   /* the line in hand */
		struct chunk *chunks;
		bool over, left_behind; /* under the lock */
		size_t seen_at;		/* by the one who watches */
		uint64_t since_ns;
	} reader[COMMAND_LINES_THREADS + COMMAND_LINES_LEFT_BEHIND];
	unsigned nreaders;
};

static void batch_release(struct batch *b)
{
	pthread_mutex_lock(&b->lock);
	unsigned users = --b->users;
	pthread_mutex_unlock(&b->lock);
	if (users)
		return;
	for (unsigned i = 0; i < b->nreaders; i++) {
		buf_deinit(&b->reader[i].text);
		for (struct chunk *c = b->reader[i].chunks, *next; c; c = next) {
			next = c->next;
			free(c);
		}
	}
	pthread_mutex_destroy(&b->lock);
	pthread_cond_destroy(&b->ended);
	close(b->root_fd);
	free(b->lines);
	free(b);
}

/* Appends the file; the kernel gives at most a page at a time of long ones. */
static int append_file(int fd, struct buf *text)
{
	for (;;) {
		int r = buf_reserve(text, 4096);
		if (r < 0)
			return r;
		ssize_t n = read(fd, text->data + text->n, text->capacity - text->n - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		text->n += (size_t)n;
		/* A read that leaves room has reached the end, and saves asking again. */
		if (text->capacity - text->n > 1 && (size_t)n < 4096)
			return 0;
	}
}

static const char *keep_text(struct reader *r)
{
	struct chunk *c = r->chunks;

	if (!c || c->size - c->n < r->text.n) {
		size_t size = r->text.n > CHUNK_BYTES ? r->text.n : CHUNK_BYTES;

		c = malloc(sizeof *c + size);
		if (!c)
			return NULL;
		*c = (struct chunk){ .next = r->chunks, .size = size };
		r->chunks = c;
	}
	if (r->text.n)
		memcpy(c->text + c->n, r->text.data, r->text.n);
	c->n += r->text.n;
	return c->text + c->n - r->text.n;
}

static void read_line(struct reader *r, struct line *line)
{
	char path[40];

	buf_clear(&r->text);
	snprintf(path, sizeof path, "proc/%d/cmdline", line->pid);
	int fd = openat(r->batch->root_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	int result = append_file(fd, &r->text);
	close(fd);
	if (result < 0 || !(line->text = keep_text(r)))
		return;
	line->n = r->text.n;
	atomic_store_explicit(&line->state, READ, memory_order_release);
}

static void *reader_main(void *arg)
{
	struct reader *r = arg;
	struct batch *b = r->batch;

	for (;;) {
		size_t i = atomic_fetch_add(&b->next, 1);
		if (i >= b->n)
			break;
		atomic_store(&r->at, i + 1);
		read_line(r, &b->lines[i]);
	}
	pthread_mutex_lock(&b->lock);
	r->over = true;
	if (!r->left_behind)
		b->running--;
	pthread_cond_signal(&b->ended);
	pthread_mutex_unlock(&b->lock);
	batch_release(b);
	return NULL;
}

/* With the lock held. False: no thread can be had. */
static bool start_reader(struct batch *b)
{
	pthread_attr_t attributes;
	pthread_t thread;

	if (b->nreaders == sizeof b->reader / sizeof b->reader[0])
		return false;
	struct reader *r = &b->reader[b->nreaders];
	r->batch = b;
	r->since_ns = clock_mono_ns();
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, 64 * 1024);
	int error = pthread_create(&thread, &attributes, reader_main, r);
	pthread_attr_destroy(&attributes);
	if (error)
		return false;
	b->nreaders++;
	b->users++;
	b->running++;
	return true;
}

/* With the lock held: whoever has stood at one line for too long is no longer waited for. */
static void leave_behind(struct batch *b)
{
	uint64_t now = clock_mono_ns();

	for (unsigned i = 0, n = b->nreaders; i < n; i++) {
		struct reader *r = &b->reader[i];
		size_t at = atomic_load(&r->at);

		if (r->over || r->left_behind)
			continue;
		if (at != r->seen_at) {
			r->seen_at = at;
			r->since_ns = now;
		} else if (now - r->since_ns > COMMAND_LINES_PATIENCE_MS * NS_PER_MS) {
			r->left_behind = true;
			b->running--;
			start_reader(b);
		}
	}
}

static void wait_for_readers(struct batch *b)
{
	struct timespec until;

	while (b->running) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += 50 * 1000 * 1000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
		if (pthread_cond_timedwait(&b->ended, &b->lock, &until) == ETIMEDOUT)
			leave_behind(b);
	}
}

static struct batch *batch_new(struct host *h, const struct command_line *lines, size_t n)
{
	struct batch *b = calloc(1, sizeof *b);
	pthread_condattr_t attributes;

	if (!b)
		return NULL;
	b->lines = calloc(n ? n : 1, sizeof *b->lines);
	b->root_fd = fcntl(host_root_fd(h), F_DUPFD_CLOEXEC, 3);
	if (!b->lines) {
		close(b->root_fd);
		free(b);
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		b->lines[i].pid = lines[i].pid;
	b->n = n;
	b->users = 1;
	pthread_mutex_init(&b->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&b->ended, &attributes);
	pthread_condattr_destroy(&attributes);
	return b;
}

static size_t threads_for(size_t n)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t most = cpus > COMMAND_LINES_THREADS ? COMMAND_LINES_THREADS : cpus > 1 ? (size_t)cpus : 1;

	/* A thread costs as much as a few dozen lines. */
	return n / 64 + 1 < most ? n / 64 + 1 : most;
}

/* Where each starts is known once the text no longer moves: see point. */
static int gather(struct batch *b, struct command_line *lines, size_t n, struct buf *ret_text)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct line *line = &b->lines[i];
		bool told = atomic_load_explicit(&line->state, memory_order_acquire) == READ;

		lines[i].arguments = (struct span){ NULL, told ? line->n : SIZE_MAX };
		if (told)
			r = buf_append(ret_text, line->text, line->n);
	}
	return r;
}

static int read_one_by_one(struct host *h, struct command_line *lines, size_t n, struct buf *ret_text)
{
	struct buf one = { 0 };
	char path[40];
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		snprintf(path, sizeof path, "/proc/%d/cmdline", lines[i].pid);
		bool told = host_read_bounded(h, path, COMMAND_LINES_PATIENCE_MS, &one) == 0;

		lines[i].arguments = (struct span){ NULL, told ? one.n : SIZE_MAX };
		if (told)
			r = buf_append(ret_text, one.data, one.n);
	}
	buf_deinit(&one);
	return r;
}

static void point(struct command_line *lines, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++) {
		struct span *s = &lines[i].arguments;

		if (s->n == SIZE_MAX) {
			*s = (struct span){ NULL, 0 };
			continue;
		}
		s->p = text;
		text += s->n;
	}
}

static int read_by_threads(struct host *h, struct command_line *lines, size_t n, struct buf *ret_text)
{
	struct batch *b = batch_new(h, lines, n);

	if (!b)
		return -ENOMEM;
	pthread_mutex_lock(&b->lock);
	for (size_t i = threads_for(n); i > 0 && start_reader(b); i--)
		;
	wait_for_readers(b);
	int r = gather(b, lines, n, ret_text);
	pthread_mutex_unlock(&b->lock);
	batch_release(b);
	return r;
}

int command_lines_read(struct host *h, struct command_line *lines, size_t n, struct buf *ret_text)
{
	size_t from = ret_text->n;
	int r = host_is_textual(h) ? read_one_by_one(h, lines, n, ret_text) : read_by_threads(h, lines, n, ret_text);

	if (r == 0)
		point(lines, n, ret_text->data ? ret_text->data + from : "");
	return r;
}
