#include "lab/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/vec.h"
#include "base/word.h"
#include "lab/undo.h"

static const char *const places[] = { "/run/osprey/lab", "/tmp/osprey-lab" };

enum { NPLACES = sizeof places / sizeof places[0] };

/* A directory that others cannot write: a journal is obeyed by root. */
static int place_make(const char *path)
{
	struct stat st;

	if (strncmp(path, "/run/", 5) == 0)
		(void)!mkdir("/run/osprey", 0755);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (lstat(path, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022))
		return -EPERM;
	return 0;
}

static int journal_try(struct journal *j, const char *path)
{
	struct stat st;
	unsigned undone = 0;
	int r;

	j->fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (j->fd < 0)
		return -errno;
	snprintf(j->path, sizeof j->path, "%s", path);
	/* EAGAIN: somebody looks whether we live. */
	if (flock(j->fd, LOCK_EX | LOCK_NB) < 0 || fstat(j->fd, &st) < 0)
		r = -errno;
	else if (st.st_nlink == 0) /* lab_clean was faster */
		r = -EAGAIN;
	else if (st.st_size > 0) /* a dead lab had our pid */
		r = journal_undo(j, &undone, NULL) < 0 ? -EEXIST : -EAGAIN;
	else
		return 0;
	close(j->fd);
	j->fd = -1;
	return r;
}

/* Waits out who looks whether we live. */
static int journal_insist(struct journal *j, const char *path)
{
	int r = -EAGAIN;

	for (int tries = 0; tries < 20 && r == -EAGAIN; tries++) {
		if (tries)
			(void)!clock_sleep_until(clock_mono_ns() + NS_PER_MS);
		r = journal_try(j, path);
	}
	return r;
}

/* In another pid namespace over the same /run there may be a lab of our pid: then the next number
 * that stands for it. */
static int journal_at(struct journal *j, const char *place)
{
	int r = -EAGAIN;

	for (unsigned k = 0; k < JOURNAL_NAMESAKES && (r == -EAGAIN || r == -EEXIST); k++) {
		unsigned number = (unsigned)getpid() + k * JOURNAL_NUMBER_STEP;
		char path[64];

		snprintf(path, sizeof path, "%s/%u.journal", place, number);
		snprintf(j->id, sizeof j->id, "osprey-lab-%u", number);
		r = journal_insist(j, path);
	}
	return r;
}

int journal_create(struct journal *ret, struct note *note)
{
	struct journal j = { .fd = -1 };
	int r = -EROFS;

	for (size_t i = 0; i < NPLACES; i++) {
		r = place_make(places[i]);
		if (r == 0)
			r = journal_at(&j, places[i]);
		if (r == 0) {
			*ret = j;
			return 0;
		}
	}
	return note_set(note, r, "no undo journal could be made under %s or %s: %s", places[0], places[1],
			strerror(-r));
}

int journal_open(const struct journal *j, int *ret_fd, struct note *note)
{
	int fd = open(j->path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return note_set(note, -errno, "%s: %s", j->path, strerror(errno));
	*ret_fd = fd;
	return 0;
}

static int append_word(struct buf *b, const char *word)
{
	int r = buf_append(b, " ", b->n > 0);

	return r < 0 ? r : word_append(b, span_from(word), NULL);
}

static int line_format(struct buf *b, const char *verb, const char *first, const char *second)
{
	int r = append_word(b, verb);

	if (r == 0)
		r = append_word(b, first);
	if (r == 0 && second)
		r = append_word(b, second);
	return r;
}

int journal_add(int fd, const char *verb, const char *first, const char *second, struct note *note)
{
	cleanup(buf_deinit) struct buf line = { 0 };
	int r = line_format(&line, verb, first, second);

	if (r == 0)
		r = buf_append(&line, "\n", 1);
	if (r == 0) {
		ssize_t n = write(fd, line.data, line.n);

		r = n < 0 ? -errno : n != (ssize_t)line.n ? -ENOSPC : fdatasync(fd) < 0 ? -errno : 0;
	}
	return r < 0 ? note_set(note, r, "undo journal: %s", strerror(-r)) : 0;
}

static int read_all(int fd, struct buf *ret)
{
	off_t at = 0;

	buf_clear(ret);
	for (;;) {
		int r = buf_reserve(ret, 4096);
		ssize_t n;

		if (r < 0)
			return r;
		n = pread(fd, ret->data + ret->n, 4096, at);
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		ret->n += (size_t)n;
		at += n;
	}
	/* Also for an empty journal there is a string. */
	ret->data[ret->n] = '\0';
	return 0;
}

/* Cuts what has no newline. */
static void cut_torn(struct buf *text)
{
	while (text->n > 0 && text->data[text->n - 1] != '\n')
		text->data[--text->n] = '\0';
}

static bool decode(struct span word, char *ret, size_t size)
{
	cleanup(buf_deinit) struct buf text = { 0 };

	if (word_decode(word, &text) < 0 || text.n >= size)
		return false;
	span_copy(buf_span(&text), ret, size);
	return true;
}

/* An entry is at most a path and the old content of a tunable. */
struct entry {
	char verb[16], first[512], second[8192];
};

static bool entry_parse(struct span line, struct entry *ret)
{
	struct span verb, first, second;

	if (!span_word(&line, &verb) || !span_word(&line, &first))
		return false;
	if (!span_word(&line, &second))
		second = SPAN("");
	return decode(verb, ret->verb, sizeof ret->verb) && decode(first, ret->first, sizeof ret->first) &&
	       decode(second, ret->second, sizeof ret->second);
}

static int undo_line(const char *id, struct span line, struct note *note)
{
	struct entry *e = malloc(sizeof *e);
	int r;

	if (!e)
		return -ENOMEM;
	if (entry_parse(line, e))
		r = undo_entry(id, e->verb, e->first, e->second, note);
	else
		r = note_set(note, -EBADMSG, "undo journal: cannot read \"%.*s\"", (int)line.n, line.p);
	free(e);
	return r;
}

int journal_undo(struct journal *j, unsigned *ret_undone, struct note *note)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct span rest, line;
	int r = read_all(j->fd, &text);

	if (r < 0)
		return note_set(note, r, "%s: %s", j->path, strerror(-r));
	cut_torn(&text);
	rest = buf_span(&text);
	rest.n -= rest.n > 0; /* the last newline */
	while (rest.n > 0) {
		if (!span_until_last(&rest, '\n', &line)) {
			line = rest;
			rest.n = 0;
		}
		int failed = undo_line(j->id, line, r == 0 ? note : NULL);

		if (failed == 0)
			(*ret_undone)++;
		else if (r == 0)
			r = failed;
	}
	if (r == 0 && unlink(j->path) < 0 && errno != ENOENT)
		r = note_set(note, -errno, "%s: %s", j->path, strerror(errno));
	return r;
}

