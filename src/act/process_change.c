#include "act/process_change.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/map.h"
#include "lab/file.h"
#include "source/process/task.h"

#define ROUNDS_MAX 100
#define DISTINCT_MAX 4
#define NS_PER_TICK UINT64_C(10000000)

void process_changed_deinit(struct process_changed *c)
{
	buf_deinit(&c->before);
	buf_deinit(&c->after);
}

struct work {
	struct host *h;
	struct change_journal *j;
	const char *command;
	const struct process *p;
	const struct process_attribute *a;
	const char *text;
	VEC(struct change_value) value;
	struct map known; /* by tid */
	tid_vec tids;
	struct process_changed *ret;
	struct note *note;
};

static void work_deinit(struct work *w)
{
	vec_each(v, &w->value)
		free(v->before);
	vec_free(&w->value);
	vec_free(&w->tids);
	map_deinit(&w->known);
}

static int list(struct work *w)
{
	int *place;

	if (w->a->per_thread)
		return process_threads(w->h, w->p->pid, &w->tids);
	w->tids.n = 0;
	place = vec_push(&w->tids);
	if (!place)
		return -ENOMEM;
	*place = w->p->pid;
	return 0;
}

/* The value of one thread before we touch it. -ESRCH: it has ended, which is no failure. */
static int look_at(struct work *w, int tid)
{
	cleanup(buf_deinit) struct buf before = { 0 };
	struct change_value *v;
	struct process thread;
	int r = process_read(w->h, w->p->pid, w->a->per_thread ? tid : 0, &thread);

	if (r == 0)
		r = w->a->read(w->a, w->p->pid, tid, &before, w->note);
	if (r == 0)
		r = map_set(&w->known, (uint64_t)tid, (uint32_t)w->value.n);
	if (r < 0)
		return r;
	v = vec_push(&w->value);
	if (!v)
		return -ENOMEM;
	*v = (struct change_value){ .tid = w->a->per_thread ? tid : 0,
				    .start_ticks = w->a->per_thread ? thread.start_ticks : 0,
				    .before = before.data, .after = (char *)w->text };
	before = (struct buf){ 0 };
	return 0;
}

/* Threads not seen before. Their number, or -errno. */
static int look(struct work *w)
{
	size_t from = w->value.n;
	struct process now;
	int r = process_read(w->h, w->p->pid, 0, &now);

	if (r == 0)
		r = now.start_ticks == w->p->start_ticks ? list(w) : -ESRCH;

	vec_each(tid, &w->tids) {
		if (r < 0)
			break;
		if (map_get(&w->known, (uint64_t)*tid) != MAP_NONE)
			continue;
		r = look_at(w, *tid);
		r = r == -ESRCH ? 0 : r;
	}
	return r < 0 ? r : (int)(w->value.n - from);
}

static bool is_set(const struct change_value *v)
{
	return strcmp(v->before, v->after) == 0;
}

static int write_down(struct work *w, size_t from)
{
	if (w->ret->id)
		return change_more(w->j, w->ret->id, w->value.v + from, w->value.n - from, w->note);
	struct change c = {
		.command = (char *)w->command,
		.kind = CHANGE_PROCESS,
		.pid = w->p->pid,
		.start_ticks = w->p->start_ticks,
		.comm = (char *)w->p->comm,
		.attribute = (char *)w->a->name,
	};

	c.value.v = w->value.v;
	c.value.n = w->value.n;
	return change_begin(w->j, &c, &w->ret->id, w->note);
}

static void apply(struct work *w, const struct change_value *v)
{
	struct note why = { "" };
	struct process now;
	int r;

	if (is_set(v)) {
		w->ret->already++;
		return;
	}
	/* The ids of threads are given anew as pids are. */
	r = process_read(w->h, w->p->pid, v->tid, &now);
	if (r == 0 && now.start_ticks != (v->tid ? v->start_ticks : w->p->start_ticks))
		r = -ESRCH;
	if (r == 0)
		r = w->a->write(w->a, w->p->pid, v->tid ? v->tid : w->p->pid, v->after, &why);
	if (r == 0)
		w->ret->changed++;
	else if (r != -ESRCH && w->ret->failed++ == 0) {
		w->ret->why = why;
		w->ret->error = r;
	}
}

