#include "dig/core/core.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/units.h"
#include "dig/core/core_notes.h"
#include "dig/core/core_page.h"
#include "dig/core/core_session.h"

const char *core_method_name(enum core_method m)
{
	static const char *const names[] = { "auto", "precopy", "fork", "plain" };

	return names[m];
}

/* ---- before anything is touched ---- */

static int refuse_process(const struct core_process *p, struct note *note)
{
	if (p->pid == getpid())
		return note_set(note, -EINVAL, "%d is this osprey itself", p->pid);
	if (p->kernel_thread)
		return note_set(note, -EINVAL, "%d (%s) is a thread of the kernel: it has no memory of its own", p->pid,
				p->name);
	if (p->state == 'Z' && p->threads > 1)
		return note_set(note, -EOPNOTSUPP, "%d (%s): its first thread has ended, by which its memory is reached; "
				"%u others live: osprey stack %d", p->pid, p->name, p->threads - 1, p->pid);
	if (p->state == 'Z' || p->auxv.n == 0)
		return note_set(note, -ESRCH, "%d (%s) has ended and only waits for its parent %d (state %c): its "
				"memory is gone", p->pid, p->name, p->parent, p->state);
	if (p->is_32_bit)
		return note_set(note, -EOPNOTSUPP, "%d (%s) is a 32-bit process, which this does not dump", p->pid,
				p->name);
	if (p->tracer)
		return note_set(note, -EPERM, "%d (%s) is traced already, by %d (%s); only one can", p->pid, p->name,
				p->tracer, p->tracer_name);
	return 0;
}

/* A syscall instruction: in the vDSO, which every process has, else in any code. */
static uint64_t find_syscall(int pid, const struct core_mapping *m)
{
	static const unsigned char instruction[] = { 0x0f, 0x05 };
	size_t n = m->end - m->start < 1 << 20 ? (size_t)(m->end - m->start) : 1 << 20;
	char *code = malloc(n);
	struct iovec local = { code, n }, remote = { (void *)(uintptr_t)m->start, n };
	ssize_t got = code ? process_vm_readv(pid, &local, 1, &remote, 1, 0) : -1;
	const char *at = got > 0 ? memmem(code, (size_t)got, instruction, sizeof instruction) : NULL;
	uint64_t address = at ? m->start + (uint64_t)(at - code) : 0;

	free(code);
	return address;
}

static uint64_t find_syscall_anywhere(const struct core_session *s)
{
	uint64_t address = 0;

	for (unsigned others = 0; others < 2 && !address; others++) {
		vec_each(m, &s->map.mapping) {
			if (!address && (m->flags & CORE_EXECUTE) && (m->flags & CORE_READ) &&
			    (strcmp(m->name, "[vdso]") != 0) == others && (!others || core_mapping_has_file(m)))
				address = find_syscall(s->process.pid, m);
		}
	}
	return address;
}

static uint64_t expected_bytes(const struct core_session *s)
{
	uint64_t n = 0;

	vec_each(m, &s->map.mapping) {
		if (session_part(s, m) != CORE_PART_WHOLE)
			continue;
		n += session_sparse(m) || (m->flags & CORE_SHARED) ? m->resident + m->swapped : m->end - m->start;
	}
	return n;
}

static int check_space(struct core_session *s)
{
	uint64_t room = core_file_free_bytes(&s->file), need = s->result->resident_bytes + s->file.header_zone;

	if (room >= need)
		return 0;
	return note_set(s->note, -ENOSPC, "%s: needs about %s, and %s are free; nothing was done",
			s->file.name ? s->wish->path : "the temporary directory", bytes_text((double)need).text,
			bytes_text((double)room).text);
}

static int prepare(struct core_session *s)
{
	int r = core_process_read(s->wish->pid, &s->process, s->note);

	if (r == 0)
		r = refuse_process(&s->process, s->note);
	if (r < 0)
		return r;
	s->result->pid = s->process.pid;
	memcpy(s->result->name, s->process.name, sizeof s->result->name);
	s->filter = s->wish->filter_given ? s->wish->filter : s->process.filter;
	r = core_map_read(s->process.pid, true, &s->map);
	if (r == 0)
		r = core_pages_init(&s->pages, s->process.pid);
	if (r < 0)
		return note_set(s->note, r, "%d (%s): its mappings: %s", s->process.pid, s->process.name,
				r == -ETIMEDOUT ? "no answer within 5 s: its mmap_lock is held" : strerror(-r));
	if (s->map.mapping.n == 0)
		return note_set(s->note, -ESRCH, "%d (%s) has ended", s->process.pid, s->process.name);
	s->result->resident_bytes = expected_bytes(s);
	if (core_trace_can_inject())
		s->syscall_address = find_syscall_anywhere(s);
	r = core_file_new(s->wish->path, s->wish->replace, s->map.mapping.n,
			  core_notes_guess(s->process.threads, &s->map), &s->file, s->note);
	return r < 0 ? r : check_space(s);
}

/* ---- the way ---- */

static bool can(struct core_session *s, enum core_method m)
{
	char *why = s->result->why_not[m];

	if (m == CORE_METHOD_PLAIN)
		return true;
	if (!core_trace_can_inject())
		snprintf(why, CORE_WHY_MAX, "system calls are injected on x86-64 only");
	else if (!s->syscall_address)
		snprintf(why, CORE_WHY_MAX, "its code has no syscall instruction that could be used");
	else if (m == CORE_METHOD_PRECOPY && !s->pages.can_scan)
		snprintf(why, CORE_WHY_MAX, "needs Linux 6.7 (PAGEMAP_SCAN)");
	return why[0] == '\0';
}

