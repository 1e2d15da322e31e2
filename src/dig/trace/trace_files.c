#include "dig/trace/trace_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/map.h"
#include "base/vec.h"

#define FILES_MAX 65536 /* then it begins anew */
#define PATH_SHOWN 256

struct trace_files {
	struct map by_fd; /* position in path */
	VEC(struct known_path {
		char text[PATH_SHOWN];
	}) path;
};

static uint64_t key_of(int pid, int fd)
{
	return ((uint64_t)(uint32_t)pid << 32 | (uint32_t)fd) + 1;
}

int trace_files_new(struct trace_files **ret)
{
	struct trace_files *f = calloc(1, sizeof *f);

	if (!f)
		return -ENOMEM;
	*ret = f;
	return 0;
}

void trace_files_free(struct trace_files *f)
{
	if (!f)
		return;
	map_deinit(&f->by_fd);
	vec_free(&f->path);
	free(f);
}

static void learn(struct trace_files *f, int pid, int fd, struct span path)
{
	if (f->path.n >= FILES_MAX) {
		f->path.n = 0;
		map_clear(&f->by_fd);
	}
	uint32_t at = map_get(&f->by_fd, key_of(pid, fd));
	struct known_path *known = at != MAP_NONE ? &f->path.v[at] : vec_push(&f->path);
	if (!known)
		return;
	span_copy(path, known->text, sizeof known->text);
	if (map_set(&f->by_fd, key_of(pid, fd), (uint32_t)(known - f->path.v)) < 0)
		f->path.n -= at == MAP_NONE;
}

struct span trace_files_path(void *files, int pid, int fd)
{
	struct trace_files *f = files;
	char link[64], target[PATH_SHOWN];

	uint32_t at = map_get(&f->by_fd, key_of(pid, fd));
	if (at != MAP_NONE)
		return span_from(f->path.v[at].text);
	snprintf(link, sizeof link, "/proc/%d/fd/%d", pid, fd);
	ssize_t n = readlink(link, target, sizeof target - 1);
	learn(f, pid, fd, (struct span){ target, n > 0 ? (size_t)n : 0 });
	at = map_get(&f->by_fd, key_of(pid, fd));
	return at == MAP_NONE ? (struct span){ "", 0 } : span_from(f->path.v[at].text);
}

static bool gives_fd(const struct trace_event *e)
{
	return e->call && e->call->result == ARGUMENT_FD && e->record->result >= 0 && !(e->record->flags & RECORD_UNFINISHED);
}

void trace_files_before(struct trace_files *f, const struct trace_event *e)
{
	if (!gives_fd(e))
		return;
	int pid = e->record->pid, fd = (int)e->record->result;
	map_remove(&f->by_fd, key_of(pid, fd));
	/* A path from the root names the file at least until it is renamed; what a relative one means, the kernel knows. */
	for (unsigned i = 0; i < TRACE_ARGUMENTS && e->call->argument[i]; i++)
		for (unsigned k = 0; syscall_argument_kind(e->call, i) == ARGUMENT_PATH && k < e->nparts; k++)
			if (e->part[k].argument == i && e->part[k].bytes.n > 1 && e->part[k].bytes.p[0] == '/')
				learn(f, pid, fd, (struct span){ e->part[k].bytes.p, strnlen(e->part[k].bytes.p, e->part[k].bytes.n) });
}

void trace_files_after(struct trace_files *f, const struct trace_event *e)
{
	const struct trace_record *r = e->record;

	if (e->call && r->call == 3 /* close */ && r->result == 0)
		map_remove(&f->by_fd, key_of(r->pid, (int)r->argument[0]));
	if (r->type == RECORD_EXIT && (r->flags & RECORD_LAST))
		map_clear(&f->by_fd); /* its number may come again */
}
