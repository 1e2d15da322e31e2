#include "cpu_limit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEAST_OF_QUOTA 2u

/* Where the process is in the hierarchy that has the cpu controller: v1's where there is one, v2's else. */
struct place {
	bool v1, found;
	char path[PATH_MAX];
};

struct mount {
	const struct place *place;
	bool found;
	char point[PATH_MAX];	/* where it is mounted, */
	char top[PATH_MAX];	/* and which group is there */
};

/* Calls line(text, arg) for each. Lines that do not fit are left out: none of those that are looked for is as
 * long. */
static void each_line(const char *path, void (*line)(char *, void *), void *arg)
{
	char text[2 * PATH_MAX];
	size_t n = 0;
	ssize_t got;
	bool skip = false;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	while ((got = read(fd, text + n, sizeof text - 1 - n)) > 0) {
		char *at = text, *end;
		n += (size_t)got;
		while ((end = memchr(at, '\n', n - (size_t)(at - text)))) {
			*end = '\0';
			if (!skip)
				line(at, arg);
			skip = false;
			at = end + 1;
		}
		n -= (size_t)(at - text);
		memmove(text, at, n);
		if (n == sizeof text - 1) {
			skip = true;
			n = 0;
		}
	}
	close(fd);
}

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
		if (strncmp(at, word, n) == 0 && (at[n] == ',' || at[n] == '\0'))
			return true;
	return false;
}

/* "4:cpu,cpuacct:/path", or "0::/path". */
static void place_line(char *line, void *arg)
{
	struct place *p = arg;
	char *controllers = strchr(line, ':');
	char *path = controllers ? strchr(controllers + 1, ':') : NULL;

	if (!path || strlen(path + 1) >= sizeof p->path)
		return;
	*path++ = '\0';
	bool v1 = has_word(controllers + 1, "cpu");
	if (!v1 && (p->v1 || strncmp(line, "0:", 2) != 0 || controllers[1]))
		return;
	p->v1 = v1;
	p->found = true;
	strcpy(p->path, path);
}

/* A space and the like is written as \040. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		unsigned code;
		if (*s == '\\' && sscanf(s, "\\%3o", &code) == 1 && code < 256) {
			*to++ = (char)code;
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* "31 30 0:28 /top /point options … - cgroup source rw,cpu". */
static void mount_line(char *line, void *arg)
{
	struct mount *m = arg;
	char *field[5], *rest = strstr(line, " - "), *saved;

	if (!rest)
		return;
	*rest = '\0';
	for (int i = 0; i < 5; i++)
		if (!(field[i] = strtok_r(i ? NULL : line, " ", &saved)))
			return;
	char *type = strtok_r(rest + 3, " ", &saved), *source = strtok_r(NULL, " ", &saved);
	char *options = source ? strtok_r(NULL, " ", &saved) : NULL;
	if (!options || strcmp(type, m->place->v1 ? "cgroup" : "cgroup2") != 0 ||
	    (m->place->v1 && !has_word(options, "cpu")))
		return;
	if (strlen(field[4]) >= sizeof m->point || strlen(field[3]) >= sizeof m->top)
		return;
	m->found = true;
	strcpy(m->top, field[3]);
	strcpy(m->point, field[4]);
	unescape(m->top);
	unescape(m->point);
}

/* A file of one number or two (`b`). False: there is none, or it says something else. */
static bool read_numbers(const char *directory, const char *name, long long *a, long long *b)
{
	char path[PATH_MAX + 64], text[64];

	if (snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path)
		return false;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return b ? sscanf(text, "%lld %lld", a, b) == 2 : sscanf(text, "%lld", a) == 1;
}

static uint64_t limit_of(const char *directory, bool v1)
{
	long long quota, period;

	if (v1) {
		if (!read_numbers(directory, "cpu.cfs_quota_us", &quota, NULL) ||
		    !read_numbers(directory, "cpu.cfs_period_us", &period, NULL))
			return CPU_LIMIT_NONE;
	} else if (!read_numbers(directory, "cpu.max", &quota, &period)) {
		return CPU_LIMIT_NONE;	/* "max", or the root, which has no such file */
	}
	if (quota <= 0 || period <= 0 || quota > LLONG_MAX / 2000)
		return CPU_LIMIT_NONE;
	return ((uint64_t)quota * 1000 + (uint64_t)period - 1) / (uint64_t)period;
}

/* `directory` and what is above it, down to the first `least` characters. */
static uint64_t tightest(char *directory, size_t least, bool v1)
{
	uint64_t limit = CPU_LIMIT_NONE;

	for (;;) {
		uint64_t here = limit_of(directory, v1);
		limit = here < limit ? here : limit;
		char *slash = strrchr(directory, '/');
		if (!slash || (size_t)(slash - directory) < least)
			return limit;
		*slash = '\0';
	}
}

/* The part of the group's path that lies below the mount; groups outside of it (seen from another namespace:
 * "/../…") are not visible, and the mount's top counts. */
static const char *below(const struct mount *m, const char *path)
{
	size_t n = strcmp(m->top, "/") == 0 ? 0 : strlen(m->top);

	if (strncmp(path, m->top, n) != 0 || (path[n] != '/' && path[n] != '\0') || strstr(path, "/.."))
		return "";
	return strcmp(path + n, "/") == 0 ? "" : path + n;
}

uint64_t cpu_limit_milli(const char *root)
{
	struct place place = { 0 };
	struct mount mount = { .place = &place };
	char path[4 * PATH_MAX];

	snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
	each_line(path, place_line, &place);
	if (!place.found)
		return CPU_LIMIT_NONE;
	snprintf(path, sizeof path, "%s/proc/self/mountinfo", root);
	each_line(path, mount_line, &mount);
	if (!mount.found)
		return CPU_LIMIT_NONE;
	snprintf(path, sizeof path, "%s%s%s", root, mount.point, below(&mount, place.path));
	return tightest(path, strlen(root) + strlen(mount.point), place.v1);
}

uint32_t cpu_limit_processors(const char *root)
{
	uint64_t milli = cpu_limit_milli(root);
	cpu_set_t cpus;
	/* Of the process's first thread: that is the one that `taskset -p` and the like change. */
	uint32_t n = sched_getaffinity(getpid(), sizeof cpus, &cpus) == 0 ? (uint32_t)CPU_COUNT(&cpus) : 1;

	if (milli != CPU_LIMIT_NONE) {
		uint64_t quota = (milli + 999) / 1000;
		quota = quota > LEAST_OF_QUOTA ? quota : LEAST_OF_QUOTA;
		n = quota < n ? (uint32_t)quota : n;
	}
	return n ? n : 1;
}
