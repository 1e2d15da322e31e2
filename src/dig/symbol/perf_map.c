#include "dig/symbol/perf_map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

void perf_map_deinit(struct perf_map *m)
{
	buf_deinit(&m->text);
	vec_free(&m->code);
	range_index_deinit(&m->index);
}

static bool parse_line(struct span line, struct range *ret, struct span *ret_name)
{
	struct span start, size;
	uint64_t length;

	if (!span_word(&line, &start) || !span_word(&line, &size) || !span_hex(start, &ret->start) ||
	    !span_hex(size, &length) || !length || length > UINT64_MAX - ret->start)
		return false;
	ret->end = ret->start + length;
	*ret_name = span_trim(line);
	return ret_name->n > 0;
}

static int parse_lines(struct perf_map *m, range_list *ranges)
{
	struct span rest = buf_span(&m->text), line;

	while (span_line(&rest, &line)) {
		struct perf_map_code *code;
		struct range r, *range;
		struct span name;

		if (!parse_line(line, &r, &name))
			continue;
		range = vec_push(ranges);
		code = range ? vec_push(&m->code) : NULL;
		if (!code)
			return -ENOMEM;
		*code = (struct perf_map_code){ r.start, name };
		*range = (struct range){ r.start, r.end, m->code.n, (uint32_t)(m->code.n - 1) };
	}
	return range_index_build(ranges->v, ranges->n, &m->index);
}

int perf_map_parse(struct buf *text, struct perf_map *ret)
{
	struct perf_map m = { .text = *text, .file_size = text->n };
	range_list ranges = { 0 };
	int rc = parse_lines(&m, &ranges);

	*text = (struct buf){ 0 };
	vec_free(&ranges);
	if (rc < 0)
		perf_map_deinit(&m);
	else
		*ret = m;
	return rc;
}

const struct perf_map_code *perf_map_find(const struct perf_map *m, uint64_t address)
{
	uint32_t i = range_index_find(&m->index, address);

	return i == RANGE_NONE ? NULL : &m->code.v[i];
}

bool perf_map_identity(struct span status, int *ret_pid, uint32_t *ret_user)
{
	struct span line, word;
	uint64_t pid = 0, user = UINT64_MAX, n;

	while (span_line(&status, &line)) {
		if (span_take(&line, "Uid:")) {
			if (!span_next_u64(&line, &n) || !span_next_u64(&line, &user))
				return false;
		} else if (span_take(&line, "NSpid:") || (!pid && span_take(&line, "Pid:"))) {
			while (span_word(&line, &word))
				if (!span_u64(word, &pid))
					return false;
		}
	}
	if (!pid || pid > INT32_MAX || user > UINT32_MAX)
		return false;
	*ret_pid = (int)pid;
	*ret_user = (uint32_t)user;
	return true;
}

static int identity(int pid, int *ret_pid, uint32_t *ret_user)
{
	char path[64], text[8192];
	cleanup(close_fd) int fd = -1;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/status", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof text);
	if (n < 0)
		return -errno;
	return perf_map_identity((struct span){ text, (size_t)n }, ret_pid, ret_user) ? 0 : -EBADMSG;
}

static int check_file(int fd, uint32_t user, uint64_t known_size, uint64_t *ret_size)
{
	struct stat s;

	if (fstat(fd, &s) < 0)
		return -errno;
	if (!S_ISREG(s.st_mode) || (s.st_uid != 0 && s.st_uid != user && s.st_uid != geteuid()))
		return -EPERM;
	if ((uint64_t)s.st_size > PERF_MAP_MAX)
		return -EFBIG;
	if (known_size && known_size == (uint64_t)s.st_size)
		return -EALREADY;
	*ret_size = (uint64_t)s.st_size;
	return 0;
}

static int read_all(int fd, uint64_t size, struct buf *to)
{
	ssize_t n;

	if (buf_reserve(to, size) < 0)
		return -ENOMEM;
	while (to->n < size && (n = read(fd, to->data + to->n, size - to->n)) != 0) {
		if (n < 0)
			return -errno;
		to->n += (size_t)n;
	}
	to->data[to->n] = '\0';
	return 0;
}

int perf_map_read(int pid, uint64_t known_size, struct perf_map *ret)
{
	cleanup(close_fd) int fd = -1;
	struct buf text = { 0 };
	char path[96];
	int inner, rc;
	uint32_t user;
	uint64_t size = 0;

	rc = identity(pid, &inner, &user);
	if (rc < 0)
		return rc;
	snprintf(path, sizeof path, "/proc/%d/root/tmp/perf-%d.map", pid, inner);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	rc = fd < 0 ? -errno : check_file(fd, user, known_size, &size);
	if (rc == 0)
		rc = read_all(fd, size, &text);
	if (rc < 0) {
		buf_deinit(&text);
		return rc;
	}
	rc = perf_map_parse(&text, ret);
	if (rc == 0)
		ret->file_size = size;
	return rc;
}
