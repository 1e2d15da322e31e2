#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/vec.h"
#include "dig/unwind/unwind_cache.h"
#include "dig/unwind/unwind_rules.h"

#define MAGIC "osprey unwind 1\n"
#define STALE_S 3600 /* a temporary file that nobody finished; and how often a use is noted */

struct header {
	char magic[16];
	uint64_t checksum; /* of all that follows */
	uint64_t build_id_size;
	unsigned char build_id[BUILD_ID_MAX];
	/* Of .eh_frame and .debug_frame: address, size, offset. 0: none. */
	uint64_t section[2][3];
	uint64_t base, nrows, nrules, expressions_size;
};

struct cached {
	char name[2 * BUILD_ID_MAX + 1];
	uint64_t used_s, size;
};
typedef VEC(struct cached) cached_vec;

/* Four lanes of 8 bytes: as fast as memory. Against damage, not against malice: see who owns the file. */
static uint64_t checksum(const char *p, size_t n)
{
	uint64_t lane[4] = { 1, 2, 3, n }, w[4];

	for (; n > 0;) {
		size_t take = n < sizeof w ? n : sizeof w;
		memset(w, 0, sizeof w);
		memcpy(w, p, take);
		for (size_t i = 0; i < 4; i++) {
			lane[i] = (lane[i] ^ w[i]) * 0x9e3779b97f4a7c15;
			lane[i] ^= lane[i] >> 29;
		}
		p += take;
		n -= take;
	}
	for (size_t i = 1; i < 4; i++)
		lane[0] = (lane[0] ^ lane[i]) * 0xbf58476d1ce4e5b9;
	return lane[0] ^ lane[0] >> 31;
}

static void describe(const struct elf_image *e, struct header *h)
{
	static const char *const names[] = { ".eh_frame", ".debug_frame" };

	memcpy(h->magic, MAGIC, sizeof h->magic);
	h->build_id_size = e->build_id_size;
	memcpy(h->build_id, e->build_id, e->build_id_size);
	for (size_t i = 0; i < 2; i++) {
		const struct elf_section *s = elf_image_find(e, names[i]);
		if (!s || s->header.sh_type == SHT_NOBITS)
			continue;
		h->section[i][0] = s->header.sh_addr;
		h->section[i][1] = s->header.sh_size;
		h->section[i][2] = s->header.sh_offset;
	}
}

static const char *after_checksum(const struct header *h)
{
	return (const char *)&h->build_id_size;
}

static bool whole(const struct unwind_table *t)
{
	for (size_t i = 0; i < t->nrows; i++)
		if ((i && t->row[i].pc <= t->row[i - 1].pc) ||
		    (t->row[i].rule >= t->nrules && t->row[i].rule != UNWIND_NO_RULE_INDEX))
			return false;
	for (size_t i = 0; i < t->nrules; i++)
		if (t->rule[i].cfa > UNWIND_CFA_EXPRESSION || t->rule[i].cfa_register >= UNWIND_REGISTERS)
			return false;
	return true;
}

int unwind_cache_parse(struct span bytes, const struct elf_image *e, struct unwind_table **ret)
{
	struct header h, wanted = { 0 };
	const size_t before = offsetof(struct header, build_id_size);
	struct unwind_table *t;

	if (bytes.n < sizeof h)
		return -ENOENT;
	memcpy(&h, bytes.p, sizeof h);
	describe(e, &wanted);
	if (memcmp(h.magic, wanted.magic, sizeof h.magic) != 0 ||
	    h.checksum != checksum(bytes.p + before, bytes.n - before) ||
	    memcmp(after_checksum(&h), after_checksum(&wanted), offsetof(struct header, base) - before) != 0)
		return -ENOENT;
	uint64_t left = bytes.n - sizeof h;
	if (h.nrows > left / sizeof *t->row || h.nrules > left / sizeof *t->rule ||
	    h.nrows * sizeof *t->row + h.nrules * sizeof *t->rule + h.expressions_size != left ||
	    h.expressions_size > left)
		return -ENOENT;
	int rc = unwind_table_new((size_t)h.nrows, (size_t)h.nrules, (size_t)h.expressions_size, &t);
	if (rc < 0)
		return rc;
	t->base = h.base;
	memcpy(t->storage, bytes.p + sizeof h, (size_t)left);
	if (!whole(t)) {
		unwind_table_free(t);
		return -ENOENT;
	}
	*ret = t;
	return 0;
}

