#include "dig/leak/leak_attach.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

/* As linux/bpf.h of 6.6 has it; older headers do not. */
struct link_create_multi {
	uint32_t program, target, type, flags;
	uint64_t path, offsets, semaphores, cookies;
	uint32_t n, multi_flags, pid, pad;
};

static int link_create(struct link_create_multi *attr)
{
	long fd = syscall(SYS_bpf, BPF_LINK_CREATE, attr, sizeof *attr);

	return fd < 0 ? -errno : (int)fd;
}

static int load_empty(void)
{
	const struct bpf_insn code[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K }, { .code = BPF_JMP | BPF_EXIT } };
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = (enum bpf_attach_type)LEAK_UPROBE_SESSION);

	return bpf_prog_load(BPF_PROG_TYPE_KPROBE, NULL, "GPL", code, 2, &opts);
}

bool leak_session_there(void)
{
	uint64_t offset = 0;
	cleanup(close_fd) int program = load_empty();

	if (program < 0)
		return false;
	/* A path that is a directory is refused with EBADF once the kernel has understood the rest. */
	struct link_create_multi attr = { .program = (uint32_t)program, .type = LEAK_UPROBE_SESSION,
					  .path = (uintptr_t) "/",
					  .offsets = (uintptr_t)&offset, .n = 1 };
	int fd = link_create(&attr);
	if (fd >= 0)
		close(fd);
	return fd == -EBADF;
}

static int keep(fd_vec *v, int fd)
{
	int *slot = vec_push(v);

	if (!slot) {
		close(fd);
		return -ENOMEM;
	}
	*slot = fd;
	return 0;
}

static bool same_file(const struct leak_function *a, const struct leak_function *b)
{
	return a->inode == b->inode && a->device == b->device;
}

/* The i-th function and all behind it of the same form in the same file. */
static int attach_session(int program, const struct leak_allocator *l, size_t first, int pid, fd_vec *ret,
			  struct note *note)
{
	const struct leak_function *f = &l->function.v[first];
	uint64_t *offsets = calloc(l->function.n, sizeof *offsets);
	uint32_t n = 0;

	if (!offsets)
		return -ENOMEM;
	for (size_t i = first; i < l->function.n; i++)
		if (l->function.v[i].call == f->call && same_file(&l->function.v[i], f))
			offsets[n++] = l->function.v[i].offset;
	struct link_create_multi attr = { .program = (uint32_t)program, .type = LEAK_UPROBE_SESSION,
					  .path = (uintptr_t)f->path,
					  .offsets = (uintptr_t)offsets, .n = n, .pid = (uint32_t)pid };
	int fd = link_create(&attr);
	free(offsets);
	if (fd < 0)
		return note_set(note, fd, "%s cannot be probed: %s", f->name, strerror(-fd));
	return keep(ret, fd);
}

static bool is_first(const struct leak_allocator *l, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (l->function.v[i].call == l->function.v[at].call && same_file(&l->function.v[i], &l->function.v[at]))
			return false;
	return true;
}

static int attach_one(const struct leak_programs *p, const struct leak_function *f, int pid, fd_vec *ret,
		      struct note *note)
{
	char name[64];
	char path[sizeof f->path];
	struct probe_site site = { .name = name, .path = path, .offset = f->offset };

	span_copy(span_from(f->name), name, sizeof name);
	memcpy(path, f->path, sizeof path);
	/* The return first: a call that is sampled must come back to it. */
	int r = f->call == LEAK_FREE ? 0 : attach_site(p->at_return, PROBE_URETPROBE, &site, pid, false, ret, note);
	return r < 0 ? r : attach_site(p->entry[f->call], PROBE_UPROBE, &site, pid, false, ret, note);
}

static int attach_some(const struct leak_programs *p, const struct leak_allocator *l, bool frees, int pid, fd_vec *ret,
		       struct note *note)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < l->function.n; i++) {
		const struct leak_function *f = &l->function.v[i];

		if ((f->call == LEAK_FREE) != frees)
			continue;
		if (!p->session)
			r = attach_one(p, f, pid, ret, note);
		else if (is_first(l, i))
			r = attach_session(p->entry[f->call], l, i, pid, ret, note);
	}
	return r;
}

int leak_attach(const struct leak_programs *programs, const struct leak_allocator *l, int pid, fd_vec *ret,
		struct note *note)
{
	int r = attach_some(programs, l, true, pid, ret, note);

	return r < 0 ? r : attach_some(programs, l, false, pid, ret, note);
}
