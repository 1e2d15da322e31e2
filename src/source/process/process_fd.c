#include "source/process/process_fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/bounded.h"
#include "base/cleanup.h"
#include "base/clock.h"

#define MAX_FDS 65536
#define LINKS_MS 2000 /* when it hangs */
#define ENOUGH_MS 700 /* when there are too many */
#define STATS_MS 100
#define MAX_INFO 65536 /* of an epoll set of a thousand targets; the rest is not counted */

void process_fds_deinit(struct process_fds *f)
{
	vec_free(&f->fds);
	buf_deinit(&f->text);
}

struct span process_fd_target(const struct process_fds *all, const struct process_fd *fd)
{
	return (struct span){ all->text.data ? all->text.data + fd->target_at : "", fd->target_n };
}

static const char *const kind_names[] = {
#define NAME(name, word, words) [FD_##name] = word,
	FD_KINDS(NAME)
#undef NAME
};

static const char *const kind_plurals[] = {
#define PLURAL(name, word, words) [FD_##name] = words,
	FD_KINDS(PLURAL)
#undef PLURAL
};

const char *fd_kind_name(enum fd_kind kind)
{
	return kind_names[kind];
}

const char *fd_kind_plural(enum fd_kind kind)
{
	return kind_plurals[kind];
}

/* The generic numbers of include/uapi/asm-generic/fcntl.h; arm64 swaps a few. */
static const struct {
	uint32_t bit;
	const char *word;
} flag_words[] = {
	{ O_APPEND, "append" }, { O_NONBLOCK, "nonblock" }, { O_CLOEXEC, "cloexec" }, { O_DIRECT, "direct" },
	{ O_DSYNC, "dsync" }, { O_ASYNC, "async" }, { O_NOATIME, "noatime" }, { O_PATH, "path" },
};

void fd_flags_text(uint32_t flags, char *ret, size_t size)
{
	size_t n = 0;

	*ret = '\0';
	for (size_t i = 0; i < sizeof flag_words / sizeof flag_words[0]; i++)
		if (flags & flag_words[i].bit && n < size)
			n += (size_t)snprintf(ret + n, size - n, "%s%s", n ? " " : "", flag_words[i].word);
	if ((flags & O_TMPFILE) == O_TMPFILE && n < size)
		snprintf(ret + n, size - n, "%stmpfile", n ? " " : "");
}

/* ---- parsing ---- */

static bool ends(struct span s, const char *with)
{
	size_t n = strlen(with);

	return s.n >= n && memcmp(s.p + s.n - n, with, n) == 0;
}

static enum fd_kind anonymous_kind(struct span name)
{
	static const struct {
		const char *name;
		enum fd_kind kind;
	} known[] = {
		{ "[eventpoll]", FD_EPOLL },  { "[eventfd]", FD_EVENTFD },   { "[timerfd]", FD_TIMERFD },
		{ "[signalfd]", FD_SIGNALFD }, { "inotify", FD_INOTIFY },     { "[fanotify]", FD_FANOTIFY },
		{ "[pidfd]", FD_PIDFD },      { "[io_uring]", FD_IO_URING }, { "[perf_event]", FD_PERF },
		{ "bpf", FD_BPF },	      { "[bpf", FD_BPF },
	};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (span_starts(name, known[i].name))
			return known[i].kind;
	return FD_OTHER;
}

/* "socket:[812]" of the name that stands before the colon. */
static bool numbered(struct span target, struct span *ret_name, uint64_t *ret)
{
	struct span number = target;

	if (!span_until(&number, ':', ret_name) || number.n < 3 || number.p[0] != '[' || number.p[number.n - 1] != ']')
		return false;
	return span_u64((struct span){ number.p + 1, number.n - 2 }, ret);
}

static enum fd_kind named_kind(struct span name)
{
	static const char *const namespaces[] = { "cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts" };

	if (span_is(name, "pipe"))
		return FD_PIPE;
	if (span_is(name, "socket"))
		return FD_SOCKET;
	if (span_is(name, "pidfd"))
		return FD_PIDFD;
	for (size_t i = 0; i < sizeof namespaces / sizeof namespaces[0]; i++)
		if (span_is(name, namespaces[i]))
			return FD_NAMESPACE;
	return FD_OTHER;
}

enum fd_kind fd_kind_of(struct span target, uint64_t *ret_inode, bool *ret_deleted)
{
	struct span name;

