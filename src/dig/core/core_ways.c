#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dig/core/core_page.h"
#include "dig/core/core_session.h"

static int headers(struct core_session *s, bool fresh)
{
	int r = 0;

	vec_each(m, &s->map.mapping) {
		if (r == 0 && session_part(s, m) == CORE_PART_HEADER)
			r = core_copy(&s->copier, m->start, m->start + page_size(), fresh, false);
	}
	return r;
}

static int fail_reading(struct core_session *s, int r)
{
	if (r == -EINTR)
		return note_set(s->note, r, "interrupted");
	if (r == -ESRCH)
		return note_set(s->note, r, "%d (%s): it has ended meanwhile", s->process.pid, s->process.name);
	return r < 0 ? note_set(s->note, r, "copying: %s", strerror(-r)) : 0;
}

static int new_guard(struct core_session *s)
{
	core_guard_free(s->guard);
	s->guard = NULL;
	int r = core_guard_new(s->process.pid, s->process.threads, &s->guard);

	return r < 0 ? note_set(s->note, r, "starting the guardian: %s", strerror(-r)) : 0;
}

/* ---- plain ---- */

int core_by_plain(struct core_session *s)
{
	int r = session_buffer(s, 0);

	if (r == 0)
		r = new_guard(s);
	if (r == 0)
		r = session_stop(s);
	if (r < 0)
		return r;
	session_progress(s, "stopped", s->result->resident_bytes);
	core_copy_limit(&s->copier, CORE_COPY_WINDOW);
	r = headers(s, true);
	vec_each(m, &s->map.mapping) {
		if (r == 0 && session_part(s, m) == CORE_PART_WHOLE)
			r = session_take(s, &s->pages, m, true);
	}
	if (r == 0)
		r = core_copy_flush(&s->copier);
	s->result->stopped_bytes = s->copier.copied_bytes;
	r = fail_reading(s, r);
	int resumed = session_resume(s);

	return r < 0 ? r : resumed;
}

/* ---- fork ---- */

/* A copy shares this with the target, or has it not. */
static bool not_in_copy(const struct core_mapping *m)
{
	return m->flags & (CORE_SHARED | CORE_NOT_FORKED);
}

static int take_what_is_not_in_copy(struct core_session *s)
{
	int r = headers(s, true);

	vec_each(m, &s->map.mapping) {
		if (r == 0 && session_part(s, m) == CORE_PART_WHOLE && not_in_copy(m))
			r = session_take(s, &s->pages, m, true);
	}
	return r == 0 ? core_copy_read(&s->copier) : r;
}

static int take_copy(struct core_session *s, int child)
{
	struct core_pages pages;
	int r = core_copy_flush(&s->copier);

	core_copy_limit(&s->copier, CORE_COPY_WINDOW);
	session_progress(s, "copying", s->result->resident_bytes);
	if (r == 0)
		r = core_copier_from(&s->copier, child);
	if (r == 0)
		r = core_pages_init(&pages, child);
	if (r < 0)
		return r;
	vec_each(m, &s->map.mapping) {
		if (r == 0 && session_part(s, m) == CORE_PART_WHOLE && !not_in_copy(m))
			r = session_take(s, &pages, m, true);
	}
	if (r == 0)
		r = core_copy_flush(&s->copier);
	core_pages_deinit(&pages);
	return r;
}

static uint64_t bytes_not_in_copy(const struct core_session *s)
{
	uint64_t n = 0;

	vec_each(m, &s->map.mapping)
		n += session_part(s, m) == CORE_PART_WHOLE && not_in_copy(m) ? m->resident + m->swapped : page_size();
	return n;
}

int core_by_fork(struct core_session *s)
{
	struct core_answer a = { 0 };
	int r = session_buffer(s, bytes_not_in_copy(s));

	if (r == 0)
		r = new_guard(s);
	if (r == 0)
		r = session_stop(s);
	if (r < 0)
		return r;
	r = core_guard_fork(s->guard, s->syscall_address, s->process.seccomp != 0, &a);
	if (r < 0) {
		int resumed = session_resume(s);

		return resumed < 0 ? resumed : session_refuse(s, CORE_METHOD_FORK, r, &a, "clone() in the target");
	}
	r = fail_reading(s, take_what_is_not_in_copy(s));
	s->result->stopped_bytes = s->copier.copied_bytes;
	int resumed = session_resume(s);

	if (r == 0)
		r = resumed;
	if (r == 0)
		r = fail_reading(s, take_copy(s, a.child));
	struct core_answer end;

	if (core_guard_end_child(s->guard, &end) == 0)
		s->result->pause_ns[CORE_PAUSE_REAP] = end.pause_ns;
	return r;
}

