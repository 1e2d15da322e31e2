#include "act/process_select.h"

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/closest.h"
#include "source/process/task.h"

#define NS_PER_TICK UINT64_C(10000000)
#define COMM_MAX 15
#define TIMEOUT_MS 200

void process_selection_deinit(struct process_selection *s)
{
	vec_free(&s->process);
	vec_free(&s->missing);
	vec_free(&s->kin);
}

/* ---- /proc ---- */

int process_read(struct host *h, int pid, int tid, struct process *ret)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	char path[64];
	struct task task;
	int r;

	if (tid)
		snprintf(path, sizeof path, "/proc/%d/task/%d/stat", pid, tid);
	else
		snprintf(path, sizeof path, "/proc/%d/stat", pid);
	task_missing(READING_ABSENT, &task);
	r = host_read(h, path, &text);
	if (r == 0)
		r = task_stat_parse(buf_span(&text), &task);
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	*ret = (struct process){
		.pid = pid, .ppid = task.ppid, .start_ticks = task.start_ns / NS_PER_TICK, .state = task.state,
		.is_kernel_thread = task.flags & TASK_IS_KERNEL_THREAD,
	};
	memcpy(ret->comm, task.comm, sizeof ret->comm);
	return 0;
}

static int list_numbers(struct host *h, const char *path, tid_vec *ret)
{
	cleanup(buf_deinit) struct buf names = { 0 };
	struct span rest, line;
	int r = host_list(h, path, &names);

	ret->n = 0;
	rest = buf_span(&names);
	while (r == 0 && span_line(&rest, &line)) {
		uint64_t number;
		int *place;

		if (!span_u64(line, &number) || number == 0 || number > INT32_MAX)
			continue;
		place = vec_push(ret);
		if (!place)
			return -ENOMEM;
		*place = (int)number;
	}
	return r;
}

int process_threads(struct host *h, int pid, tid_vec *ret)
{
	char path[32];
	int r;

	snprintf(path, sizeof path, "/proc/%d/task", pid);
	r = list_numbers(h, path, ret);
	return r == -ENOENT || (r == 0 && ret->n == 0) ? -ESRCH : r;
}

static int scan(struct host *h, process_vec *ret)
{
	tid_vec pids = { 0 };
	int r = list_numbers(h, "/proc", &pids);

	vec_each(pid, &pids) {
		struct process p, *place;

		if (r < 0 || process_read(h, *pid, 0, &p) < 0)
			continue;
		place = vec_push(ret);
		if (!place)
			r = -ENOMEM;
		else
			*place = p;
	}
	vec_free(&pids);
	return r;
}

static const struct process *find(const process_vec *v, int pid)
{
	vec_each(p, v) {
		if (p->pid == pid)
			return p;
	}
	return NULL;
}

int process_vec_add(process_vec *v, const struct process *p)
{
	struct process *place;

	if (find(v, p->pid))
		return 0;
	place = vec_push(v);
	if (!place)
		return -ENOMEM;
	*place = *p;
	return 0;
}

/* Our pids are those of this /proc only when it calls us as we call ourselves. */
static int check_namespace(struct host *h, struct note *note)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	uint64_t pid;
	int r = host_readlink(h, "/proc/self", &text);

	if (r < 0)
		return note_set(note, r, "/proc/self: %s; is /proc mounted?", strerror(-r));
	if (!span_u64(span_trim(buf_span(&text)), &pid) || pid != (uint64_t)getpid())
		return note_set(note, -EXDEV, "/proc shows the processes of another pid namespace: its pids are "
			"others here; mount it anew (unshare --mount-proc does)");
	return 0;
}

/* ---- users ---- */

static int uid_of(struct host *h, const char *user, uint32_t *ret, struct note *note)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct span rest, line, name, password, uid;
	uint64_t number;

	if (span_u64(span_from(user), &number) && number < UINT32_MAX) {
		*ret = (uint32_t)number;
		return 0;
	}
	if (host_read(h, "/etc/passwd", &text) < 0)
		buf_clear(&text);
	rest = buf_span(&text);
	while (span_line(&rest, &line)) {
		if (span_until(&line, ':', &name) && span_is(name, user) && span_until(&line, ':', &password) &&
		    span_until(&line, ':', &uid) && span_u64(uid, &number) && number < UINT32_MAX) {
			*ret = (uint32_t)number;
			return 0;
		}
	}
	return note_set(note, -EINVAL, "no user '%s' in /etc/passwd; a uid will do as well", user);
}

static bool runs_as(struct host *h, int pid, uint32_t uid)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct task task;
	char path[32];

	snprintf(path, sizeof path, "/proc/%d/status", pid);
	task_missing(READING_ABSENT, &task);
	if (host_read(h, path, &text) < 0)
		return false;
	task_status_parse(buf_span(&text), &task);
	return task.uid == uid;
}

