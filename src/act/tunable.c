#include "act/tunable.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "act/tune.h"
#include "base/cleanup.h"

#define TUNABLE(id, ...) void tune_advise_##id(const struct tune_case *c, struct tune_advice *ret);
#include "act/tunable.def"
#undef TUNABLE

const struct tunable tunables[TUNABLE_COUNT] = {
#define TUNABLE(id, name, path, shape, scope, unit, roles, what, normal, risk, since, doc)              \
	[TUNABLE_##id] = { name, path, SHAPE_##shape, SCOPE_##scope, unit, roles, what, normal, risk, since, \
			   doc, tune_advise_##id },
#include "act/tunable.def"
#undef TUNABLE
};

/* "vm/swappiness" and "vm.swappiness" are one name, as for sysctl(8). */
static bool same_name(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if ((*a == '/' ? '.' : *a) != (*b == '/' ? '.' : *b))
			return false;
	return *a == *b;
}

const struct tunable *tunable_find(const char *name)
{
	static const char sys[] = "/proc/sys/";

	for (size_t i = 0; i < TUNABLE_COUNT; i++)
		if (strcmp(name, tunables[i].path) == 0)
			return &tunables[i];
	if (strncmp(name, sys, sizeof sys - 1) == 0)
		name += sizeof sys - 1;
	for (size_t i = 0; i < TUNABLE_COUNT; i++)
		if (same_name(name, tunables[i].name))
			return &tunables[i];
	return NULL;
}

/* ---- values ---- */

static bool choice_parse(struct span text, char *ret, size_t size)
{
	struct span word, all = text, rest;

	while (span_word(&text, &word))
		if (word.n > 2 && word.p[0] == '[' && word.p[word.n - 1] == ']') {
			span_copy((struct span){ word.p + 1, word.n - 2 }, ret, size);
			return true;
		}
	/* Where there is nothing to choose (a disk without a queue) the one word stands alone. */
	rest = span_trim(all);
	if (rest.n == 0 || rest.n >= size || memchr(rest.p, ' ', rest.n) || rest.p[0] == '[')
		return false;
	span_copy(rest, ret, size);
	return true;
}

static bool numbers_parse(struct span text, size_t n, struct tune_value *v)
{
	struct span word;

	for (size_t i = 0; i < n; i++) {
		int64_t negative;

		if (!span_word(&text, &word))
			return false;
		if (span_u64(word, &v->number[i]))
			continue;
		if (i > 0 || !span_i64(word, &negative))
			return false;
		v->negative = true;
		v->number[i] = 0;
	}
	return !span_word(&text, &word);
}

int tune_value_parse(struct span text, enum tunable_shape shape, struct tune_value *ret)
{
	struct tune_value v = { 0 };
	struct span rest = span_trim(text), word;
	bool good;

	if (rest.n == 0 || rest.n >= sizeof v.text || memchr(rest.p, '\n', rest.n))
		return -EBADMSG;
	span_copy(rest, v.text, sizeof v.text);
	if (shape == SHAPE_CHOICE) {
		good = choice_parse(rest, v.word, sizeof v.word);
	} else {
		struct span first = rest;

		good = span_word(&first, &word) && word.n < sizeof v.word;
		if (good)
			span_copy(word, v.word, sizeof v.word);
		if (good && shape != SHAPE_WORD)
			good = numbers_parse(rest, shape == SHAPE_NUMBER ? 1 : shape == SHAPE_PAIR ? 2 : 3, &v);
	}
	if (!good)
		return -EBADMSG;
	*ret = v;
	return 0;
}

bool tune_value_offers(const struct tune_value *v, const char *wanted)
{
	struct span text = span_from(v->text), word;

	while (span_word(&text, &word)) {
		if (word.n > 2 && word.p[0] == '[')
			word = (struct span){ word.p + 1, word.n - 2 };
		if (span_is(word, wanted))
			return true;
	}
	return false;
}

void tunable_path(const struct tunable *t, const char *disk, char *ret, size_t size)
{
	const char *star = strchr(t->path, '*');

	if (!star) {
		snprintf(ret, size, "%s", t->path);
		return;
	}
	/* The kernel writes the / of a name such as cciss/c0d0 as !. */
	int n = snprintf(ret, size, "%.*s", (int)(star - t->path), t->path);
	for (const char *c = disk; *c && (size_t)n + 1 < size; c++)
		ret[n++] = *c == '/' ? '!' : *c;
	snprintf(ret + n, size - (size_t)n, "%s", star + 1);
}

/* ---- other network namespaces ---- */

int net_ns_within(int pid, int (*work)(void *arg), void *arg)
{
	char path[40];

	if (pid == 0)
		return work(arg);
	snprintf(path, sizeof path, "/proc/%d/ns/net", pid);
	int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (own < 0)
		return -errno;
	int there = open(path, O_RDONLY | O_CLOEXEC);
	int r = there < 0 ? -errno : 0;
	if (r == 0 && setns(there, CLONE_NEWNET) < 0)
		r = -errno;
	if (there >= 0)
		close(there);
	if (r == 0) {
		r = work(arg);
		/* Whoever let us out of our namespace lets us back; going on in another's would tell
		 * and change the wrong machine's values. */
		if (setns(own, CLONE_NEWNET) < 0)
			abort();
	}
	close(own);
	return r;
}

struct whole_file {
	const char *path;
	struct buf *ret;
};

static int read_whole(void *arg)
{
	const struct whole_file *f = arg;
	char text[512];
	int fd = open(f->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, text, sizeof text);
	int r = n < 0 ? -errno : buf_append(f->ret, text, (size_t)n);
	close(fd);
	return r;
}

struct within {
	int pid;
	const char *path;
};

static int read_within(struct host *h, const char *key, void *arg, struct buf *ret)
{
	const struct within *w = arg;
	struct whole_file f = { w->path, ret };

	(void)h;
	(void)key;
	return net_ns_within(w->pid, read_whole, &f);
}

void tune_value_read(struct host *h, const struct tunable *t, const char *disk, int pid, struct buf *scratch,
		     struct tune_value *ret)
{
	char path[160], key[192];
	int r;

	memset(ret, 0, sizeof *ret);
	tunable_path(t, disk ? disk : "", path, sizeof path);
	if (pid == 0 || t->scope != SCOPE_NET) {
		r = host_read(h, path, scratch);
	} else {
		struct within w = { pid, path };

		snprintf(key, sizeof key, "netns:%d:%s", pid, path);
		r = host_fetch(h, key, read_within, &w, scratch);
	}
	if (r == 0)
		r = tune_value_parse(buf_span(scratch), t->shape, ret);
	ret->error = r;
}

/* ---- roles ---- */

static const struct {
	enum tune_role role;
	const char *name, *title;
} roles[] = {
	{ ROLE_GENERAL, "general", "no special role" },
	{ ROLE_WEB, "web", "a web server or proxy" },
	{ ROLE_DATABASE, "database", "a database" },
	{ ROLE_CONTAINER, "container", "a container host" },
	{ ROLE_FILE, "file", "a file server" },
	{ ROLE_ROUTER, "router", "a router" },
	{ ROLE_DESKTOP, "desktop", "a desktop" },
	{ ROLE_COMPUTE, "compute", "a machine that computes" },
};

const char *tune_role_name(enum tune_role role)
{
	for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
		if (roles[i].role == role)
			return roles[i].name;
	return NULL;
}

const char *tune_role_title(enum tune_role role)
{
	for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
		if (roles[i].role == role)
			return roles[i].title;
	return NULL;
}