/* ---- pre-copy ---- */

#define PASSES 12
#define LONG_RUN 16   /* pages; are worth a look at which of them are there */
#define FEW_PAGES 64   /* a pass that finds so few is the last */
#define SHORT_PASS 8192 /* pages; so few are copied ahead of ordinary tasks: the longer it takes, the more is written */

static bool wants_tracking(const struct core_session *s, const struct core_mapping *m)
{
	return session_part(s, m) == CORE_PART_WHOLE && !(m->flags & CORE_SHARED) && strcmp(m->name, "[vdso]") != 0;
}

static int start_tracking(struct core_session *s)
{
	struct core_answer a = { 0 };
	int fd;
	int r = new_guard(s);

	if (r < 0)
		return r;
	r = core_guard_track(s->guard, s->syscall_address, s->process.seccomp != 0, &fd, &a);
	s->result->pause_ns[CORE_PAUSE_TRACK] = a.pause_ns;
	/* A thread that did not stop is let go by the guardian's end. */
	core_guard_free(s->guard);
	s->guard = NULL;
	if (r < 0)
		return session_refuse(s, CORE_METHOD_PRECOPY, r, &a, "userfaultfd() in the target");
	r = core_protect_init(&s->protect, fd);
	if (r < 0) {
		a = (struct core_answer){ .error = r };
		return session_refuse(s, CORE_METHOD_PRECOPY, r, &a, "userfaultfd without what is needed");
	}
	return 0;
}

struct pass {
	struct core_session *s;
	const struct core_mapping *m;
	uint64_t pages;
	bool fresh;
	uint64_t at; /* the final one: up to here all is accounted for */
};

static int copy_written(void *arg, uint64_t start, uint64_t end, unsigned kind)
{
	struct pass *p = arg;

	(void)kind;
	p->pages += (end - start) / page_size();
	return core_copy(&p->s->copier, start, end, p->fresh, !(p->m->flags & CORE_READ));
}

static int look(struct core_session *s, bool deep)
{
	struct core_map now = { 0 };
	int r = core_map_read(s->process.pid, deep, &now);

	if (r < 0)
		return r;
	if (!deep)
		core_map_inherit(&now, &s->map);
	core_map_deinit(&s->map);
	s->map = now;
	return 0;
}

/* Pages of its own may be the first ones of a mapping of a file. */
static bool may_have_news(const struct core_mapping *m)
{
	return (m->flags & CORE_FLAGS_UNKNOWN) ||
	       (core_mapping_has_file(m) && (m->flags & (CORE_WRITE | CORE_SHARED | CORE_OWN_PAGES)) == CORE_WRITE);
}

/* The layout may have changed since; flags of mappings that were there are known already. Those of new ones are asked
 * for only where `deep`: that walks all page tables. */
static int look_again(struct core_session *s, bool deep)
{
	bool unknown = false;
	int r = core_process_same(&s->process);

	if (r == 0)
		r = look(s, false);
	vec_each(m, &s->map.mapping)
		unknown |= may_have_news(m);
	return r == 0 && deep && unknown ? look(s, true) : r;
}

static int pass_over(struct core_session *s, struct pass *p, bool first)
{
	int r = 0;

	vec_each(m, &s->map.mapping) {
		if (r < 0)
			break;
		if (!wants_tracking(s, m) || (m->flags & CORE_FLAGS_UNKNOWN))
			continue;
		bool new = !(m->flags & CORE_TRACKED);

		/* Somebody else's, or not to be had: it is copied in the stop. */
		if (new && core_protect_add(&s->protect, m->start, m->end) < 0)
			continue;
		m->flags |= CORE_TRACKED;
		r = core_file_place(&s->file, m->start, m->end);
		p->m = m;
		p->fresh = first && new && session_sparse(m);
		/* Of a file: pages that nobody wrote are not found by what was written. */
		if (r == 0 && new && !session_sparse(m))
			r = core_copy(&s->copier, m->start, m->end, true, !(m->flags & CORE_READ));
		if (r == 0)
			r = core_pages_protect(&s->pages, m->start, m->end, copy_written, p);
		if (r == -EPERM || r == -ENOMEM) {
			/* It has been replaced since the look: the next pass has it, or the stop. */
			m->flags &= ~(unsigned)CORE_TRACKED;
			r = 0;
		}
	}
	return r;
}