static bool trusted(int fd, mode_t type)
{
	struct stat s;

	return fstat(fd, &s) == 0 && (s.st_mode & S_IFMT) == type && !(s.st_mode & (S_IWGRP | S_IWOTH)) &&
	       (s.st_uid == 0 || s.st_uid == geteuid());
}

static int directory_name(char *ret, size_t size)
{
	const char *own = secure_getenv("OSPREY_CACHE_DIR"), *xdg = secure_getenv("XDG_CACHE_HOME"),
		   *home = secure_getenv("HOME");
	int n;

	if (own && !*own)
		return -ENOENT;
	if (own)
		n = snprintf(ret, size, "%s/unwind", own);
	else if (geteuid() == 0)
		n = snprintf(ret, size, "/var/cache/osprey/unwind");
	else if (xdg && *xdg == '/')
		n = snprintf(ret, size, "%s/osprey/unwind", xdg);
	else if (home && *home == '/')
		n = snprintf(ret, size, "%s/.cache/osprey/unwind", home);
	else
		return -ENOENT;
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* What is there already is not made, whoever owns it: it is the last that is looked at. */
static void make_directories(char *name)
{
	for (char *slash = strchr(name + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)!mkdir(name, 0755);
		*slash = '/';
	}
	(void)!mkdir(name, 0755);
}

int unwind_cache_open(void)
{
	char name[PATH_MAX];
	int rc = directory_name(name, sizeof name);

	if (rc < 0)
		return rc;
	int fd = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		make_directories(name);
		fd = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0)
		return -errno;
	if (!trusted(fd, S_IFDIR)) {
		close(fd);
		return -EPERM;
	}
	return fd;
}

/* A build-id is what a file says of itself. */
static bool may_keep(const struct elf_image *e)
{
	struct stat s;

	return e->build_id_size && e->fd >= 0 && fstat(e->fd, &s) == 0 && (s.st_uid == 0 || s.st_uid == geteuid());
}

static int read_all(int fd, char *to, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t got = pread(fd, to + done, n - done, (off_t)done);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -ENOENT;
		done += (size_t)got;
	}
	return 0;
}

/* The time of change says when it was last of use. */
static void note_use(int fd, const struct stat *s)
{
	if (clock_real_ns() / NS_PER_S - (uint64_t)s->st_mtim.tv_sec > STALE_S)
		(void)!futimens(fd, NULL);
}

static int load_from(int directory, const char *name, const struct elf_image *e, struct unwind_table **ret)
{
	/* Not O_NONBLOCK for regular files, but somebody may have put a pipe there. */
	cleanup(close_fd) int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct stat s;

	if (fd < 0 || !trusted(fd, S_IFREG) || fstat(fd, &s) < 0 || s.st_size < (off_t)sizeof(struct header) ||
	    (uint64_t)s.st_size > UNWIND_CACHE_BYTES)
		return -ENOENT;
	char *bytes = malloc((size_t)s.st_size);
	if (!bytes)
		return -ENOMEM;
	int rc = read_all(fd, bytes, (size_t)s.st_size) < 0 ? -ENOENT : 0;
	if (rc == 0)
		rc = unwind_cache_parse((struct span){ bytes, (size_t)s.st_size }, e, ret);
	free(bytes);
	if (rc == 0)
		note_use(fd, &s);
	return rc;
}

int unwind_cache_load(const struct elf_image *e, struct unwind_table **ret)
{
	char name[2 * BUILD_ID_MAX + 1];

	if (!may_keep(e))
		return -ENOENT;
	cleanup(close_fd) int directory = unwind_cache_open();
	if (directory < 0)
		return -ENOENT;
	elf_image_build_id_text(e, name);
	return load_from(directory, name, e, ret);
}