/* ---- operands ---- */

struct selecting {
	struct host *h;
	const struct process_wish *wish;
	struct process_selection *ret;
	process_vec all; /* as scanned; empty until a name is looked for */
	bool scanned, has_user;
	uint32_t uid;
	struct buf line;
};

static bool is_kin(const struct selecting *s, int pid)
{
	const struct process *p = find(&s->all, getpid());

	for (int i = 0; p && !s->wish->kin && i < 1000; i++, p = find(&s->all, p->ppid)) {
		if (p->pid == pid)
			return true;
	}
	return false;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Arguments with NULs between them. Where no thread can be had to wait in, for the pid table is full, it
 * is read all the same: that is when processes are to be found by what they do. It may hang then, until
 * Ctrl-C, on a process whose memory map is held. */
static int read_arguments(struct selecting *s, int pid)
{
	char path[32];
	int r;

	snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
	r = host_read_bounded(s->h, path, TIMEOUT_MS, &s->line);
	return r == -EAGAIN || r == -EBUSY ? host_read(s->h, path, &s->line) : r;
}

static bool has_name(struct selecting *s, const struct process *p, const char *name)
{
	if (strlen(name) <= COMM_MAX)
		return strcmp(p->comm, name) == 0;
	return strncmp(p->comm, name, COMM_MAX) == 0 && read_arguments(s, p->pid) == 0 && s->line.n &&
	       strcmp(base_name(s->line.data), name) == 0;
}

static bool has_match(struct selecting *s, const struct process *p, const regex_t *expression)
{
	if (p->is_kernel_thread || read_arguments(s, p->pid) < 0)
		return false;
	while (s->line.n && s->line.data[s->line.n - 1] == '\0')
		s->line.n--;
	for (size_t i = 0; i < s->line.n; i++)
		s->line.data[i] = s->line.data[i] ? s->line.data[i] : ' ';
	/* A program that cleared its arguments has its name. */
	return regexec(expression, s->line.n ? s->line.data : p->comm, 0, NULL, 0) == 0;
}

static int scan_once(struct selecting *s, struct note *note)
{
	int r = s->scanned ? 0 : scan(s->h, &s->all);

	s->scanned = true;
	return r < 0 ? note_set(note, r, "/proc: %s", strerror(-r)) : 0;
}

/* What `name` or `expression` hits (neither: everything of the user). The number, or -errno. */
static int take_hits(struct selecting *s, const char *name, const regex_t *expression)
{
	int hits = 0;

	vec_each(p, &s->all) {
		bool hit = name ? has_name(s, p, name) : !expression || has_match(s, p, expression);

		if (!hit || p->state == 'Z' || (s->has_user && !runs_as(s->h, p->pid, s->uid)))
			continue;
		if (p->pid == getpid())
			continue;
		if (process_vec_add(is_kin(s, p->pid) ? &s->ret->kin : &s->ret->process, p) < 0)
			return -ENOMEM;
		hits += !is_kin(s, p->pid);
	}
	return hits;
}

static int no_hit(struct selecting *s, const char *operand, struct note *note)
{
	struct closest c = { 0 };

	if (s->ret->kin.n)
		return note_set(note, -ESRCH,
				"'%s' is only this osprey's own ancestor %d (%s), which is left alone; "
				"name its pid to mean it",
				operand, s->ret->kin.v[0].pid, s->ret->kin.v[0].comm);
	if (s->wish->match)
		return note_set(note, -ESRCH, "no command line%s has '%s' in it",
				s->has_user ? " of that user" : "", operand);
	vec_each(p, &s->all) {
		if (!p->is_kernel_thread)
			closest_offer(&c, operand, p->comm);
	}
	return note_set(note, -ESRCH, "no process%s is named '%s'%s%s; --match looks in command lines",
			s->has_user ? " of that user" : "", operand, c.word ? ", closest: " : "",
			c.word ? c.word : "");
}

/* /proc shows a thread under its own number too, but lists it not. 0: it is a process, or nobody knows. */
static int thread_of(struct host *h, int pid)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct task task = { .pid = pid };
	char path[32];

	snprintf(path, sizeof path, "/proc/%d/status", pid);
	if (host_read(h, path, &text) < 0)
		return 0;
	task_status_parse(buf_span(&text), &task);
	return task.pid == pid ? 0 : task.pid;
}

