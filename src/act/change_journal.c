#include "act/change_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "act/change_place.h"
#include "act/change_record.h"
#include "base/bounded.h"
#include "base/cleanup.h"
#include "base/clock.h"

#define SYNC_TIMEOUT_MS 1000
#define COMPACT_BYTES (256u << 10) /* a journal longer than this loses its oldest settled changes */
#define KEEP_SETTLED 100

struct change_journal {
	char dir[PLACE_MAX], path[PLACE_MAX + 16];
	int dir_fd, fd, lock_fd; /* -1: not there, or not open for writing */
	uint64_t last_id;
	bool slow;
	bool torn_end; /* the file does not end in a newline: the next record begins with one */
	char boot[64];
};

const char *change_journal_path(const struct change_journal *j)
{
	return j->path;
}

bool change_journal_slow(const struct change_journal *j)
{
	return j->slow;
}

void change_journal_close(struct change_journal *j)
{
	if (!j)
		return;
	close_fd(&j->fd);
	if (j->lock_fd >= 0)
		(void)!ftruncate(j->lock_fd, 0); /* our pid says nothing any more */
	close_fd(&j->lock_fd);
	close_fd(&j->dir_fd);
	free(j);
}

/* ---- text ---- */

static int read_all(int fd, struct buf *ret)
{
	buf_clear(ret);
	for (;;) {
		int r = ret->n > CHANGE_JOURNAL_MAX_BYTES ? -EFBIG : buf_reserve(ret, 1 << 16);
		ssize_t n;

		if (r < 0)
			return r;
		n = pread(fd, ret->data + ret->n, 1 << 16, (off_t)ret->n);
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		ret->n += (size_t)n;
	}
}

int changes_list(struct change_journal *j, struct change_list *ret, struct note *note)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	int r = j->fd < 0 ? 0 : read_all(j->fd, &text);

	if (r == 0)
		r = change_list_parse(buf_span(&text), ret);
	return r < 0 ? note_set(note, r, "%s: %s", j->path, strerror(-r)) : 0;
}

struct sync {
	int fd;
};

static int sync_call(void *arg)
{
	const struct sync *s = arg;

	return fsync(s->fd) < 0 ? -errno : 0;
}

static void sync_release(void *arg)
{
	struct sync *s = arg;

	close(s->fd);
	free(s);
}

/* A file system that cannot sync (EINVAL) keeps its word all the same while the kernel runs. */
static int sync_bounded(struct change_journal *j, int fd)
{
	struct sync *s = malloc(sizeof *s);
	int r;

	if (!s)
		return -ENOMEM;
	s->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (s->fd < 0) {
		r = -errno;
		free(s);
		return r;
	}
	r = bounded_call(sync_call, s, sync_release, SYNC_TIMEOUT_MS);
	if (r == -EAGAIN) /* no thread to be had */
		r = sync_call(s);
	if (r != -ETIMEDOUT)
		sync_release(s);
	if (r == -ETIMEDOUT || r == -EBUSY)
		j->slow = true;
	return r == -ETIMEDOUT || r == -EBUSY || r == -EINVAL ? 0 : r;
}

/* The records or nothing: what was written of them is taken back on a full disk. */
static int append(struct change_journal *j, const struct buf *records, bool sync)
{
	struct stat st;
	ssize_t n;
	int r;

	if (fstat(j->fd, &st) < 0)
		return -errno;
	if (j->torn_end && write(j->fd, "\n", 1) != 1)
		return errno ? -errno : -ENOSPC;
	n = write(j->fd, records->data, records->n);
	r = n < 0 ? -errno : (size_t)n != records->n ? -ENOSPC : 0;
	if (r == 0 && sync)
		r = sync_bounded(j, j->fd);
	if (r < 0) {
		if (ftruncate(j->fd, st.st_size) < 0)
			j->torn_end = true;
		return r;
	}
	j->torn_end = false;
	return 0;
}

static int append_note(struct change_journal *j, const struct buf *records, bool sync, struct note *note)
{
	int r = append(j, records, sync);
	const char *hint = r == -ENOSPC || r == -EDQUOT || r == -EROFS || r == -EIO ?
				   "; OSPREY_STATE_DIR=/run/osprey names another place" :
				   "";

	return r < 0 ? note_set(note, r, "journal of changes %s: %s%s", j->path, strerror(-r), hint) : 0;
}

/* ---- opening ---- */

static int write_all(int fd, const struct buf *text)
{
	for (size_t done = 0; done < text->n;) {
		ssize_t n = write(fd, text->data + done, text->n - done);

		if (n <= 0)
			return n < 0 ? -errno : -ENOSPC;
		done += (size_t)n;
	}
	return 0;
}

static int compacted_text(const struct change_list *l, const char *boot, struct buf *text)
{
	size_t settled = 0, dropped = 0;
	int r = record_last(text, l->last_id);

	vec_each(c, &l->change)
		settled += !change_is_open(c) || (boot[0] && strcmp(c->boot, boot) != 0);
	vec_each(c, &l->change) {
		bool is_settled = !change_is_open(c) || (boot[0] && strcmp(c->boot, boot) != 0);

		if (is_settled && settled - dropped > KEEP_SETTLED)
			dropped++;
		else if (r == 0)
			r = record_change(text, c);
	}
	return r;
}

/* The new text takes the old one's place at once and whole. When that fails the old one stays. */
static int compact(struct change_journal *j, const struct change_list *l)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	int fd, r = compacted_text(l, j->boot, &text);

	if (r < 0)
		return r;
	fd = openat(j->dir_fd, "journal.new", O_RDWR | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		    0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, &text);
	if (r == 0)
		r = sync_bounded(j, fd);
	if (r == 0 && renameat(j->dir_fd, "journal.new", j->dir_fd, "journal") < 0)
		r = -errno;
	if (r < 0) {
		close(fd);
		(void)!unlinkat(j->dir_fd, "journal.new", 0);
		return r;
	}
	close(j->fd);
	j->fd = fd;
	j->torn_end = false;
	return sync_bounded(j, j->dir_fd);
}

