#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "dig/core/core_page.h"
#include "dig/core/core_session.h"

#define BUFFER_MIN (UINT64_C(8) << 20)
#define BUFFER_MAX (UINT64_C(256) << 20)

enum core_part session_part(const struct core_session *s, const struct core_mapping *m)
{
	/* A guard page, an address range that was only reserved: nothing can be in it. */
	if (!(m->flags & (CORE_READ | CORE_WRITE | CORE_EXECUTE | CORE_FLAGS_UNKNOWN | CORE_OWN_PAGES)) &&
	    !m->resident && !m->swapped)
		return CORE_PART_NONE;
	return core_mapping_part(m, s->filter);
}

bool session_sparse(const struct core_mapping *m)
{
	return core_mapping_is_anonymous(m) || (m->flags & CORE_HUGETLB);
}

void session_progress(struct core_session *s, const char *step, uint64_t all_bytes)
{
	s->progress.step = step;
	s->progress.done_bytes = 0;
	s->progress.all_bytes = all_bytes;
	if (s->wish->progress)
		s->wish->progress(s->wish->progress_arg, &s->progress);
}

static int beat(void *arg)
{
	struct core_session *s = arg;

	if (s->guard)
		core_guard_beat(s->guard);
	urgent_check(&s->urgent);
	if (s->wish->interrupted && *s->wish->interrupted)
		return -EINTR;
	if (s->wish->progress && !s->stopped) {
		s->progress.done_bytes = s->copier.copied_bytes - s->result->copied_bytes;
		s->wish->progress(s->wish->progress_arg, &s->progress);
	}
	return 0;
}

int session_buffer(struct core_session *s, uint64_t bytes)
{
	struct sysinfo si;
	uint64_t limit = BUFFER_MAX;

	if (sysinfo(&si) == 0 && (uint64_t)si.freeram * si.mem_unit / 8 < limit)
		limit = (uint64_t)si.freeram * si.mem_unit / 8;
	bytes = page_up(bytes);
	if (bytes > limit)
		bytes = limit;
	if (bytes < BUFFER_MIN)
		bytes = BUFFER_MIN;
	if (s->copier.buffer && s->copier.size >= bytes)
		return 0;
	struct core_copier c;
	int r = core_copier_init(&c, &s->file, page_up(bytes));

	if (r < 0)
		return note_set(s->note, r, "no memory for a buffer of %llu MiB", (unsigned long long)bytes >> 20);
	c.copied_bytes = s->copier.copied_bytes;
	c.unreadable_bytes = s->copier.unreadable_bytes;
	c.beat = beat;
	c.arg = s;
	core_copier_deinit(&s->copier);
	s->copier = c;
	return core_copier_from(&s->copier, s->process.pid);
}

/* ---- refusals ---- */

static void reason(const struct core_session *s, const struct core_answer *a, const char *doing, char *ret, size_t size)
{
	switch (-a->error) {
	case EBUSY:
		snprintf(ret, size, "thread %d did not stop: it sleeps uninterruptibly (state D)", a->tid);
		break;
	case EPERM:
		snprintf(ret, size, "%s: not permitted; needs CAP_SYS_PTRACE%s", doing,
			 s->process.seccomp ? ", and CAP_SYS_ADMIN to keep its seccomp filter out of it" : "");
		break;
	case EIO:
		snprintf(ret, size, "%s: %s", doing,
			 a->injected < 0 ? strerror((int)-a->injected) : "the call could not be made");
		break;
	case ETIME:
		snprintf(ret, size, "reading did not get on for %d s, so the target was let go",
			 (int)(CORE_GUARD_STALL_NS / NS_PER_S));
		break;
	case ESRCH:
		snprintf(ret, size, "it has ended");
		break;
	case EPIPE:
		snprintf(ret, size, "the guardian was killed");
		break;
	default:
		snprintf(ret, size, "%s: %s", doing, strerror(-a->error));
	}
}

int session_refuse(struct core_session *s, enum core_method m, int error, const struct core_answer *a,
		   const char *doing)
{
	reason(s, a, doing, s->result->why_not[m], CORE_WHY_MAX);
	return error == -ESRCH || error == -EPIPE ? session_fail(s, a, doing) : -EAGAIN;
}