	*ret_inode = 0;
	*ret_deleted = false;
	if (span_starts(target, "/memfd:"))
		return FD_MEMFD;
	if (target.n && target.p[0] == '/') {
		*ret_deleted = ends(target, " (deleted)");
		return span_starts(target, "/dev/") && !span_starts(target, "/dev/shm/") ? FD_DEVICE : FD_REGULAR;
	}
	if (numbered(target, &name, ret_inode))
		return named_kind(name);
	if (span_starts(target, "anon_inode:"))
		return anonymous_kind((struct span){ target.p + 11, target.n - 11 });
	return FD_OTHER;
}

static void take_flags(struct span line, struct process_fd *ret)
{
	struct span word;
	uint64_t v = 0;

	if (!span_word(&line, &word) || word.n > 11)
		return;
	for (size_t i = 0; i < word.n; i++) {
		if (word.p[i] < '0' || word.p[i] > '7')
			return;
		v = v * 8 + (uint64_t)(word.p[i] - '0');
	}
	ret->flags = (uint32_t)v;
	ret->has_flags = true;
	if (v & O_PATH)
		ret->access = '-';
}

/* "(12, 345678)": seconds and nanoseconds. */
static void take_expiry(struct span line, struct process_fd *ret)
{
	struct span seconds, ns = span_trim(line);
	uint64_t s, n;

	if (ns.n < 2 || ns.p[0] != '(' || ns.p[ns.n - 1] != ')')
		return;
	ns.p++, ns.n -= 2;
	if (span_until(&ns, ',', &seconds) && span_u64(span_trim(seconds), &s) && span_u64(span_trim(ns), &n) &&
	    s < UINT64_MAX / 4000000000u && n < 1000000000u)
		ret->detail = s * 1000000000u + n;
}

static void count(reading *r)
{
	*r = reading_or(*r, 0) + 1;
}

static void take_number(struct span line, bool hexadecimal, reading *ret)
{
	struct span word;
	uint64_t v;

	if (span_word(&line, &word) && (hexadecimal ? span_hex(word, &v) : span_u64(word, &v)) && reading_ok(v))
		*ret = v;
}

void fdinfo_parse(struct span text, struct process_fd *ret)
{
	struct span line, name;

	while (span_line(&text, &line)) {
		if (span_starts(line, "inotify ") || span_starts(line, "fanotify ")) {
			count(&ret->detail);
			continue;
		}
		if (!span_until(&line, ':', &name))
			continue;
		name = span_trim(name);
		if (span_is(name, "pos"))
			take_number(line, false, &ret->position);
		else if (span_is(name, "flags"))
			take_flags(line, ret);
		else if (span_is(name, "lock"))
			count(&ret->locks);
		else if (span_is(name, "tfd"))
			count(&ret->detail);
		else if (span_is(name, "eventfd-count"))
			take_number(line, true, &ret->detail);
		else if (span_is(name, "it_value"))
			take_expiry(line, ret);
		else if (ret->kind == FD_PIDFD && span_is(name, "Pid"))
			take_number(line, false, &ret->detail);
	}
}

static char access_of(uint64_t mode)
{
	static const char letters[] = { '-', 'w', 'r', 'u' }; /* the link's mode: r is 4, w is 2 */

	return letters[mode >> 7 & 3];
}

/* "fd mode target_bytes info_bytes\n", then the two, then a newline. */
static int parse_entry(struct span *rest, struct process_fds *ret)
{
	struct span line;
	uint64_t fd, mode, target, info;

	if (!span_line(rest, &line) || !span_next_u64(&line, &fd) || !span_next_u64(&line, &mode) ||
	    !span_next_u64(&line, &target) || !span_next_u64(&line, &info))
		return -EBADMSG;
	if (fd > INT32_MAX || target > rest->n || info > rest->n - target || rest->n - target - info < 1)
		return -EBADMSG;
	struct process_fd *f = vec_push(&ret->fds);
	if (!f)
		return -ENOMEM;
	*f = (struct process_fd){ .fd = (int32_t)fd, .access = access_of(mode), .position = READING_ABSENT,
				  .size_bytes = READING_ABSENT, .detail = READING_ABSENT, .locks = 0,
				  .target_at = ret->text.n, .target_n = target };
	struct span link = { rest->p, target };
	f->kind = fd_kind_of(link, &f->inode, &f->deleted);
	fdinfo_parse((struct span){ rest->p + target, info }, f);
	if ((f->kind == FD_EPOLL || f->kind == FD_INOTIFY || f->kind == FD_FANOTIFY) && info && !reading_ok(f->detail))
		f->detail = 0;
	rest->p += target + info + 1;
	rest->n -= target + info + 1;
	return buf_append(&ret->text, link.p, link.n);
}

