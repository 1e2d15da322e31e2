#include "dig/core/core_output.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/cleanup.h"

#define CHUNK (1u << 20)

static int write_all(int fd, const char *data, size_t n)
{
	while (n) {
		ssize_t done = write(fd, data, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? -errno : -ENOSPC;
		data += done;
		n -= (size_t)done;
	}
	return 0;
}

/* ---- a stream of it ---- */

struct stream {
	int from, to;
	uint64_t at, all, out_bytes;
	char *in, *out;
	size_t out_size;
	ZSTD_CCtx *zstd; /* NULL: as it is */
	bool give_back;	 /* holes are made in `from` behind what was read */
};

static int put(struct stream *s, const char *data, size_t n, ZSTD_EndDirective how)
{
	ZSTD_inBuffer in = { data, n, 0 };
	size_t left;

	if (!s->zstd) {
		s->out_bytes += n;
		return write_all(s->to, data, n);
	}
	do {
		ZSTD_outBuffer out = { s->out, s->out_size, 0 };

		left = ZSTD_compressStream2(s->zstd, &out, &in, how);
		if (ZSTD_isError(left))
			return -EIO;
		int r = write_all(s->to, s->out, out.pos);

		if (r < 0)
			return r;
		s->out_bytes += out.pos;
	} while (how == ZSTD_e_continue ? in.pos < in.size : left != 0);
	return 0;
}

/* 1: more is there; 0: the end. Where the file has a hole, zeros are not read but known. */
static int put_chunk(struct stream *s)
{
	size_t n = s->all - s->at < CHUNK ? (size_t)(s->all - s->at) : CHUNK;
	off_t data = lseek(s->from, (off_t)s->at, SEEK_DATA);

	if (n == 0)
		return 0;
	if ((data < 0 && errno == ENXIO) || (data >= 0 && (uint64_t)data >= s->at + n)) {
		memset(s->in, 0, n);
	} else {
		ssize_t got = pread(s->from, s->in, n, (off_t)s->at);

		if (got <= 0)
			return got < 0 ? -errno : -EIO;
		n = (size_t)got;
		if (s->give_back)
			fallocate(s->from, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)s->at, (off_t)n);
	}
	s->at += n;
	int r = put(s, s->in, n, ZSTD_e_continue);

	return r < 0 ? r : 1;
}

static void stream_deinit(struct stream *s)
{
	ZSTD_freeCCtx(s->zstd);
	free(s->in);
	free(s->out);
}

static int stream_init(struct stream *s, const struct core_finish *how)
{
	s->in = malloc(CHUNK);
	s->out_size = ZSTD_CStreamOutSize();
	s->out = how->compress ? malloc(s->out_size) : NULL;
	s->zstd = how->compress ? ZSTD_createCCtx() : NULL;
	if (!s->in || (how->compress && (!s->out || !s->zstd)))
		return -ENOMEM;
	if (s->zstd) {
		ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_compressionLevel, how->level ? how->level : ZSTD_CLEVEL_DEFAULT);
		ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_checksumFlag, 1);
		ZSTD_CCtx_setPledgedSrcSize(s->zstd, s->all);
	}
	return 0;
}

static int stream_file(struct core_file *f, int to, const struct core_finish *how, uint64_t *ret_bytes)
{
	cleanup(stream_deinit) struct stream s = { .from = f->fd, .to = to, .all = f->end, .give_back = true };
	int r = stream_init(&s, how);

	if (r < 0)
		return r;
	while ((r = put_chunk(&s)) > 0) {
		if (how->go_on && !how->go_on(how->arg, s.at, s.all))
			return -EINTR;
	}
	if (r == 0)
		r = put(&s, "", 0, ZSTD_e_end);
	if (r == 0)
		*ret_bytes = s.out_bytes;
	return r;
}

/* ---- its name ---- */

static int link_unnamed(int fd, int directory, const char *name)
{
	char path[48];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, path, directory, name, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	/* Without /proc, with CAP_DAC_READ_SEARCH. */
	if (errno == ENOENT && linkat(fd, "", directory, name, AT_EMPTY_PATH) == 0)
		return 0;
	return -errno;
}

/* A link cannot replace; so it gets a name beside, which then takes the other's place. */
static int link_over(int fd, int directory, const char *name)
{
	char *beside;
	int r;

	if (asprintf(&beside, "%s.part", name) < 0)
		return -ENOMEM;
	r = link_unnamed(fd, directory, beside);
	if (r == 0 && renameat(directory, beside, directory, name) < 0) {
		r = -errno;
		unlinkat(directory, beside, 0);
	}
	free(beside);
	return r;
}

static int give_name(struct core_file *f)
{
	if (f->part) {
		unsigned flags = f->replace ? 0 : RENAME_NOREPLACE;
		int r = renameat2(f->directory, f->part, f->directory, f->name, flags);

		if (r < 0 && errno == EINVAL && flags)
			r = renameat(f->directory, f->part, f->directory, f->name);
		if (r < 0)
			return -errno;
		free(f->part);
		f->part = NULL;
		return 0;
	}
	int r = link_unnamed(f->fd, f->directory, f->name);

	return r == -EEXIST && f->replace ? link_over(f->fd, f->directory, f->name) : r;
}

/* ---- all of it ---- */

static int compress_beside(struct core_file *f, const struct core_finish *how, uint64_t *ret_bytes)
{
	int to = openat(f->directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char *packed = NULL;

	if (to < 0) {
		if (asprintf(&packed, "%s.zst.part", f->name) < 0)
			return -ENOMEM;
		to = openat(f->directory, packed, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR | O_CLOEXEC, 0600);
	}
	int r = to < 0 ? -errno : stream_file(f, to, how, ret_bytes);

	if (r < 0) {
		if (to >= 0 && packed)
			unlinkat(f->directory, packed, 0);
		close_fd(&to);
		free(packed);
		return r;
	}
	if (f->part)
		unlinkat(f->directory, f->part, 0);
	free(f->part);
	f->part = packed;
	close(f->fd);
	f->fd = to;
	return 0;
}

int core_output(struct core_file *f, const struct core_finish *how, uint64_t *ret_bytes, uint64_t *ret_disk_bytes,
		struct note *note)
{
	struct stat st;
	uint64_t bytes = f->end;
	int r = 0;

	if (f->directory < 0)
		r = stream_file(f, STDOUT_FILENO, how, &bytes);
	else if (how->compress)
		r = compress_beside(f, how, &bytes);
	if (r < 0)
		return note_set(note, r, "%s: %s", how->compress ? "compressing the core" : "sending the core",
				strerror(-r));
	/* Late errors of network file systems come now or never. */
	if (f->directory >= 0 && (fstat(f->fd, &st) < 0 || (r = give_name(f)) < 0))
		return note_set(note, r ? r : -errno, "%s: %s", f->name, strerror(r ? -r : errno));
	*ret_bytes = bytes;
	*ret_disk_bytes = f->directory < 0 ? 0 : (uint64_t)st.st_blocks * 512;
	return 0;
}
