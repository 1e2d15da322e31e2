#include <stdio.h>

#include "base/units.h"
#include "report/lock.h"
#include "report/stack.h"

#define PLACES_SHOWN 3
#define WAITERS_SHOWN 12

static const struct thread_stack *thread_of(const struct lock_report *report, int tid)
{
	vec_each(t, &report->stacks->threads)
		if (t->tid == tid)
			return t;
	return NULL;
}

static void put_lock_name(struct page *p, enum lock_kind kind, uint64_t address)
{
	page_wrap(p, 4, "%s 0x%llx", lock_kind_word(kind), (unsigned long long)address);
}

static void put_frames(struct page *p, const struct lock_report *report, const struct thread_stack *t, unsigned indent)
{
	struct stack_report frames = { .stacks = report->stacks, .symbolizer = report->symbolizer, .no_kernel = true };

	stack_frames_text(p, &frames, t, indent);
}

static struct units_text seconds(uint64_t ns)
{
	return duration_text((double)ns / 1e9);
}

/* ---- deadlocks ---- */

static void put_cycle(struct page *p, const struct lock_report *report, const struct lock_cycle_of_threads *c)
{
	page_tone(p, TONE_RED);
	if (c->n == 1)
		page_wrap(p, 2, "DEADLOCK: a thread waits for a lock that it holds itself.");
	else
		page_wrap(p, 2, "DEADLOCK: %zu threads wait for each other; none of them will go on.", c->n);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
	for (size_t i = 0; i < c->n; i++) {
		const struct thread_stack *t = &report->stacks->threads.v[c->thread[i]];
		const struct lock *l = &report->now->locks.v[c->lock[i]];
		const struct thread_stack *owner = thread_of(report, l->owner_tid);
		page_indent(p, 2);
		page_tone(p, TONE_STRONG);
		page_put(p, "%d (%s)", t->tid, t->comm);
		page_tone(p, TONE_PLAIN);
		page_wrap(p, 4, "waits for");
		put_lock_name(p, l->kind, l->address);
		page_wrap(p, 4, l->kind == LOCK_JOIN ? "%d (%s)" : "held by %d (%s)", l->owner_tid, owner ? owner->comm : "?");
		page_newline(p);
		put_frames(p, report, t, 4);
	}
	page_newline(p);
}

/* ---- now ---- */

static void put_holder(struct page *p, const struct lock_report *report, const struct lock *l)
{
	const struct thread_stack *owner = thread_of(report, l->owner_tid);

	if (l->kind == LOCK_JOIN && owner)
		page_wrap(p, 4, "%d (%s)", owner->tid, owner->comm);
	else if (owner)
		page_wrap(p, 4, "held by %d (%s)%s", owner->tid, owner->comm, l->kind == LOCK_RWLOCK ? " for writing" : "");
	else if (l->readers)
		page_wrap(p, 4, "held by %u reader%s", l->readers, l->readers == 1 ? "" : "s");
}

static void put_waiters(struct page *p, const struct lock_report *report, const struct lock *l)
{
	page_indent(p, 4);
	page_wrap(p, 6, "%zu wait%s:", l->nwaiters, l->nwaiters == 1 ? "s" : "");
	for (size_t i = 0; i < l->nwaiters && i < WAITERS_SHOWN; i++) {
		const struct thread_stack *t = &report->stacks->threads.v[l->waiter[i]];
		page_wrap(p, 6, "%d (%s)%s", t->tid, t->comm, i + 1 < l->nwaiters ? "," : "");
	}
	if (l->nwaiters > WAITERS_SHOWN)
		page_wrap(p, 6, "and %zu more", l->nwaiters - WAITERS_SHOWN);
	page_newline(p);
}

static void put_lock_now(struct page *p, const struct lock_report *report, const struct lock *l)
{
	const struct thread_stack *owner = thread_of(report, l->owner_tid);

	page_indent(p, 2);
	page_tone(p, TONE_STRONG);
	put_lock_name(p, l->kind, l->address);
	page_tone(p, TONE_PLAIN);
	put_holder(p, report, l);
	page_newline(p);
	put_waiters(p, report, l);
	if (!owner || !lock_kind_contends(l->kind))
		return;
	page_indent(p, 4);
	page_put(p, "its holder stands in");
	page_newline(p);
	put_frames(p, report, owner, 4);
}

static size_t contended(const struct lock_report *report)
{
	size_t n = 0;

	vec_each(l, &report->now->locks)
		n += lock_kind_contends(l->kind);
	return n;
}