int session_fail(struct core_session *s, const struct core_answer *a, const char *doing)
{
	char why[CORE_WHY_MAX];

	reason(s, a, doing, why, sizeof why);
	return note_set(s->note, a->error, "%d (%s): %s", s->process.pid, s->process.name, why);
}

/* ---- the stop ---- */

static int place_all(struct core_session *s)
{
	int r = 0;

	vec_each(m, &s->map.mapping) {
		enum core_part part = session_part(s, m);

		if (r == 0 && part != CORE_PART_NONE)
			r = core_file_place(&s->file, m->start,
					    part == CORE_PART_HEADER ? m->start + page_size() : m->end);
	}
	return r;
}

static int map_of_now(struct core_session *s)
{
	struct core_map now = { 0 };
	int r = core_process_same(&s->process);

	if (r == 0)
		r = core_map_read(s->process.pid, false, &now);
	if (r < 0)
		return r;
	core_map_inherit(&now, &s->map);
	core_map_deinit(&s->map);
	s->map = now;
	return place_all(s);
}

int session_stop(struct core_session *s)
{
	struct core_answer a;

	if (s->urgent.able)
		urgent_renew(&s->urgent);
	else
		urgent_begin(&s->urgent);
	int r = core_guard_stop(s->guard, &a);

	if (r < 0) {
		urgent_end(&s->urgent);
		return session_fail(s, &a, "stopping it");
	}
	s->stopped = true;
	s->result->threads = 0;
	const struct core_shared *threads = core_guard_threads(s->guard);

	for (uint32_t i = 0; i < threads->nthreads; i++)
		s->result->threads += threads->thread[i].tid != 0;
	r = map_of_now(s);
	if (r == -ESTALE)
		return note_set(s->note, r, "%d: it executed another program meanwhile", s->process.pid);
	return r < 0 ? note_set(s->note, r, "%d: reading its mappings: %s", s->process.pid, strerror(-r)) : 0;
}

int session_resume(struct core_session *s)
{
	struct core_answer a;
	int r = core_guard_resume(s->guard, &a);

	urgent_end(&s->urgent);
	s->stopped = false;
	s->result->pause_ns[CORE_PAUSE_ALL] += a.pause_ns;
	s->result->restarted = core_guard_threads(s->guard)->restarted;
	return r < 0 ? session_fail(s, &a, "letting it go on") : 0;
}

/* ---- pages ---- */

struct taking {
	struct core_copier *copier;
	bool fresh, forced;
};

static int take_run(void *arg, uint64_t start, uint64_t end, unsigned kind)
{
	struct taking *t = arg;

	(void)kind;
	return core_copy(t->copier, start, end, t->fresh, t->forced);
}

/* Holes of shared memory are not touched: reading one would make its pages. */
static int take_shared(const struct core_session *s, const struct core_mapping *m, struct taking *t)
{
	char path[96];
	uint64_t size = m->end - m->start;
	off_t at = (off_t)m->offset, end = (off_t)(m->offset + size);
	int r = 0;

	snprintf(path, sizeof path, "/proc/%d/map_files/%llx-%llx", s->process.pid, (unsigned long long)m->start,
		 (unsigned long long)m->end);
	cleanup(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return core_copy(t->copier, m->start, m->end, t->fresh, t->forced);
	while (r == 0 && at < end) {
		off_t data = lseek(fd, at, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			return 0;
		if (data < 0)
			return core_copy(t->copier, m->start + (uint64_t)(at - (off_t)m->offset), m->end, t->fresh,
					 t->forced);
		hole = lseek(fd, data, SEEK_HOLE);
		hole = hole < 0 || hole > end ? end : (off_t)page_up((uint64_t)hole);
		if (data < end)
			r = core_copy(t->copier, m->start + ((uint64_t)data / page_size() * page_size() - m->offset),
				      m->start + ((uint64_t)hole - m->offset), t->fresh, t->forced);
		at = hole;
	}
	return r;
}

int session_take(struct core_session *s, struct core_pages *pages, const struct core_mapping *m, bool fresh)
{
	struct taking t = { &s->copier, fresh, !(m->flags & CORE_READ) };

	if (session_sparse(m))
		return core_pages_present(pages, m->start, m->end, take_run, &t);
	if (m->flags & CORE_SHARED)
		return take_shared(s, m, &t);
	return core_copy(&s->copier, m->start, m->end, fresh, t.forced);
}
