#include "dig/core/core_notes.h"

#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/procfs.h>

#include "dig/core/core_page.h"
#include "dig/core/core_xstate.h"

#ifndef NT_X86_XSTATE
#define NT_X86_XSTATE 0x202
#endif

static int pad4(struct buf *b)
{
	return buf_append(b, "\0\0\0", (4 - b->n % 4) % 4);
}

static int put_head(struct buf *b, const char *name, uint32_t type, size_t n)
{
	Elf64_Nhdr h = { .n_namesz = (Elf64_Word)strlen(name) + 1, .n_descsz = (Elf64_Word)n, .n_type = type };
	int r = n > UINT32_MAX ? -ERANGE : buf_append(b, &h, sizeof h);

	if (r == 0)
		r = buf_append(b, name, h.n_namesz);
	return r == 0 ? pad4(b) : r;
}

static int put_note(struct buf *b, const char *name, uint32_t type, const void *data, size_t n)
{
	int r = put_head(b, name, type, n);

	if (r == 0)
		r = buf_append(b, data, n);
	return r == 0 ? pad4(b) : r;
}

static int put_process(const struct core_process *p, struct buf *b)
{
	static const char states[] = "RSDTZW";
	const char *at = strchr(states, p->state);
	struct elf_prpsinfo info = {
		.pr_state = (char)(at && *at ? at - states : 0),
		.pr_sname = p->state,
		.pr_zomb = p->state == 'Z',
		.pr_nice = (char)p->nice,
		.pr_flag = p->flags,
		.pr_uid = p->uid,
		.pr_gid = p->gid,
		.pr_pid = p->pid,
		.pr_ppid = p->parent,
		.pr_pgrp = p->group,
		.pr_sid = p->session,
	};

	memcpy(info.pr_fname, p->name, sizeof info.pr_fname);
	memcpy(info.pr_psargs, p->arguments, sizeof info.pr_psargs);
	return put_note(b, "CORE", NT_PRPSINFO, &info, sizeof info);
}

static int put_extended(const struct core_thread *t, struct buf *b)
{
	unsigned char standard[XSTATE_STANDARD_SIZE];
	struct xstate_part layout[XSTATE_PARTS];

	xstate_layout(layout);
	size_t n = xstate_standard(t->extended, t->extended_size, layout, standard);

	return n ? put_note(b, "LINUX", NT_X86_XSTATE, standard, n) :
		   put_note(b, "LINUX", NT_X86_XSTATE, t->extended, t->extended_size);
}

static int put_thread(const struct core_process *p, const struct core_thread *t, struct buf *b)
{
	struct elf_prstatus status = {
		.pr_info.si_signo = t->signal,
		.pr_cursig = (short)t->signal,
		.pr_sighold = t->signal_mask,
		.pr_pid = t->tid,
		.pr_ppid = p->parent,
		.pr_pgrp = p->group,
		.pr_sid = p->session,
		.pr_fpvalid = t->floating_size != 0,
	};
	siginfo_t info = { 0 };

	memcpy(&status.pr_reg, t->general,
	       t->general_size < sizeof status.pr_reg ? t->general_size : sizeof status.pr_reg);
	if (t->has_info)
		info = t->info;
	int r = put_note(b, "CORE", NT_PRSTATUS, &status, sizeof status);

	if (r == 0 && t->floating_size)
		r = put_note(b, "CORE", NT_FPREGSET, t->floating, t->floating_size);
	if (r == 0 && t->extended_size)
		r = put_extended(t, b);
	return r == 0 ? put_note(b, "CORE", NT_SIGINFO, &info, sizeof info) : r;
}

static int put_threads(const struct core_process *p, const struct core_shared *s, struct buf *b)
{
	int r = 0;

	for (unsigned others = 0; others < 2; others++) {
		for (uint32_t i = 0; r == 0 && i < s->nthreads; i++) {
			const struct core_thread *t = &s->thread[i];

			if (t->tid && t->general_size && (t->tid != p->pid) == others)
				r = put_thread(p, t, b);
		}
	}
	return r;
}

static const char *mark_of(const struct core_mapping *m)
{
	return m->flags & CORE_DELETED ? " (deleted)" : "";
}

static int put_files(const struct core_map *map, struct buf *b)
{
	uint64_t head[2] = { 0, page_size() }, names = 0;
	int r = 0;

	vec_each(m, &map->mapping) {
		if (core_mapping_has_file(m))
			head[0]++, names += strlen(m->name) + strlen(mark_of(m)) + 1;
	}
	r = put_head(b, "CORE", NT_FILE, sizeof head + head[0] * 3 * sizeof(uint64_t) + names);
	if (r == 0)
		r = buf_append(b, head, sizeof head);
	vec_each(m, &map->mapping) {
		uint64_t range[3] = { m->start, m->end, m->offset / page_size() };

		if (r == 0 && core_mapping_has_file(m))
			r = buf_append(b, range, sizeof range);
	}
	vec_each(m, &map->mapping) {
		if (r < 0 || !core_mapping_has_file(m))
			continue;
		r = buf_append(b, m->name, strlen(m->name));
		if (r == 0)
			r = buf_append(b, mark_of(m), strlen(mark_of(m)) + 1);
	}
	return r == 0 ? pad4(b) : r;
}

int core_notes(const struct core_process *p, const struct core_shared *threads, const struct core_map *map,
	       struct buf *ret)
{
	int r = put_process(p, ret);

	if (r == 0)
		r = put_threads(p, threads, ret);
	if (r == 0)
		r = put_note(ret, "CORE", NT_AUXV, buf_span(&p->auxv).p, p->auxv.n);
	return r == 0 ? put_files(map, ret) : r;
}

uint64_t core_notes_guess(uint32_t threads, const struct core_map *map)
{
	return (uint64_t)threads * 4600 + map->mapping.n * 24 + map->names.n + 8192;
}
