#include "dig/core/core_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "dig/core/core_page.h"

#define READ_MAX (UINT32_C(64) << 20) /* of one call: so often is told how far it is */

int core_copier_init(struct core_copier *c, struct core_file *file, size_t size)
{
	/* Shared: a guardian that is forked later has no page tables to copy for it. */
	void *buffer = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (buffer == MAP_FAILED)
		return -ENOMEM;
	*c = (struct core_copier){ .memory = -1, .file = file, .buffer = buffer, .size = size, .limit = size };
	return 0;
}

void core_copier_deinit(struct core_copier *c)
{
	if (!c->buffer)
		return;
	munmap(c->buffer, c->size);
	close_fd(&c->memory);
	vec_free(&c->piece);
	c->buffer = NULL;
}

int core_copier_from(struct core_copier *c, int pid)
{
	char path[48];

	close_fd(&c->memory);
	snprintf(path, sizeof path, "/proc/%d/mem", pid);
	c->memory = open(path, O_RDONLY | O_CLOEXEC);
	c->pid = pid;
	return c->memory < 0 && errno == ENOENT ? -ESRCH : 0;
}

static int piece_add(struct core_copier *c, uint64_t address, size_t n, bool fresh)
{
	struct core_piece *last = c->piece.n ? &c->piece.v[c->piece.n - 1] : NULL;

	if (last && last->address + last->n == address && last->at + last->n == c->used && last->fresh == fresh) {
		last->n += n;
	} else {
		struct core_piece *new = vec_push(&c->piece);

		if (!new)
			return -ENOMEM;
		*new = (struct core_piece){ address, c->used, n, fresh };
	}
	c->used += n;
	c->copied_bytes += n;
	return 0;
}

/* `got` bytes came: they are pieces now, and what was asked for begins behind them. */
static int accept_bytes(struct core_copier *c, size_t *first, size_t got)
{
	int r = 0;

	c->ahead_bytes -= got;
	while (r == 0 && got) {
		struct iovec *io = &c->ahead[*first];
		size_t part = io->iov_len < got ? io->iov_len : got;

		r = piece_add(c, (uintptr_t)io->iov_base, part, c->ahead_fresh);
		io->iov_base = (char *)io->iov_base + part;
		io->iov_len -= part;
		got -= part;
		*first += io->iov_len == 0;
	}
	return r;
}

static void skip_page(struct core_copier *c, size_t *first)
{
	struct iovec *io = &c->ahead[*first];
	size_t page = page_size();

	io->iov_base = (char *)io->iov_base + page;
	io->iov_len -= page;
	c->ahead_bytes -= page;
	c->unreadable_bytes += page;
	*first += io->iov_len == 0;
}

int core_copy_read(struct core_copier *c)
{
	size_t first = 0;
	int r = 0;

	while (r == 0 && first < c->nahead) {
		struct iovec local = { c->buffer + c->used, c->ahead_bytes };
		ssize_t got = process_vm_readv(c->pid, &local, 1, c->ahead + first, c->nahead - first, 0);

		if (got < 0 && errno != EFAULT)
			r = errno == EINTR ? 0 : -errno;
		else if (got <= 0)
			skip_page(c, &first);
		else
			/* Part of a page never comes: pages are asked for. */
			r = accept_bytes(c, &first, (size_t)got / page_size() * page_size());
	}
	c->nahead = c->ahead_bytes = 0;
	if (r == 0 && c->beat)
		r = c->beat(c->arg);
	return r;
}

int core_copy_flush(struct core_copier *c)
{
	int r = core_copy_read(c);

	for (size_t i = 0; r == 0 && i < c->piece.n; i++) {
		const struct core_piece *p = &c->piece.v[i];

		r = core_file_write(c->file, p->address, c->buffer + p->at, p->n, p->fresh);
	}
	c->piece.n = 0;
	c->used = 0;
	return r;
}

void core_copy_limit(struct core_copier *c, size_t bytes)
{
	c->limit = bytes < c->size ? bytes : c->size;
}

static int copy_forced(struct core_copier *c, uint64_t start, uint64_t end, bool fresh)
{
	int r = core_copy_read(c);

	while (r == 0 && start < end) {
		size_t room = c->limit > c->used ? c->limit - c->used : 0;

		if (room == 0) {
			r = core_copy_flush(c);
			continue;
		}
		size_t n = end - start < room ? (size_t)(end - start) : room;
		ssize_t got = c->memory < 0 ? -1 : pread(c->memory, c->buffer + c->used, n, (off_t)start);

		n = got < 0 ? 0 : (size_t)got / page_size() * page_size();
		if (n == 0) {
			c->unreadable_bytes += page_size();
			start += page_size();
			continue;
		}
		r = piece_add(c, start, n, fresh);
		start += n;
	}
	return r;
}

int core_copy(struct core_copier *c, uint64_t start, uint64_t end, bool fresh, bool forced)
{
	int r = 0;

	if (forced)
		return copy_forced(c, start, end, fresh);
	if (c->nahead && c->ahead_fresh != fresh)
		r = core_copy_read(c);
	c->ahead_fresh = fresh;
	while (r == 0 && start < end) {
		size_t taken = c->used + c->ahead_bytes, room = c->limit > taken ? c->limit - taken : 0;

		if (room == 0) {
			r = core_copy_flush(c);
			continue;
		}
		if (c->nahead == CORE_COPY_BATCH || c->ahead_bytes >= READ_MAX) {
			r = core_copy_read(c);
			continue;
		}
		size_t n = end - start < room ? (size_t)(end - start) : room;

		if (n > READ_MAX)
			n = READ_MAX;
		c->ahead[c->nahead++] = (struct iovec){ (void *)(uintptr_t)start, n };
		c->ahead_bytes += n;
		start += n;
	}
	return r;
}