static int compare_fds(const void *a, const void *b)
{
	const struct process_fd *x = a, *y = b;

	return (x->fd > y->fd) - (x->fd < y->fd);
}

int process_fds_parse(struct span answer, struct process_fds *ret)
{
	struct span line, rest = answer;
	uint64_t skipped;
	int r = 0;

	ret->fds.n = 0;
	buf_clear(&ret->text);
	if (!span_line(&rest, &line) || !span_u64(line, &skipped))
		return -EBADMSG;
	ret->skipped = skipped;
	while (r == 0 && rest.n)
		r = parse_entry(&rest, ret);
	if (ret->fds.n)
		qsort(ret->fds.v, ret->fds.n, sizeof *ret->fds.v, compare_fds);
	return r;
}

static enum fd_kind kind_of_mode(uint64_t mode, enum fd_kind otherwise)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return FD_REGULAR;
	case S_IFDIR:
		return FD_DIRECTORY;
	case S_IFIFO:
		return FD_FIFO;
	case S_IFCHR:
	case S_IFBLK:
		return FD_DEVICE;
	default:
		return otherwise;
	}
}

void process_fd_stats_parse(struct span answer, struct process_fds *ret)
{
	struct span line;
	uint64_t fd, mode, size;

	while (span_line(&answer, &line)) {
		if (!span_next_u64(&line, &fd) || !span_next_u64(&line, &mode) || !span_next_u64(&line, &size) ||
		    fd > INT32_MAX || !reading_ok(size) || ret->fds.n == 0)
			continue;
		struct process_fd like = { .fd = (int32_t)fd };
		struct process_fd *f = bsearch(&like, ret->fds.v, ret->fds.n, sizeof like, compare_fds);
		if (!f)
			continue;
		if (f->kind != FD_MEMFD)
			f->kind = kind_of_mode(mode, f->kind);
		if (f->kind == FD_REGULAR || f->kind == FD_MEMFD)
			f->size_bytes = size;
	}
}

/* ---- reading ---- */

struct look {
	int dir; /* of /proc/PID; owned */
	bool details;
	int32_t *wanted; /* of the second look: which to ask; owned */
	size_t nwanted;
	struct buf text;
};

static void look_release(void *arg)
{
	struct look *l = arg;

	close_fd(&l->dir);
	buf_deinit(&l->text);
	free(l->wanted);
	free(l);
}

static ssize_t read_info(int fdinfo, const char *name, char *ret)
{
	cleanup(close_fd) int fd = openat(fdinfo, name, O_RDONLY | O_CLOEXEC);
	ssize_t got, n = 0;

	while (fd >= 0 && n < MAX_INFO && (got = read(fd, ret + n, (size_t)(MAX_INFO - n))) > 0)
		n += got;
	return n;
}

struct scratch {
	char target[PATH_MAX], info[MAX_INFO];
};

static int append_entry(struct look *l, int fds, int fdinfo, const char *name, struct scratch *scratch)
{
	struct stat st = { 0 };
	ssize_t target = readlinkat(fds, name, scratch->target, sizeof scratch->target);
	ssize_t info = 0;

	if (target < 0) /* closed in the meantime, or not for us */
		return errno == ENOENT ? 0 : -errno;
	(void)!fstatat(fds, name, &st, AT_SYMLINK_NOFOLLOW);
	if (fdinfo >= 0)
		info = read_info(fdinfo, name, scratch->info);
	int r = buf_printf(&l->text, "%s %u %zd %zd\n", name, st.st_mode, target, info);
	if (r == 0)
		r = buf_append(&l->text, scratch->target, (size_t)target);
	if (r == 0)
		r = buf_append(&l->text, scratch->info, (size_t)info);
	return r < 0 ? r : buf_append(&l->text, "\n", 1);
}