static void put_now(struct page *p, const struct lock_report *report)
{
	size_t shown = 0, locks = contended(report), others = report->now->locks.n - locks;

	if (locks == 0)
		page_wrap(p, 0, "No thread waits for a lock at this moment.");
	else
		page_wrap(p, 0, "At this moment %zu thread%s for %zu lock%s%s", report->now->waiting,
			  report->now->waiting == 1 ? " waits" : "s wait", locks, locks == 1 ? "" : "s",
			  report->now->cycles.n ? ", those of the deadlock among them." : ":");
	page_newline(p);
	for (size_t i = 0; i < locks && shown < report->most; i++, shown++)
		if (!lock_in_cycle(report->now, report->now->locks.v[i].address))
			put_lock_now(p, report, &report->now->locks.v[i]);
	if (locks > shown) {
		page_indent(p, 2);
		page_put(p, "and %zu more", locks - shown);
		page_newline(p);
	}
	if (others) {
		page_tone(p, TONE_DIM);
		page_wrap(p, 2, "Other threads wait for one another on purpose: %zu condition%s, semaphores, ends of threads and "
			  "futexes of an unknown kind.", others, others == 1 ? "" : "s");
		page_tone(p, TONE_PLAIN);
		page_newline(p);
	}
	page_newline(p);
}

/* ---- the window ---- */

static void put_wait_time(struct page *p, const struct lock_watch_result *w, const struct watched_lock *l)
{
	if (l->waits)
		page_wrap(p, 4, "%llu waits took %s, the longest %s", (unsigned long long)l->waits, seconds(l->wait_ns).text,
			  seconds(l->longest_ns).text);
	else
		page_wrap(p, 4, "waits that go on, about %s",
			  seconds((uint64_t)((double)l->looks / (double)w->looks * (double)w->window_ns)).text);
}

static void put_owners(struct page *p, const struct lock_report *report, const struct watched_lock *l)
{
	uint64_t all = 0;

	vec_each(o, &l->owners)
		all += o->looks;
	if (!all)
		return;
	page_indent(p, 4);
	page_wrap(p, 6, "held by");
	for (size_t i = 0; i < l->owners.n && i < PLACES_SHOWN; i++) {
		const struct thread_stack *t = thread_of(report, l->owners.v[i].tid);
		page_wrap(p, 6, "%d (%s) %.0f%%%s", l->owners.v[i].tid, t ? t->comm : "?", 100 * (double)l->owners.v[i].looks / (double)all,
			  i + 1 < l->owners.n && i + 1 < PLACES_SHOWN ? "," : "");
	}
	page_newline(p);
}

static void put_watched(struct page *p, const struct lock_report *report, const struct watched_lock *l)
{
	page_indent(p, 2);
	page_tone(p, TONE_STRONG);
	put_lock_name(p, l->kind, l->address);
	page_tone(p, TONE_PLAIN);
	put_wait_time(p, report->window, l);
	page_newline(p);
	put_owners(p, report, l);
	for (size_t i = 0; i < l->places.n && i < PLACES_SHOWN; i++) {
		const struct lock_place *place = &l->places.v[i];
		if (!place->stack.nframes)
			continue;
		page_indent(p, 4);
		page_wrap(p, 6, "%.0f%% waited in", 100 * (double)place->looks / (double)l->looks);
		page_newline(p);
		put_frames(p, report, &place->stack, 4);
	}
}

static void put_window(struct page *p, const struct lock_report *report)
{
	const struct lock_watch_result *w = report->window;
	uint64_t wait_ns = 0;
	size_t shown = 0;

	vec_each(l, &w->locks)
		wait_ns += lock_kind_contends(l->kind) ? l->wait_ns : 0;
	page_wrap(p, 0, "Over %s threads waited %s for locks that they take in turns.", seconds(w->window_ns).text,
		  wait_ns ? seconds(wait_ns).text : "no time");
	if (report->ended)
		page_wrap(p, 0, "Then the process ended, or ran another program.");
	page_newline(p);
	vec_each(l, &w->locks) {
		if (!lock_kind_contends(l->kind) || (!l->waits && !l->looks) || shown == report->most ||
		    (!l->waits && lock_in_cycle(report->now, l->address)))
			continue;
		put_watched(p, report, l);
		shown++;
	}
	page_tone(p, TONE_DIM);
	page_wrap(p, 2, "%llu looks at the threads, which took %s of CPU and stopped nobody.", (unsigned long long)w->looks,
		  seconds(w->look_cost_ns).text);
	if (w->lost)
		page_wrap(p, 2, "%llu waits are not told: too many locks.", (unsigned long long)w->lost);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

void lock_text(struct page *p, const struct lock_report *report)
{
	vec_each(c, &report->now->cycles)
		put_cycle(p, report, c);
	put_now(p, report);
	if (report->window)
		put_window(p, report);
	else if (report->why_no_window)
		page_wrap(p, 0, "Not measurable: contention over a time; %s.", report->why_no_window);
	if (report->why_no_window && !report->window)
		page_newline(p);
}