static int round_of(struct work *w)
{
	size_t from = w->value.n;
	bool all_set = true;
	int r = look(w);

	if (r <= 0)
		return r;
	for (size_t i = from; i < w->value.n; i++)
		all_set &= is_set(&w->value.v[i]);
	if (!w->j)
		return 0;
	if (all_set && !w->ret->id) {
		w->ret->already = w->value.n;
		return 1;
	}
	r = write_down(w, from);
	for (size_t i = from; i < w->value.n && r == 0; i++)
		apply(w, &w->value.v[i]);
	return r < 0 ? r : 1;
}

/* "0", or "0 (3 threads), 5 (1 thread)". */
static int summarize(const struct work *w, struct buf *ret)
{
	const char *text[DISTINCT_MAX];
	size_t count[DISTINCT_MAX], n = 0, others = 0;
	int r = 0;

	vec_each(v, &w->value) {
		size_t i = 0;

		while (i < n && strcmp(text[i], v->before) != 0)
			i++;
		if (i == DISTINCT_MAX) {
			others++;
			continue;
		}
		if (i == n) {
			text[n] = v->before;
			count[n++] = 0;
		}
		count[i]++;
	}
	if (n == 1)
		return buf_append(ret, text[0], strlen(text[0]));
	for (size_t i = 0; i < n && r == 0; i++)
		r = buf_printf(ret, "%s%s (%zu thread%s)", i ? ", " : "", text[i], count[i],
			       count[i] == 1 ? "" : "s");
	return r == 0 && others ? buf_printf(ret, ", others (%zu)", others) : r;
}

/* What one of those that were set has now: the kernel keeps to the cpuset, for one. */
static int read_back(struct work *w)
{
	cleanup(buf_deinit) struct buf now = { 0 };

	vec_each(v, &w->value) {
		buf_clear(&now);
		if (is_set(v) || w->a->read(w->a, w->p->pid, v->tid ? v->tid : w->p->pid, &now, NULL) < 0 ||
		    strcmp(now.data, v->before) == 0)
			continue;
		return buf_append(&w->ret->after, now.data, now.n);
	}
	return buf_append(&w->ret->after, w->text, strlen(w->text));
}

static int finish(struct work *w)
{
	int r = summarize(w, &w->ret->before);

	w->ret->threads = w->value.n;
	if (r == 0)
		r = w->j ? read_back(w) : buf_append(&w->ret->after, w->text, strlen(w->text));
	if (r < 0 || !w->ret->id)
		return r;
	if (w->ret->changed == 0) {
		r = change_abort(w->j, w->ret->id, w->note);
		w->ret->id = 0;
		if (r == 0 && w->ret->failed)
			r = note_set(w->note, w->ret->error, "%s", w->ret->why.text);
		return r < 0 ? r : -ESRCH;
	}
	return change_commit(w->j, w->ret->id,
			     strcmp(w->ret->after.data, w->text) ? w->ret->after.data : NULL, w->note);
}

int process_change(struct host *h, struct change_journal *j, const char *command, const struct process *p,
		   const struct process_attribute *a, const char *text, struct process_changed *ret,
		   struct note *note)
{
	struct work w = {
		.h = h, .j = j, .command = command, .p = p, .a = a, .text = text, .ret = ret, .note = note
	};
	int r = 1;

	*ret = (struct process_changed){ 0 };
	for (int i = 0; i < ROUNDS_MAX && r > 0; i++)
		r = round_of(&w);
	if (r == -ESRCH && w.value.n && ret->changed) /* it ended under our hands */
		r = 0;
	if (r >= 0)
		r = w.value.n ? finish(&w) : -ESRCH;
	if (r == 0 && j && !ret->id)
		r = -EALREADY;
	work_deinit(&w);
	return r;
}

int process_attribute_text(struct host *h, const struct process *p, const struct process_attribute *a,
			   struct buf *ret, struct note *note)
{
	struct process_changed changed;
	int r = process_change(h, NULL, "", p, a, "", &changed, note);

