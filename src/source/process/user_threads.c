#include "source/process/user_threads.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "source/process/process_status.h"

#define LIMIT_NS (300 * NS_PER_MS)

static int compare_users(const void *a, const void *b)
{
	const struct user_threads *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

int user_threads_parse(struct span text, user_threads_vec *ret)
{
	struct span line;
	uint64_t uid, threads;

	ret->n = 0;
	while (span_line(&text, &line)) {
		if (!span_next_u64(&line, &uid) || !span_next_u64(&line, &threads) || uid > UINT32_MAX)
			return -EBADMSG;
		struct user_threads *u = vec_push(ret);
		if (!u)
			return -ENOMEM;
		*u = (struct user_threads){ (uint32_t)uid, threads };
	}
	if (ret->n)
		qsort(ret->v, ret->n, sizeof *ret->v, compare_users);
	return 0;
}

static int count_one(int proc, const char *name, user_threads_vec *users)
{
	char path[32], text[4096];
	struct process_status status;
	ssize_t n;

	snprintf(path, sizeof path, "%.20s/status", name);
	cleanup(close_fd) int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || (n = read(fd, text, sizeof text)) <= 0)
		return 0;
	process_status_parse((struct span){ text, (size_t)n }, &status);
	if (!reading_ok(status.uid[0]) || !reading_ok(status.threads))
		return 0;
	vec_each(u, users)
		if (u->uid == status.uid[0]) {
			u->threads += status.threads;
			return 0;
		}
	struct user_threads *u = vec_push(users);
	if (!u)
		return -ENOMEM;
	*u = (struct user_threads){ (uint32_t)status.uid[0], status.threads };
	return 0;
}

static int count_all(int proc, DIR *dir, user_threads_vec *users)
{
	uint64_t deadline_ns = clock_mono_ns() + LIMIT_NS;
	struct dirent *entry;
	int r = 0;

	while (r == 0 && (entry = readdir(dir))) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		r = clock_mono_ns() > deadline_ns ? -ETIMEDOUT : count_one(proc, entry->d_name, users);
	}
	return r;
}

static int live_count(struct host *h, const char *key, void *arg, struct buf *ret)
{
	user_threads_vec users = { 0 };
	int fd = openat(host_root_fd(h), "proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int r = dir ? 0 : -errno;

	(void)key, (void)arg;
	if (r == 0)
		r = count_all(fd, dir, &users);
	vec_each(u, &users)
		if (r == 0)
			r = buf_printf(ret, "%u %llu\n", u->uid, (unsigned long long)u->threads);
	vec_free(&users);
	if (dir)
		closedir(dir);
	else
		close_fd(&fd);
	return r;
}

int user_threads_read(struct host *h, struct buf *scratch, user_threads_vec *ret)
{
	int r = host_fetch(h, "user_threads", live_count, NULL, scratch);

	return r < 0 ? r : user_threads_parse(buf_span(scratch), ret);
}