static int append_entries(struct look *l, DIR *dir, int fdinfo, struct scratch *scratch, size_t *ret_skipped)
{
	uint64_t deadline_ns = clock_mono_ns() + ENOUGH_MS * NS_PER_MS;
	struct dirent *entry;
	bool enough = false;
	size_t n = 0;
	int r = 0;

	while (r == 0 && (errno = 0, entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		enough |= n >= MAX_FDS || (++n % 64 == 0 && clock_mono_ns() > deadline_ns);
		if (enough)
			++*ret_skipped;
		else
			r = append_entry(l, dirfd(dir), fdinfo, entry->d_name, scratch);
	}
	return r == 0 ? -errno : r;
}

/* The count of those left out stands first, in a line that is filled in at the end. */
static int look_at_links(void *arg)
{
	struct look *l = arg;
	size_t skipped = 0;
	char line[24];
	int r = buf_append(&l->text, "00000000000000000000\n", 21);
	int fds = openat(l->dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fds < 0 ? NULL : fdopendir(fds);
	cleanup(close_fd) int fdinfo = l->details ? openat(l->dir, "fdinfo", O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	struct scratch *scratch = malloc(sizeof *scratch);

	if (r == 0 && !dir)
		r = -errno;
	if (r == 0)
		r = scratch ? append_entries(l, dir, fdinfo, scratch, &skipped) : -ENOMEM;
	snprintf(line, sizeof line, "%020zu", skipped);
	if (r == 0)
		memcpy(l->text.data, line, 20);
	free(scratch);
	if (dir)
		closedir(dir);
	else
		close_fd(&fds);
	return r;
}

/* Through the descriptor, not by name: the file may have none, or another mount namespace. */
static int look_at_files(void *arg)
{
	struct look *l = arg;
	int r = 0;

	for (size_t i = 0; r == 0 && i < l->nwanted; i++) {
		struct statx st;
		char name[24];

		snprintf(name, sizeof name, "fd/%d", l->wanted[i]);
		if (statx(l->dir, name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE | STATX_SIZE, &st) == 0)
			r = buf_printf(&l->text, "%d %u %llu\n", l->wanted[i], st.stx_mode,
				       (unsigned long long)st.stx_size);
	}
	return r;
}

struct fetch {
	struct proc_dir *dir;
	const struct process_fds *fds;
	bool details;
};

static int list_files(const struct process_fds *fds, struct look *l)
{
	l->wanted = calloc(fds->fds.n + 1, sizeof *l->wanted);
	if (!l->wanted)
		return -ENOMEM;
	vec_each(f, &fds->fds)
		if (fds->text.data[f->target_at] == '/')
			l->wanted[l->nwanted++] = f->fd;
	return 0;
}

static int live_look(const struct fetch *fetch, int (*call)(void *), unsigned timeout_ms, struct buf *ret)
{
	struct look *l = calloc(1, sizeof *l);

	if (!l)
		return -ENOMEM;
	l->details = fetch->details;
	l->dir = fcntl(fetch->dir->fd, F_DUPFD_CLOEXEC, 0);
	int r = l->dir < 0 ? -errno : fetch->fds ? list_files(fetch->fds, l) : 0;
	if (r == 0)
		r = bounded_call(call, l, look_release, timeout_ms);
	if (r == -ETIMEDOUT)
		return r;
	if (r == 0)
		r = buf_append(ret, buf_span(&l->text).p, l->text.n);
	look_release(l);
	return r;
}

static int live_links(struct host *h, const char *key, void *arg, struct buf *ret)
{
	(void)h, (void)key;
	return live_look(arg, look_at_links, LINKS_MS, ret);
}

static int live_stats(struct host *h, const char *key, void *arg, struct buf *ret)
{
	(void)h, (void)key;
	return live_look(arg, look_at_files, STATS_MS, ret);
}

int process_fds_read(struct proc_dir *d, int pid, bool details, struct buf *scratch, struct process_fds *ret)
{
	struct fetch fetch = { d, NULL, details };
	char key[40];

	ret->fds.n = 0;
	ret->skipped = 0;
	snprintf(key, sizeof key, "fds:%d", pid);
	int r = host_fetch(d->h, key, live_links, &fetch, scratch);
	if (r == 0)
		r = process_fds_parse(buf_span(scratch), ret);
	ret->error = r;
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (!details || ret->fds.n == 0)
		return 0;
	fetch.fds = ret;
	snprintf(key, sizeof key, "fdstats:%d", pid);
	if (host_fetch(d->h, key, live_stats, &fetch, scratch) == 0)
		process_fd_stats_parse(buf_span(scratch), ret);
	return 0;
}
