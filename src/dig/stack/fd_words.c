#include "dig/stack/fd_words.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static int by_inode(const void *a, const void *b)
{
	const struct process_socket *x = a, *y = b;

	return (x->inode > y->inode) - (x->inode < y->inode);
}

int fd_words_read(struct host *h, int pid, bool (*wanted)(void *arg, int fd), void *arg, struct fd_words *ret)
{
	struct buf scratch = { 0 };
	struct proc_dir d;
	int r = proc_dir_open(h, pid, 0, &d);

	if (r < 0)
		return 0;
	r = process_fds_read(&d, pid, false, &scratch, &ret->fds);
	vec_each(f, &ret->fds.fds) {
		if (r < 0 || f->kind != FD_SOCKET || !wanted(arg, f->fd))
			continue;
		struct process_socket *socket = vec_push(&ret->sockets);
		if (!socket)
			r = -ENOMEM;
		else
			socket->inode = f->inode;
	}
	if (r >= 0 && ret->sockets.n) {
		qsort(ret->sockets.v, ret->sockets.n, sizeof ret->sockets.v[0], by_inode);
		r = process_sockets_read(&d, pid, &scratch, &ret->sockets);
	}
	proc_dir_close(&d);
	buf_deinit(&scratch);
	return r;
}

void fd_words_deinit(struct fd_words *w)
{
	process_fds_deinit(&w->fds);
	vec_free(&w->sockets);
}

struct text {
	char *p;
	size_t size;
};

static void append(struct text t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void append(struct text t, const char *format, ...)
{
	size_t n = strlen(t.p);
	va_list args;

	va_start(args, format);
	vsnprintf(t.p + n, t.size - n, format, args);
	va_end(args);
}

static void append_socket(const struct fd_words *w, const struct process_fd *f, struct text t)
{
	struct process_socket key = { .inode = f->inode };
	const struct process_socket *s =
		w->sockets.n ? bsearch(&key, w->sockets.v, w->sockets.n, sizeof key, by_inode) : NULL;

	if (!s || !s->protocol[0]) {
		append(t, ", socket:[%llu]", (unsigned long long)f->inode);
		return;
	}
	append(t, ", %s", s->protocol);
	if (s->local[0])
		append(t, " %s", s->local);
	if (s->remote[0])
		append(t, " -> %s", s->remote);
	if (s->state[0] && strcmp(s->state, "ESTABLISHED") != 0)
		append(t, " (%s)", s->state);
}

static int by_fd(const void *a, const void *b)
{
	const struct process_fd *x = a, *y = b;

	return (x->fd > y->fd) - (x->fd < y->fd);
}

void fd_words_append(const struct fd_words *w, int fd, char *text, size_t size)
{
	struct process_fd key = { .fd = fd };
	const struct process_fd *f = w->fds.fds.n ? bsearch(&key, w->fds.fds.v, w->fds.fds.n, sizeof key, by_fd) : NULL;
	struct text t = { text, size };

	if (!f)
		return;
	struct span target = process_fd_target(&w->fds, f);
	if (f->kind == FD_SOCKET)
		append_socket(w, f, t);
	else
		append(t, ", %.*s", (int)target.n, target.p);
}