	if (r == 0)
		r = buf_append(ret, changed.before.data, changed.before.n);
	process_changed_deinit(&changed);
	return r;
}

/* ---- undoing ---- */

static int start_of(int pid, int tid, uint64_t *ret)
{
	char path[64], text[2048];
	struct task task;
	ssize_t n;
	int r;

	if (tid)
		snprintf(path, sizeof path, "/proc/%d/task/%d/stat", pid, tid);
	else
		snprintf(path, sizeof path, "/proc/%d/stat", pid);
	n = file_read(path, text, sizeof text);
	if (n < 0)
		return n == -ENOENT ? -ESRCH : (int)n;
	task_missing(READING_ABSENT, &task);
	r = task_stat_parse((struct span){ text, (size_t)n }, &task);
	if (r == 0)
		*ret = task.start_ns / NS_PER_TICK;
	return r;
}

static int check_same(const struct change *c, const struct change_value *v, struct note *note)
{
	uint64_t start = 0;
	int r = start_of(c->pid, 0, &start);

	if (r == -ESRCH)
		return note_set(note, r, "%d (%s) has ended", c->pid, c->comm);
	if (r == 0 && start != c->start_ticks)
		return note_set(note, -ESRCH, "%d (%s) has ended, and its pid is another process's now",
				c->pid, c->comm);
	if (r == 0 && v->tid) {
		r = start_of(c->pid, v->tid, &start);
		if (r == -ESRCH || (r == 0 && start != v->start_ticks))
			return note_set(note, -ESRCH, "thread %d of %d (%s) has ended", v->tid, c->pid, c->comm);
	}
	return r < 0 ? note_set(note, r, "/proc/%d/stat: %s", c->pid, strerror(-r)) : 0;
}

static int access_read(const struct change *c, const struct change_value *v, struct buf *ret, struct note *note)
{
	const struct process_attribute *a = attribute_find(c->attribute);
	int r = a ? check_same(c, v, note) : note_set(note, -EOPNOTSUPP, "this osprey knows no %s", c->attribute);

	return r < 0 ? r : a->read(a, c->pid, v->tid ? v->tid : c->pid, ret, note);
}

static int access_write(const struct change *c, const struct change_value *v, const char *text, struct note *note)
{
	const struct process_attribute *a = attribute_find(c->attribute);
	int r = a ? check_same(c, v, note) : note_set(note, -EOPNOTSUPP, "this osprey knows no %s", c->attribute);

	return r < 0 ? r : a->write(a, c->pid, v->tid ? v->tid : c->pid, text, note);
}

const struct change_access process_change_access = { .read = access_read, .write = access_write };

static bool knows(const struct change *c, int tid)
{
	vec_each(v, &c->value) {
		uint64_t start;

		if (v->tid == tid)
			return start_of(c->pid, tid, &start) < 0 || start == v->start_ticks;
	}
	return false;
}

static int adopt(const struct process_attribute *a, const struct change *c, int tid, struct change_journal *j,
		 struct note *note)
{
	cleanup(buf_deinit) struct buf now = { 0 };
	struct change_value v = { .tid = tid, .before = c->value.v[0].before, .after = c->value.v[0].after };

	if (start_of(c->pid, tid, &v.start_ticks) < 0 || a->read(a, c->pid, tid, &now, NULL) < 0 ||
	    strcmp(now.data, v.after) != 0)
		return 0;
	return change_more(j, c->id, &v, 1, note);
}

int process_change_adopt(struct host *h, struct change_journal *j, const struct change *c, struct note *note)
{
	const struct process_attribute *a = attribute_find(c->attribute);
	tid_vec tids = { 0 };
	uint64_t start;
	int r = 0;

	if (!a || !a->per_thread || !change_is_open(c) || start_of(c->pid, 0, &start) < 0 ||
	    start != c->start_ticks)
		return 0;
	if (process_threads(h, c->pid, &tids) == 0) {
		vec_each(tid, &tids) {
			if (r == 0 && !knows(c, *tid))
				r = adopt(a, c, *tid, j, note);
		}
	}
	vec_free(&tids);
	return r;
}