/* What was written during the last pass, or a little more: so much of the buffer is to be free for the next. */
static int make_room(struct core_session *s, uint64_t pages)
{
	struct core_copier *c = &s->copier;
	uint64_t bytes = pages == UINT64_MAX ? UINT64_MAX : pages * page_size();

	/* What fits is only read: the shorter a pass, the less is written meanwhile. */
	core_copy_limit(c, bytes <= c->size / 4 ? SIZE_MAX : CORE_COPY_WINDOW);
	if (bytes > c->size / 4 || c->size - c->used < bytes * 2)
		return core_copy_flush(c);
	return core_copy_read(c);
}

static int add_witness(void *arg, uint64_t start, uint64_t end, unsigned kind)
{
	struct core_session *s = arg;

	return kind & CORE_PAGE_PRESENT ? core_witness_add(&s->witness, start, end) : 0;
}

/* Mappings of which absent pages are zeros, and whose every change is found in their page tables. */
static bool can_have_witness(const struct core_session *s, const struct core_mapping *m)
{
	return s->pages.finds_touched && (m->flags & CORE_TRACKED) && !(m->flags & CORE_HUGETLB) &&
	       core_mapping_is_anonymous(m) && wants_tracking(s, m);
}

static int find_witness(struct core_session *s)
{
	int r = 0;

	vec_each(m, &s->map.mapping) {
		if (r == 0 && can_have_witness(s, m))
			r = core_pages_present(&s->pages, m->start, m->end, add_witness, s);
	}
	return r;
}

/* Copies while it runs, until what is written meanwhile grows no less. *ret_dirty: pages of the last pass. */
static int passes(struct core_session *s, uint64_t *ret_dirty)
{
	uint64_t before = UINT64_MAX;
	int r = 0;

	for (unsigned n = 1; r == 0 && n <= PASSES; n++) {
		struct pass p = { .s = s };

		s->progress.pass = s->result->passes = n;
		s->result->copied_bytes = s->copier.copied_bytes;
		session_progress(s, "copying", n == 1 ? s->result->resident_bytes : before * page_size());
		r = make_room(s, before);
		if (r == 0 && n > 1)
			r = look_again(s, n == 2);
		if (r == 0 && n == 2)
			r = find_witness(s);
		/* Forked while the target runs, and in its place before the last pass. */
		if (r == 0 && n == 2)
			r = new_guard(s);
		if (r == 0 && before <= SHORT_PASS && !s->urgent.able)
			urgent_begin(&s->urgent);
		if (r == 0)
			r = pass_over(s, &p, n == 1);
		if (r == 0)
			r = core_copy_read(&s->copier);
		*ret_dirty = s->progress.dirty_pages = p.pages;
		if (n > 1 && (p.pages <= FEW_PAGES || p.pages >= before / 10 * 7))
			break;
		before = p.pages;
	}
	return r;
}

static int range_gone(struct core_session *s, uint64_t start, uint64_t end)
{
	struct core_range *g = start < end ? vec_push(&s->gone) : NULL;

	if (g)
		*g = (struct core_range){ start, end };
	return start < end && !g ? -ENOMEM : 0;
}

/* What is absent at the stop: of anonymous memory it reads as zeros now, of a file it is the file's again. */
static int absent(struct pass *p, uint64_t until)
{
	uint64_t from = p->at;

	if (from >= until)
		return 0;
	if (session_sparse(p->m))
		return range_gone(p->s, from, until);
	return core_copy(&p->s->copier, from, until, false, !(p->m->flags & CORE_READ));
}

static int final_run(void *arg, uint64_t start, uint64_t end, unsigned kind)
{
	struct pass *p = arg;
	int r = absent(p, start);

	if (r == 0 && (kind & CORE_PAGE_WRITTEN))
		r = copy_written(p, start, end, kind);
	p->at = end;
	return r;
}