static int take_pid(struct selecting *s, int pid, struct note *note)
{
	struct process p;
	int r = process_read(s->h, pid, 0, &p);

	if (pid == getpid())
		return note_set(note, -EPERM, "%d is this osprey itself", pid);
	if (r == -ESRCH) {
		int *place = vec_push(&s->ret->missing);

		if (!place)
			return -ENOMEM;
		*place = pid;
		return 0;
	}
	if (r < 0)
		return note_set(note, r, "/proc/%d/stat: %s", pid, strerror(-r));
	r = thread_of(s->h, pid);
	if (r)
		return note_set(note, -EINVAL, "%d (%s) is a thread of process %d: name that", pid, p.comm, r);
	return process_vec_add(&s->ret->process, &p);
}

/* 1: it hits several. */
static int take_name(struct selecting *s, const char *operand, struct note *note)
{
	regex_t expression;
	char why[128];
	int hits, r = scan_once(s, note);

	if (r < 0)
		return r;
	if (s->wish->match) {
		r = regcomp(&expression, operand, REG_EXTENDED | REG_NOSUB);
		if (r) {
			regerror(r, &expression, why, sizeof why);
			return note_set(note, -EINVAL, "'%s' is no extended regular expression: %s", operand,
					why);
		}
		hits = take_hits(s, NULL, &expression);
		regfree(&expression);
	} else
		hits = take_hits(s, operand, NULL);
	if (hits < 0)
		return note_set(note, hits, "%s", strerror(-hits));
	return hits == 0 ? no_hit(s, operand, note) : hits > 1;
}

static int take_operand(struct selecting *s, const char *operand, struct note *note)
{
	uint64_t pid;

	if (operand[0] == '\0')
		return note_set(note, -EINVAL, "an empty word names no process");
	if (s->wish->match || !span_u64(span_from(operand), &pid))
		return take_name(s, operand, note);
	if (pid == 0 || pid > INT32_MAX)
		return note_set(note, -EINVAL, "%s is no pid", operand);
	return take_pid(s, (int)pid, note);
}

static int take_user(struct selecting *s, struct note *note)
{
	int hits, r = scan_once(s, note);

	if (r < 0)
		return r;
	hits = take_hits(s, NULL, NULL);
	if (hits < 0)
		return note_set(note, hits, "%s", strerror(-hits));
	return hits == 0 ? note_set(note, -ESRCH, "no process runs as %s", s->wish->user) : hits > 1;
}

static int check_protected(const struct selecting *s, struct note *note)
{
	vec_each(p, &s->ret->process) {
		if (s->wish->force)
			break;
		if (p->pid == 1)
			return note_set(
				note, -EPERM,
				"1 (%s) is the first process, all others depend on it; --force means it "
				"all the same",
				p->comm);
		if (p->is_kernel_thread)
			return note_set(note, -EPERM,
					"%d (%s) is a thread of the kernel; --force means it all the same",
					p->pid, p->comm);
	}
	return 0;
}

static int by_pid(const void *a, const void *b)
{
	const struct process *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static int select_all(struct selecting *s, struct note *note)
{
	const struct process_wish *w = s->wish;
	int r = 0, several = 0;

	if (w->user) {
		r = uid_of(s->h, w->user, &s->uid, note);
		s->has_user = true;
	}
	for (size_t i = 0; i < w->noperands && r >= 0; i++) {
		r = take_operand(s, w->operand[i], note);
		several |= r > 0;
	}
	if (r >= 0 && w->noperands == 0) {
		r = w->user ? take_user(s, note) : note_set(note, -EINVAL, "name a process: its pid or its name");
		several |= r > 0;
	}
	if (r >= 0)
		r = check_protected(s, note);
	if (s->ret->process.n)
		qsort(s->ret->process.v, s->ret->process.n, sizeof *s->ret->process.v, by_pid);
	return r < 0 ? r : several && !w->all ? -ENOTUNIQ : 0;
}

int process_select(struct host *h, const struct process_wish *wish, struct process_selection *ret,
		   struct note *note)
{
	struct selecting s = { .h = h, .wish = wish, .ret = ret };
	int r;

	*ret = (struct process_selection){ 0 };
	r = check_namespace(h, note);
	if (r == 0)
		r = select_all(&s, note);
	vec_free(&s.all);
	buf_deinit(&s.line);
	return r;
}

/* ---- trees ---- */

int process_add_descendants(struct host *h, process_vec *v)
{
	process_vec all = { 0 };
	size_t before = v->n, round;
	int r = scan(h, &all);

	do {
		round = v->n;
		vec_each(p, &all) {
			const struct process *parent = find(v, p->ppid);

			/* A parent is not younger than its child: else its pid went to another. */
			if (r < 0 || !parent || p->pid == getpid() || p->state == 'Z' ||
			    parent->start_ticks > p->start_ticks)
				continue;
			r = process_vec_add(v, p);
		}
	} while (r == 0 && v->n > round);
	vec_free(&all);
	return r < 0 ? r : (int)(v->n - before);
}
