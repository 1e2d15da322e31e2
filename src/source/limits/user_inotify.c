#include "source/limits/user_inotify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define LIMIT_NS (300 * NS_PER_MS)

int user_inotify_parse(struct span text, user_inotify_vec *ret, bool *ret_complete)
{
	struct span line;
	uint64_t complete, uid, instances, watches;

	ret->n = 0;
	if (!span_line(&text, &line) || !span_u64(line, &complete))
		return -EBADMSG;
	while (span_line(&text, &line)) {
		if (!span_next_u64(&line, &uid) || !span_next_u64(&line, &instances) ||
		    !span_next_u64(&line, &watches) || uid > UINT32_MAX)
			return -EBADMSG;
		struct user_inotify *u = vec_push(ret);
		if (!u)
			return -ENOMEM;
		*u = (struct user_inotify){ (uint32_t)uid, instances, watches };
	}
	*ret_complete = complete == 1;
	return 0;
}

/* Lines "inotify wd:1 …", however reads cut them; "ino:" begins alike. */
static uint64_t count_watches(int process, const char *fd)
{
	static const char word[] = "inotify ";
	char path[64], text[4096];
	uint64_t n = 0;
	size_t matched = 0; /* of the word at the start of this line; past it: none */
	ssize_t got;

	snprintf(path, sizeof path, "fdinfo/%.20s", fd);
	cleanup(close_fd) int info = openat(process, path, O_RDONLY | O_CLOEXEC);
	while (info >= 0 && (got = read(info, text, sizeof text)) > 0)
		for (ssize_t i = 0; i < got; i++) {
			if (text[i] == '\n')
				matched = 0;
			else if (matched < sizeof word - 1 && text[i] == word[matched])
				n += ++matched == sizeof word - 1;
			else
				matched = sizeof word;
		}
	return n;
}

static struct user_inotify *of_user(user_inotify_vec *users, uint32_t uid)
{
	vec_each(u, users)
		if (u->uid == uid)
			return u;
	struct user_inotify *u = vec_push(users);
	if (u)
		*u = (struct user_inotify){ uid, 0, 0 };
	return u;
}

static int look_into(int proc, const char *pid, user_inotify_vec *users, bool *complete)
{
	cleanup(close_fd) int process = openat(proc, pid, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fds = process < 0 ? -1 : openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fds < 0 ? NULL : fdopendir(fds);
	struct dirent *entry;
	struct stat st;
	char link[32];
	int r = 0;

	if (!dir) {
		*complete &= errno != EACCES && errno != EPERM;
		close_fd(&fds);
		return 0;
	}
	while (r == 0 && (entry = readdir(dir))) {
		ssize_t n = entry->d_name[0] == '.' ? 0 : readlinkat(fds, entry->d_name, link, sizeof link);

		if (n != 18 || memcmp(link, "anon_inode:inotify", 18) != 0)
			continue;
		struct user_inotify *u = fstat(process, &st) == 0 ? of_user(users, st.st_uid) : NULL;
		if (!u) {
			r = -ENOMEM;
			break;
		}
		u->instances++;
		u->watches += count_watches(process, entry->d_name);
	}
	closedir(dir);
	return r;
}

static int count_all(int proc, DIR *dir, user_inotify_vec *users, bool *complete)
{
	uint64_t deadline_ns = clock_mono_ns() + LIMIT_NS;
	struct dirent *entry;
	int r = 0;

	while (r == 0 && (entry = readdir(dir))) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		if (clock_mono_ns() > deadline_ns) {
			*complete = false;
			break;
		}
		r = look_into(proc, entry->d_name, users, complete);
	}
	return r;
}

static int live_count(struct host *h, const char *key, void *arg, struct buf *ret)
{
	user_inotify_vec users = { 0 };
	bool complete = true;
	int fd = openat(host_root_fd(h), "proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int r = dir ? count_all(fd, dir, &users, &complete) : -errno;

	(void)key, (void)arg;
	if (r == 0)
		r = buf_printf(ret, "%d\n", complete);
	vec_each(u, &users)
		if (r == 0)
			r = buf_printf(ret, "%u %llu %llu\n", u->uid, (unsigned long long)u->instances,
				       (unsigned long long)u->watches);
	vec_free(&users);
	if (dir)
		closedir(dir);
	else
		close_fd(&fd);
	return r;
}

int user_inotify_read(struct host *h, struct buf *scratch, user_inotify_vec *ret, bool *ret_complete)
{
	int r = host_fetch(h, "user_inotify", live_count, NULL, scratch);

	return r < 0 ? r : user_inotify_parse(buf_span(scratch), ret, ret_complete);
}