static int keep_long(void *arg, uint64_t start, uint64_t end, unsigned kind)
{
	struct pass *p = arg;
	struct core_range *long_run;

	if (end - start < LONG_RUN * page_size())
		/* Pages that are absent read as zeros, too. */
		return copy_written(p, start, end, kind);
	long_run = vec_push(&p->s->long_runs);
	if (!long_run)
		return -ENOMEM;
	*long_run = (struct core_range){ start, end };
	return 0;
}

static int final_range(struct core_session *s, struct pass *p, uint64_t start, uint64_t end)
{
	p->at = start;
	/* Pages of memory that is not tracked (any more) are all "written". But of a file those that are not read
	 * yet would be missed. */
	int r = core_pages_written(&s->pages, start, end, !session_sparse(p->m), final_run, p);

	return r == 0 ? absent(p, end) : r;
}

static int final_stretch(struct core_session *s, struct pass *p, uint64_t start, uint64_t end, bool sound)
{
	s->long_runs.n = 0;
	int r = sound ? core_pages_touched(&s->pages, start, end, keep_long, p) : -EPERM;

	if (r == -EPERM)
		return final_range(s, p, start, end);
	vec_each(run, &s->long_runs) {
		if (r == 0)
			r = final_range(s, p, run->start, run->end);
	}
	return r;
}

static int final_mapping(struct core_session *s, struct pass *p)
{
	const struct core_mapping *m = p->m;
	int r = 0;

	if (!wants_tracking(s, m))
		return session_take(s, &s->pages, m, false);
	for (uint64_t at = m->start, end; r == 0 && at < m->end; at = end) {
		bool sound = false;

		end = m->end;
		if (can_have_witness(s, m))
			end = core_witness_stretch(&s->witness, at, m->end, &sound);
		r = final_stretch(s, p, at, end, sound);
	}
	return r == -EPERM ? session_take(s, &s->pages, m, false) : r;
}

static int final_pass(struct core_session *s)
{
	struct pass p = { .s = s };
	int r = headers(s, true);

	core_witness_ask(&s->witness, s->process.pid);
	vec_each(m, &s->map.mapping) {
		p.m = m;
		if (r == 0 && session_part(s, m) == CORE_PART_WHOLE)
			r = final_mapping(s, &p);
	}
	s->result->dirty_pages = p.pages;
	return r == 0 ? core_copy_read(&s->copier) : r;
}

/* Whether a copy of the page tables is likely the shorter pause. */
static bool fork_is_better(struct core_session *s, uint64_t dirty)
{
	uint64_t resident = s->result->resident_bytes / page_size();

	if (s->wish->method != CORE_METHOD_AUTO || s->process.seccomp || dirty < 65536 || dirty < resident / 6)
		return false;
	snprintf(s->result->why_not[CORE_METHOD_PRECOPY], CORE_WHY_MAX,
		 "it writes %llu of %llu pages anew during one pass, so a fork stops it for less",
		 (unsigned long long)dirty, (unsigned long long)resident);
	return true;
}

static int stop_and_finish(struct core_session *s)
{
	uint64_t before = s->copier.copied_bytes;
	int r = session_stop(s);

	if (r < 0)
		return r;
	core_copy_limit(&s->copier, SIZE_MAX);
	r = fail_reading(s, final_pass(s));
	s->result->stopped_bytes = s->copier.copied_bytes - before;
	int resumed = session_resume(s);

	if (r == 0)
		r = resumed;
	if (r == 0)
		r = fail_reading(s, core_copy_flush(&s->copier));
	vec_each(g, &s->gone) {
		if (r == 0)
			r = fail_reading(s, core_file_clear(&s->file, g->start, g->end));
	}
	return r;
}

int core_by_precopy(struct core_session *s)
{
	uint64_t dirty = 0;
	int r = session_buffer(s, s->result->resident_bytes / 8);

	if (r == 0)
		r = start_tracking(s);
	if (r < 0)
		return r;
	r = fail_reading(s, passes(s, &dirty));
	if (r == 0 && fork_is_better(s, dirty))
		r = -EAGAIN;
	if (r == 0)
		r = stop_and_finish(s);
	urgent_end(&s->urgent);
	core_protect_deinit(&s->protect);
	s->progress.pass = 0;
	return r;
}