/* Holds the lock. Learns the last id and how the file ends. */
static int load(struct change_journal *j)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	cleanup(change_list_deinit) struct change_list l = { 0 };
	int r = read_all(j->fd, &text);

	if (r == 0)
		r = change_list_parse(buf_span(&text), &l);
	if (r < 0)
		return r;
	j->last_id = l.last_id;
	j->torn_end = text.n > 0 && text.data[text.n - 1] != '\n';
	if (text.n > COMPACT_BYTES)
		(void)!compact(j, &l); /* a full disk: it goes on with the long one */
	return 0;
}

static int open_write(struct change_journal *j, struct note *note)
{
	bool is_new;
	int r = place_make(j->dir, &j->dir_fd, note);

	if (r == 0)
		r = place_lock(j->dir, j->dir_fd, &j->lock_fd, note);
	if (r < 0)
		return r;
	is_new = faccessat(j->dir_fd, "journal", F_OK, AT_SYMLINK_NOFOLLOW) < 0;
	j->fd = openat(j->dir_fd, "journal", O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	r = j->fd < 0 ? -errno : load(j);
	/* Its name, too, must outlive a fall of the machine. */
	if (r == 0 && is_new)
		r = sync_bounded(j, j->dir_fd);
	return r < 0 ? note_set(note, r, "journal of changes %s: %s", j->path, strerror(-r)) : 0;
}

static int open_read(struct change_journal *j, struct note *note)
{
	int r = place_open(j->dir, &j->dir_fd, note);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	j->fd = openat(j->dir_fd, "journal", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (j->fd < 0 && errno != ENOENT)
		return note_set(note, -errno, "journal of changes %s: %s", j->path, strerror(errno));
	return 0;
}

int change_journal_open(enum change_mode mode, struct change_journal **ret, struct note *note)
{
	struct change_journal *j = calloc(1, sizeof *j);
	int r;

	if (!j)
		return note_set(note, -ENOMEM, "%s", strerror(ENOMEM));
	j->dir_fd = j->fd = j->lock_fd = -1;
	place_boot_id(j->boot, sizeof j->boot);
	r = place_of_user(j->dir, note);
	if (r == 0) {
		snprintf(j->path, sizeof j->path, "%s/journal", j->dir);
		r = mode == CHANGE_WRITE ? open_write(j, note) : open_read(j, note);
	}
	if (r < 0) {
		change_journal_close(j);
		return r;
	}
	*ret = j;
	return 0;
}

/* ---- records ---- */

/* Inodes of cgroups and of sysfs last as long as the object; those of /proc/sys do not. */
static uint64_t identity_of(const struct change *c)
{
	struct statfs fs;
	struct stat st;

	if (c->kind != CHANGE_FILE || statfs(c->path, &fs) < 0 || stat(c->path, &st) < 0)
		return 0;
	switch ((unsigned long)fs.f_type) {
	case CGROUP_SUPER_MAGIC:
	case CGROUP2_SUPER_MAGIC:
	case SYSFS_MAGIC:
		return st.st_ino;
	default:
		return 0;
	}
}

int change_begin(struct change_journal *j, const struct change *c, uint64_t *ret_id, struct note *note)
{
	cleanup(buf_deinit) struct buf records = { 0 }, who = { 0 };
	struct change whole = *c;
	char space[SPACE_MAX];
	int r;

	place_command_line(&who);
	space_of(c, space);
	whole.id = j->last_id + 1;
	whole.real_ns = clock_real_ns();
	whole.who = who.data;
	whole.uid = geteuid();
	whole.boot = j->boot;
	whole.space = space;
	whole.identity = identity_of(c);
	whole.state = CHANGE_BEGUN;
	r = record_change(&records, &whole);
	if (r == 0)
		r = append_note(j, &records, true, note);
	if (r < 0)
		return r;
	j->last_id = whole.id;
	*ret_id = whole.id;
	return 0;
}

int change_more(struct change_journal *j, uint64_t id, const struct change_value *value, size_t nvalue,
		struct note *note)
{
	cleanup(buf_deinit) struct buf records = { 0 };
	int r = 0;

	for (size_t i = 0; i < nvalue && r == 0; i += CHANGE_RECORD_VALUES) {
		size_t n = nvalue - i < CHANGE_RECORD_VALUES ? nvalue - i : CHANGE_RECORD_VALUES;

		r = record_more(&records, id, value + i, n);
	}
	return r < 0 ? note_set(note, r, "%s", strerror(-r)) : append_note(j, &records, true, note);
}

int change_commit(struct change_journal *j, uint64_t id, const char *after, struct note *note)
{
	cleanup(buf_deinit) struct buf records = { 0 };
	int r = record_commit(&records, id, after);

	return r < 0 ? note_set(note, r, "%s", strerror(-r)) : append_note(j, &records, false, note);
}

int change_settle(struct change_journal *j, uint64_t id, enum change_state state, struct note *note)
{
	cleanup(buf_deinit) struct buf records = { 0 };
	int r = record_settled(&records, id, state, clock_real_ns());

	return r < 0 ? note_set(note, r, "%s", strerror(-r)) : append_note(j, &records, false, note);
}

int change_abort(struct change_journal *j, uint64_t id, struct note *note)
{
	return change_settle(j, id, CHANGE_ABORTED, note);
}