/* Calls `each` with every journal that is there, opened but not locked. */
static void journals_each(void (*each)(struct journal *j, void *arg), void *arg)
{
	for (size_t i = 0; i < NPLACES; i++) {
		DIR *dir = place_make(places[i]) < 0 ? NULL : opendir(places[i]);
		struct dirent *d;

		while (dir && (d = readdir(dir))) {
			struct span name = span_from(d->d_name), pid;
			struct journal j;

			if (!span_until(&name, '.', &pid) || !span_is(name, "journal"))
				continue;
			snprintf(j.path, sizeof j.path, "%s/%.32s", places[i], d->d_name);
			snprintf(j.id, sizeof j.id, "osprey-lab-%.*s", (int)pid.n, pid.p);
			j.fd = open(j.path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
			if (j.fd < 0)
				continue;
			each(&j, arg);
			close(j.fd);
		}
		if (dir)
			closedir(dir);
	}
}

struct cleaning {
	unsigned undone;
	int result;
	struct note note;
};

static void clean_one(struct journal *j, void *arg)
{
	struct cleaning *c = arg;
	struct note note = { 0 };

	if (flock(j->fd, LOCK_EX | LOCK_NB) < 0)
		return;
	int r = journal_undo(j, &c->undone, &note);

	if (r < 0 && c->result == 0) {
		c->result = r;
		c->note = note;
	}
}

int journal_clean(unsigned *ret_undone, struct note *note)
{
	struct cleaning c = { 0 };

	journals_each(clean_one, &c);
	*ret_undone += c.undone;
	if (c.result < 0 && note)
		*note = c.note;
	return c.result;
}

static bool is_locked(int fd)
{
	if (flock(fd, LOCK_SH | LOCK_NB) < 0)
		return errno == EWOULDBLOCK;
	flock(fd, LOCK_UN);
	return false;
}

struct search {
	const char *id;	  /* alive? */
	const char *not_id; /* or: who but this one … */
	struct span line; /* … has a line like this */
	bool found;
};

static void search_id(struct journal *j, void *arg)
{
	struct search *s = arg;

	if (!s->found && strcmp(j->id, s->id) == 0)
		s->found = is_locked(j->fd);
}

bool journal_id_lives(const char *id)
{
	struct search s = { .id = id };

	journals_each(search_id, &s);
	return s.found;
}

bool journal_pid_lives(int pid)
{
	for (unsigned k = 0; k < JOURNAL_NAMESAKES; k++) {
		char id[32];

		snprintf(id, sizeof id, "osprey-lab-%u", (unsigned)pid + k * JOURNAL_NUMBER_STEP);
		if (journal_id_lives(id))
			return true;
	}
	return false;
}

static void search_line(struct journal *j, void *arg)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct search *s = arg;
	struct span rest, line;

	if (s->found || strcmp(j->id, s->not_id) == 0 || !is_locked(j->fd) || read_all(j->fd, &text) < 0)
		return;
	cut_torn(&text);
	rest = buf_span(&text);
	while (!s->found && span_line(&rest, &line))
		s->found = line.n >= s->line.n && memcmp(line.p, s->line.p, s->line.n) == 0 &&
			   (line.n == s->line.n || line.p[s->line.n] == ' ');
}

bool journal_held_elsewhere(const char *own_id, const char *verb, const char *first, const char *second)
{
	cleanup(buf_deinit) struct buf line = { 0 };
	struct search s = { .not_id = own_id };

	if (line_format(&line, verb, first, second) < 0)
		return true;
	s.line = buf_span(&line);
	journals_each(search_line, &s);
	return s.found;
}

int journal_lock(void)
{
	int r = -EROFS;

	for (size_t i = 0; i < NPLACES; i++) {
		char path[64];
		int fd;

		r = place_make(places[i]);
		if (r < 0)
			continue;
		snprintf(path, sizeof path, "%s/lock", places[i]);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0 || flock(fd, LOCK_EX) < 0) {
			r = -errno;
			close_fd(&fd);
			continue;
		}
		return fd;
	}
	return r;
}
