#include "diagnose/where.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "diagnose/condition.h"
#include "diagnose/where_text.h"
#include "dig/profile/profile.h"
#include "source/memory/meminfo.h"
#include "source/process/process_cgroup.h"

#define PROCESSES_MAX 3
#define RATE_HZ 49

/* Tables of a large program's files and names of its functions take some tens of MiB; a host that is short of memory is
 * not to be made shorter, and a doctor in a small memory cgroup is to live. */
#define MEMORY_WANTED (192ull << 20)

/* One process that is sampled. */
struct followed {
	int pid;
	struct profile *profile; /* NULL: it could not be */
};

struct where {
	struct host *host;
	bool no_bpf;
	struct followed followed[PROCESSES_MAX];
	size_t nfollowed;
};

int where_new(struct host *h, bool no_bpf, struct where **ret)
{
	struct where *w = calloc(1, sizeof *w);

	if (!w)
		return -ENOMEM;
	w->host = h;
	w->no_bpf = no_bpf;
	*ret = w;
	return 0;
}

void where_free(struct where *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->nfollowed; i++)
		profile_free(w->followed[i].profile);
	free(w);
}

/* ---- what it may cost ---- */

/* What the memory cgroups that we are in leave; UINT64_MAX: they have no limit. */
static uint64_t cgroup_room(struct host *h, struct buf *scratch)
{
	cleanup(buf_deinit) struct buf memberships = { 0 };
	process_cgroup_vec groups = { 0 };
	uint64_t room = UINT64_MAX;

	if (host_read(h, "/proc/self/cgroup", &memberships) < 0 ||
	    process_cgroups_read(h, buf_span(&memberships), scratch, &groups) < 0)
		return room;
	vec_each(g, &groups) {
		const struct cgroup *c = &g->group;
		if (g->controller != CGROUP_MEMORY || !reading_ok(c->memory_limit_bytes) || !reading_ok(c->memory_bytes))
			continue;
		uint64_t left = c->memory_limit_bytes > c->memory_bytes ? c->memory_limit_bytes - c->memory_bytes : 0;
		if (left < room)
			room = left;
	}
	vec_free(&groups);
	return room;
}

/* Asked of this machine anew, and past a capture: it is our own affair. */
static bool affordable(void)
{
	cleanup(buf_deinit) struct buf scratch = { 0 };
	struct meminfo memory;
	struct host *h = NULL;
	bool enough;

	if (host_open_live("/", &h, NULL) < 0)
		return false;
	meminfo_read(h, &scratch, &memory);
	enough = reading_ok(memory.available_bytes) &&
		 memory.available_bytes >= MEMORY_WANTED && cgroup_room(h, &scratch) >= MEMORY_WANTED;
	host_free(h);
	return enough;
}

/* ---- whom ---- */

static bool has_process(const struct actor *a)
{
	return a->kind && a->pid > 0;
}

/* Who does it; of a disk or a lock who suffers, where nobody is known to do it. */
static int process_of(const struct finding *f)
{
	if (has_process(&f->culprit))
		return f->culprit.pid;
	return has_process(&f->victim) ? f->victim.pid : 0;
}

static enum where_kind kind_of(const struct finding *f)
{
	const char *resource = f->condition->resource;

	if (f->severity < SEVERITY_RISK || f->absorbed_by >= 0)
		return WHERE_NOTHING;
	if (strcmp(resource, "cpu") == 0)
		return WHERE_CPU;
	if (strcmp(resource, "lock") == 0)
		return WHERE_LOCK;
	return strcmp(resource, "disk") == 0 && !isnan(f->lost_task_s_per_s) ? WHERE_DISK : WHERE_NOTHING;
}

/* ---- sampling ---- */

static struct followed *followed_of(struct where *w, int pid)
{
	for (size_t i = 0; i < w->nfollowed; i++)
		if (w->followed[i].pid == pid)
			return &w->followed[i];
	return NULL;
}

static void follow(struct where *w, int pid)
{
	struct profile_options options = { .pids = &pid, .npids = 1, .rate_hz = RATE_HZ };
	struct followed *f;

	if (followed_of(w, pid) || w->nfollowed == PROCESSES_MAX || !affordable())
		return;
	f = &w->followed[w->nfollowed++];
	f->pid = pid;
	if (profile_start(w->host, &options, &f->profile, NULL) < 0)
		f->profile = NULL;
}

void where_follow(struct where *w, const struct diagnosis *d)
{
	if (!host_is_live(w->host) || w->no_bpf)
		return;
	vec_each(f, &d->findings)
		if (kind_of(f) == WHERE_CPU && process_of(f))
			follow(w, process_of(f));
}

void where_pump(struct where *w)
{
	for (size_t i = 0; i < w->nfollowed; i++)
		if (w->followed[i].profile)
			(void)!profile_pump(w->followed[i].profile, 0);
}

/* ---- telling ---- */

struct asked {
	struct where *where;
	enum where_kind kind;
	int pid;
};

static int fetch_live(struct host *h, const char *key, void *arg, struct buf *ret)
{
	struct asked *a = arg;
	struct followed *f = a->kind == WHERE_CPU ? followed_of(a->where, a->pid) : NULL;

	(void)key;
	if (a->kind != WHERE_CPU)
		return affordable() ? where_waiting_text(h, a->kind, a->pid, a->where->no_bpf, ret) : -ENODATA;
	if (!f || !f->profile)
		return -ENODATA;
	struct call_tree tree;
	struct profile_result result;
	int r = profile_finish(f->profile, &tree, &result);
	profile_free(f->profile);
	f->profile = NULL;
	if (r < 0)
		return r;
	r = where_cpu_text(&tree, result.samples, ret);
	call_tree_deinit(&tree);
	return r;
}

static void add_lines(struct finding *f, struct span text)
{
	struct span line;

	while (f->nwhere < FINDING_MAX_WHERE && span_line(&text, &line))
		span_copy(line, f->where[f->nwhere++], sizeof f->where[0]);
}

/* The finding before `f` that the same is asked for; NULL: none. */
static const struct finding *asked_before(const struct diagnosis *d, const struct finding *f)
{
	for (const struct finding *g = d->findings.v; g < f; g++)
		if (kind_of(g) == kind_of(f) && process_of(g) == process_of(f))
			return g;
	return NULL;
}

void where_tell(struct where *w, struct diagnosis *d)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	size_t told = 0;
	char key[48];

	vec_each(f, &d->findings) {
		struct asked asked = { w, kind_of(f), process_of(f) };
		if (asked.kind == WHERE_NOTHING || !asked.pid)
			continue;
		const struct finding *same = asked_before(d, f);
		if (same) {
			memcpy(f->where, same->where, sizeof f->where);
			f->nwhere = same->nwhere;
			continue;
		}
		snprintf(key, sizeof key, "where:%s:%d", where_kind_name(asked.kind), asked.pid);
		if (told == PROCESSES_MAX || host_fetch(w->host, key, fetch_live, &asked, &text) < 0)
			continue;
		add_lines(f, buf_span(&text));
		told++;
	}
}