static int go(struct core_session *s, enum core_method m)
{
	static int (*const ways[])(struct core_session *) = {
		[CORE_METHOD_PRECOPY] = core_by_precopy,
		[CORE_METHOD_FORK] = core_by_fork,
		[CORE_METHOD_PLAIN] = core_by_plain,
	};

	if (!can(s, m))
		return -EAGAIN;
	s->result->method = s->progress.method = m;
	int r = core_file_reset(&s->file);

	return r < 0 ? note_set(s->note, r, "%s: %s", s->wish->path, strerror(-r)) : ways[m](s);
}

static int by_some_way(struct core_session *s)
{
	enum core_method wanted = s->wish->method;
	int r = -EAGAIN;

	if (wanted != CORE_METHOD_AUTO) {
		r = go(s, wanted);
		return r == -EAGAIN ? note_set(s->note, r, "%d (%s): %s cannot be had: %s", s->process.pid,
					       s->process.name, core_method_name(wanted), s->result->why_not[wanted]) :
				      r;
	}
	for (unsigned m = CORE_METHOD_PRECOPY; r == -EAGAIN && m <= CORE_METHOD_PLAIN; m++)
		r = go(s, (enum core_method)m);
	return r;
}

/* ---- the end ---- */

/* Flags of mappings that came between the last look and the stop: told by a look now, when it still is the same. */
static void learn_flags(struct core_session *s)
{
	struct core_map now = { 0 };
	bool unknown = false;

	vec_each(m, &s->map.mapping)
		unknown |= (m->flags & CORE_FLAGS_UNKNOWN) != 0;
	if (unknown && core_process_same(&s->process) == 0 && core_map_read(s->process.pid, true, &now) == 0)
		core_map_inherit(&s->map, &now);
	core_map_deinit(&now);
}

static bool begins_as_elf(const struct core_session *s, uint64_t address)
{
	char magic[SELFMAG];

	return core_file_read(&s->file, address, magic, sizeof magic) == 0 && memcmp(magic, ELFMAG, SELFMAG) == 0;
}

typedef VEC(struct core_segment) segment_vec;

static int make_segments(const struct core_session *s, segment_vec *ret)
{
	vec_each(m, &s->map.mapping) {
		enum core_part part = session_part(s, m);

		if (part == CORE_PART_NONE && !core_mapping_listed(m))
			continue;
		struct core_segment *new = vec_push(ret);

		if (!new)
			return -ENOMEM;
		*new = (struct core_segment){
			.start = m->start,
			.end = m->end,
			.flags = (m->flags & CORE_READ ? PF_R : 0u) | (m->flags & CORE_WRITE ? PF_W : 0u) |
				 (m->flags & CORE_EXECUTE ? PF_X : 0u),
		};
		if (part == CORE_PART_WHOLE && core_file_holds(&s->file, m->start, m->end))
			new->file_bytes = m->end - m->start;
		else if (part == CORE_PART_HEADER && begins_as_elf(s, m->start))
			new->file_bytes = page_size();
	}
	return 0;
}

static bool go_on(void *arg, uint64_t done, uint64_t all)
{
	struct core_session *s = arg;

	s->progress.done_bytes = done;
	s->progress.all_bytes = all;
	if (s->wish->progress)
		s->wish->progress(s->wish->progress_arg, &s->progress);
	return !s->wish->interrupted || !*s->wish->interrupted;
}

static uint16_t machine_here(const struct core_process *p)
{
#ifdef __aarch64__
	return p->machine ? p->machine : EM_AARCH64;
#else
	return p->machine ? p->machine : EM_X86_64;
#endif
}

static int write_core(struct core_session *s)
{
	struct buf notes = { 0 };
	segment_vec segments = { 0 };
	int r;

	learn_flags(s);
	r = core_notes(&s->process, core_guard_threads(s->guard), &s->map, &notes);
	if (r == 0)
		r = make_segments(s, &segments);
	struct core_finish how = {
		.segment = segments.v,
		.nsegments = segments.n,
		.notes = buf_span(&notes),
		.machine = machine_here(&s->process),
		.compress = s->wish->compress,
		.level = s->wish->level,
		.go_on = go_on,
		.arg = s,
	};

	session_progress(s, s->wish->compress ? "compressing" : "finishing", s->file.end);
	s->result->segments = segments.n;
	if (r == 0)
		r = core_file_finish(&s->file, &how, &s->result->file_bytes, &s->result->disk_bytes, s->note);
	vec_free(&segments);
	buf_deinit(&notes);
	return r;
}

int core_dump(const struct core_wish *wish, struct core_result *ret, struct note *note)
{
	struct core_session s = {
		.wish = wish, .result = ret, .note = note, .protect.fd = -1, .file = { .fd = -1, .directory = -1 },
		.pages.pagemap = -1,
	};
	uint64_t from = clock_mono_ns();

	*ret = (struct core_result){ .pid = wish->pid };
	int r = prepare(&s);

	if (r == 0)
		r = by_some_way(&s);
	ret->copied_bytes = s.copier.copied_bytes;
	ret->unreadable_bytes = s.copier.unreadable_bytes;
	if (r == 0)
		r = write_core(&s);
	ret->wall_ns = clock_mono_ns() - from;
	/* The target first: it may be standing still. */
	core_guard_free(s.guard);
	urgent_end(&s.urgent);
	core_protect_deinit(&s.protect);
	core_copier_deinit(&s.copier);
	core_file_deinit(&s.file);
	core_pages_deinit(&s.pages);
	core_map_deinit(&s.map);
	core_process_deinit(&s.process);
	vec_free(&s.gone);
	vec_free(&s.long_runs);
	core_witness_deinit(&s.witness);
	return r;
}
