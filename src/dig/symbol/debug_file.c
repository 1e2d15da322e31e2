#include "dig/symbol/debug_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <lzma.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zlib.h>

#include "base/cleanup.h"

/* A link in the target's root must not lead us into our own: where the kernel (5.6) can, it is asked to stay inside. */
static int open_in(int root, const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK, .resolve = RESOLVE_IN_ROOT };
	long fd = syscall(SYS_openat2, root, path, &how, sizeof how);
	struct stat s;

	if (fd < 0)
		return -errno;
	if (fstat((int)fd, &s) < 0 || !S_ISREG(s.st_mode)) {
		close((int)fd);
		return -EBADMSG;
	}
	return (int)fd;
}

static bool same_build(const struct elf_image *a, const struct elf_image *b)
{
	return a->build_id_size && a->build_id_size == b->build_id_size &&
	       memcmp(a->build_id, b->build_id, a->build_id_size) == 0;
}

static bool crc_is(int fd, uint32_t wanted)
{
	unsigned char block[65536];
	off_t at = 0;
	ssize_t n;
	uLong crc = 0;

	while ((n = pread(fd, block, sizeof block, at)) > 0) {
		crc = crc32(crc, block, (uInt)n);
		at += n;
	}
	return n == 0 && crc == wanted;
}

static int try_file(int root, const char *path, const struct image *i, const uint32_t *crc, struct elf_image **ret)
{
	struct elf_image *e;
	int fd = open_in(root, path), rc;

	if (fd < 0)
		return -ENOENT;
	rc = elf_image_open_fd(fd, &e, NULL);
	if (rc < 0)
		return rc == -ENOMEM ? rc : -ENOENT;
	/* The link of a file that was not stripped may name the file itself. */
	if ((e->device == i->elf->device && e->inode == i->elf->inode) ||
	    !(same_build(e, i->elf) || (crc && crc_is(fd, *crc)))) {
		elf_image_free(e);
		return -ENOENT;
	}
	*ret = e;
	return 0;
}

static int by_build_id(int root, const struct image *i, struct elf_image **ret)
{
	char id[2 * BUILD_ID_MAX + 1], path[sizeof id + 64];

	if (i->elf->build_id_size < 2)
		return -ENOENT;
	elf_image_build_id_text(i->elf, id);
	snprintf(path, sizeof path, "/usr/lib/debug/.build-id/%.2s/%s.debug", id, id + 2);
	return try_file(root, path, i, NULL, ret);
}

int debug_link_parse(struct span section, const char **ret_name, uint32_t *ret_crc)
{
	const char *end = section.n ? memchr(section.p, '\0', section.n) : NULL;
	size_t at;

	if (!end || end == section.p || memchr(section.p, '/', (size_t)(end - section.p)))
		return -EBADMSG;
	at = ((size_t)(end - section.p) + 4) & ~(size_t)3;
	if (at + 4 > section.n)
		return -EBADMSG;
	*ret_name = section.p;
	memcpy(ret_crc, section.p + at, 4);
	return 0;
}

static int by_link(int root, const struct image *i, struct elf_image **ret)
{
	static const char *const places[][2] = { { "", "/" }, { "", "/.debug/" }, { "/usr/lib/debug", "/" } };
	const char *slash = strrchr(i->path, '/'), *name;
	char path[4096 + 512];
	struct span section;
	uint32_t crc;
	int rc = slash ? elf_image_section(i->elf, ".gnu_debuglink", &section) : -ENOENT;

	if (rc == 0)
		rc = debug_link_parse(section, &name, &crc);
	if (rc < 0)
		return rc == -ENOMEM ? rc : -ENOENT;
	rc = -ENOENT;
	for (size_t k = 0; rc == -ENOENT && k < sizeof places / sizeof *places; k++)
		if ((size_t)snprintf(path, sizeof path, "%s%.*s%s%s", places[k][0], (int)(slash - i->path), i->path,
				     places[k][1], name) < sizeof path)
			rc = try_file(root, path, i, &crc, ret);
	return rc;
}

static int in_root(const char *root_path, const struct image *i, struct elf_image **ret)
{
	cleanup(close_fd) int root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int rc = root < 0 ? -ENOENT : by_build_id(root, i, ret);

	return rc == -ENOENT && root >= 0 ? by_link(root, i, ret) : rc;
}

int debug_file_open(const struct image *i, struct elf_image **ret)
{
	char path[64];
	int rc = -ENOENT;

	if (i->elf->fd < 0)
		return rc;
	if (i->opened_pid > 0) {
		snprintf(path, sizeof path, "/proc/%d/root", i->opened_pid);
		rc = in_root(path, i, ret);
	}
	return rc == -ENOENT ? in_root("/", i, ret) : rc;
}

/* Room is made as bytes come, not as the stream promises. */
static int unpack(lzma_stream *z, struct buf *to)
{
	lzma_ret is = LZMA_OK;

	while (is == LZMA_OK) {
		size_t room = 65536 + to->n / 2;

		if (to->n > MINI_DEBUG_MAX)
			return -EFBIG;
		if (buf_reserve(to, room) < 0)
			return -ENOMEM;
		z->next_out = (uint8_t *)to->data + to->n;
		z->avail_out = room;
		is = lzma_code(z, LZMA_FINISH);
		to->n += room - z->avail_out;
		to->data[to->n] = '\0';
	}
	return is == LZMA_STREAM_END ? 0 : is == LZMA_MEM_ERROR ? -ENOMEM : -EBADMSG;
}

int xz_unpack(struct span packed, struct buf *ret)
{
	lzma_stream z = LZMA_STREAM_INIT;
	struct buf to = { 0 };
	int rc = lzma_stream_decoder(&z, 128u << 20, 0) == LZMA_OK ? 0 : -ENOMEM;

	if (rc == 0) {
		z.next_in = (const uint8_t *)packed.p;
		z.avail_in = packed.n;
		rc = unpack(&z, &to);
		lzma_end(&z);
	}
	if (rc < 0) {
		buf_deinit(&to);
		return rc;
	}
	*ret = to;
	return 0;
}

int mini_debug_open(struct elf_image *e, struct buf *ret_bytes, struct elf_image **ret)
{
	struct buf bytes = { 0 };
	struct span packed;
	int rc = elf_image_section(e, ".gnu_debugdata", &packed);

	if (rc == 0)
		rc = xz_unpack(packed, &bytes);
	if (rc == 0)
		rc = elf_image_open_memory(buf_span(&bytes), ret, NULL);
	if (rc < 0) {
		buf_deinit(&bytes);
		return rc;
	}
	*ret_bytes = bytes;
	return 0;
}