static int write_all(int fd, const void *data, size_t n)
{
	for (const char *p = data; n > 0;) {
		ssize_t written = write(fd, p, n);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return written < 0 ? -errno : -ENOSPC;
		p += written;
		n -= (size_t)written;
	}
	return 0;
}

static int write_file(int fd, const struct elf_image *e, const struct unwind_table *t)
{
	const size_t before = offsetof(struct header, build_id_size);
	struct header h = { .base = t->base,
			    .nrows = t->nrows,
			    .nrules = t->nrules,
			    .expressions_size = t->expressions.n };
	size_t size = sizeof h + t->storage_size;
	char *bytes = malloc(size);

	if (!bytes)
		return -ENOMEM;
	describe(e, &h);
	memcpy(bytes, &h, sizeof h);
	memcpy(bytes + sizeof h, t->storage, t->storage_size);
	h.checksum = checksum(bytes + before, size - before);
	memcpy(bytes, &h, sizeof h);
	int rc = write_all(fd, bytes, size);
	free(bytes);
	return rc;
}

static int store_as(int directory, const char *name, const struct elf_image *e, const struct unwind_table *t)
{
	char temporary[64];

	snprintf(temporary, sizeof temporary, ".%d.%llx", (int)getpid(), (unsigned long long)clock_mono_ns());
	cleanup(close_fd) int fd = openat(directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
					  0644);
	if (fd < 0)
		return -errno;
	/* The umask may be anything; a file that others can write is not read again. */
	int rc = fchmod(fd, 0644) < 0 ? -errno : write_file(fd, e, t);
	if (rc == 0 && renameat(directory, temporary, directory, name) < 0)
		rc = -errno;
	if (rc < 0)
		(void)!unlinkat(directory, temporary, 0);
	return rc;
}

static int add_cached(int directory, const char *name, uint64_t now_s, cached_vec *ret, uint64_t *sum)
{
	struct stat s;
	struct cached *c;

	if (fstatat(directory, name, &s, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(s.st_mode))
		return 0;
	if (name[0] == '.') {
		if (now_s - (uint64_t)s.st_mtim.tv_sec > STALE_S)
			(void)!unlinkat(directory, name, 0);
		return 0;
	}
	if (strlen(name) >= sizeof c->name)
		return 0;
	if (!(c = vec_push(ret)))
		return -ENOMEM;
	memcpy(c->name, name, strlen(name) + 1);
	c->used_s = (uint64_t)s.st_mtim.tv_sec;
	c->size = (uint64_t)s.st_size;
	*sum += c->size;
	return 0;
}

static int by_use(const void *a, const void *b)
{
	const struct cached *x = a, *y = b;

	return x->used_s < y->used_s ? -1 : x->used_s > y->used_s;
}

int unwind_cache_trim(int directory, uint64_t limit)
{
	int again = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = again < 0 ? NULL : fdopendir(again);
	cached_vec all = { 0 };
	uint64_t sum = 0, now_s = clock_real_ns() / NS_PER_S;
	int rc = 0;

	if (!d) {
		rc = -errno;
		if (again >= 0)
			close(again);
		return rc;
	}
	for (struct dirent *entry; rc == 0 && (entry = readdir(d));)
		rc = add_cached(directory, entry->d_name, now_s, &all, &sum);
	closedir(d);
	if (rc == 0 && sum > limit) {
		qsort(all.v, all.n, sizeof *all.v, by_use);
		for (size_t i = 0; i < all.n && sum > limit; i++)
			if (unlinkat(directory, all.v[i].name, 0) == 0)
				sum -= all.v[i].size;
	}
	vec_free(&all);
	return rc;
}

int unwind_cache_store(const struct elf_image *e, const struct unwind_table *t)
{
	char name[2 * BUILD_ID_MAX + 1];

	if (!may_keep(e))
		return -EPERM;
	if (t->storage_size > UNWIND_CACHE_BYTES / 4)
		return -EFBIG;
	cleanup(close_fd) int directory = unwind_cache_open();
	if (directory < 0)
		return directory;
	elf_image_build_id_text(e, name);
	int rc = store_as(directory, name, e, t);
	if (rc < 0)
		return rc;
	return unwind_cache_trim(directory, UNWIND_CACHE_BYTES);
}
