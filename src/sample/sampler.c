#include "sample/sampler.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/urgent.h"
#include "sample/task_history.h"

struct sampler {
	struct host *host;
	struct urgent urgent;
	struct buf scratch;
	struct topology topology;
	struct abilities abilities;

	struct task_reader *tasks;
	struct socket_reader *sockets;
	struct cgroup_reader *cgroups;
	struct filesystem_reader *filesystems;
	struct kernel_log *log;
	struct fork_watch *forks;

	struct counters ticks[WINDOW_MAX_TICKS];
	size_t nticks;
	size_t stride;		/* every how many-th tick is kept */
	size_t since_kept;	/* ticks since the last kept one */
	struct counters latest; /* the tick now, kept or not */

	struct sample first, last;
	struct task_history history;
	kernel_event_vec events;
	fork_count_vec fork_counts;
	deleted_file_vec deleted;
	uint64_t next_look_ns;
	bool looked, deleted_searched;
};

static void read_counters(struct sampler *s, struct counters *c)
{
	c->at = host_time(s->host);
	/* Without the per-CPU lines it cannot run out of memory. */
	(void)!cpu_stat_read(s->host, &s->scratch, &c->cpu, NULL);
	loadavg_read(s->host, &s->scratch, &c->load);
	psi_read(s->host, &s->scratch, &c->psi);
	vmstat_read(s->host, &s->scratch, &c->vmstat);
	meminfo_read(s->host, &s->scratch, &c->memory);
}

/* A long window keeps every second, then every fourth tick…: the first and the newest always
 * stay. */
static void thin_ticks(struct sampler *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->nticks; i += 2)
		s->ticks[kept++] = s->ticks[i];
	s->nticks = kept;
	s->stride *= 2;
}

static void keep_tick(struct sampler *s)
{
	read_counters(s, &s->latest);
	fork_watch_tick(s->forks, s->latest.load.last_pid);
	if (s->nticks && ++s->since_kept < s->stride)
		return;
	s->since_kept = 0;
	/* One place stays free for the newest tick of a window (sampler_window). */
	if (s->nticks == WINDOW_MAX_TICKS - 1)
		thin_ticks(s);
	s->ticks[s->nticks++] = s->latest;
}

/* Processes stand for the namespaces they are in; ours is [0]. */
static struct net_ns *net_ns_slot(struct sample *now, uint64_t inode, int32_t pid)
{
	for (size_t i = 0; i < now->nnet_ns; i++)
		if (now->net_ns[i].inode == inode)
			return NULL;
	if (now->nnet_ns == SAMPLE_MAX_NET_NS) {
		now->net_ns_left_out++;
		return NULL;
	}
	struct net_ns *ns = &now->net_ns[now->nnet_ns++];
	ns->inode = inode;
	ns->pid = pid;
	return ns;
}

static uint64_t own_net_ns(struct sampler *s)
{
	struct span link, number = { 0 };
	uint64_t inode = 0;

	if (host_readlink(s->host, "/proc/self/ns/net", &s->scratch) < 0)
		return 0;
	link = buf_span(&s->scratch); /* "net:[4026531840]" */
	if (span_until(&link, '[', &number) && span_until(&link, ']', &number))
		span_u64(number, &inode);
	return inode;
}

static int read_net_ns(struct sampler *s, struct net_ns *ns)
{
	int r;

	net_counters_read(s->host, ns->pid, &s->scratch, &ns->counters);
	r = interfaces_read(s->host, ns->pid, &s->scratch, &ns->interfaces, &ns->interfaces_presence);
	if (r == 0)
		r = sockets_read(s->sockets, ns->inode, ns->pid, &ns->sockets, &ns->sockets_skipped,
				 &ns->sockets_presence);
	return r;
}

static int read_network(struct sampler *s, struct sample *now)
{
	now->nnet_ns = now->net_ns_left_out = 0;
	net_ns_slot(now, own_net_ns(s), 0);
	vec_each(t, &s->history.spans)
		if (!t->gone && t->last.net_ns && (t->last.flags & TASK_IS_LEADER))
			net_ns_slot(now, t->last.net_ns, t->last.pid);
	for (size_t i = 0; i < now->nnet_ns; i++) {
		int r = read_net_ns(s, &now->net_ns[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Without the table of mounts there are no filesystems, and the rest goes on. */
static int read_filesystems(struct sampler *s, struct sample *now)
{
	int r = filesystems_read(s->filesystems, &now->filesystems);

	if (r < 0)
		now->filesystems.n = 0;
	return r == -ENOMEM ? r : 0;
}

/* Everything of a look but the tasks, which go first: they tell the namespaces. */
/* Interrupts by line and CPU are megabytes on a large host, so they are read at both ends of a window. */
static int read_interrupts(struct sampler *s, bool at_an_end, struct sample *now)
{
	struct host *h = s->host;
	struct buf *b = &s->scratch;
	int r;

	now->interrupts.n = now->softirqs.n = 0;
	now->interrupts_presence = now->softirqs_presence = UNREAD;
	if (!at_an_end)
		return 0;
	r = interrupts_read(h, "/proc/interrupts", b, &now->interrupts, &now->interrupts_presence);
	return r < 0 ? r : interrupts_read(h, "/proc/softirqs", b, &now->softirqs, &now->softirqs_presence);
}

static int read_sample(struct sampler *s, bool at_an_end, struct sample *now)
{
	struct cpu_stat totals;
	struct host *h = s->host;
	struct buf *b = &s->scratch;
	int r;

	now->at = host_time(h);
	file_nr_read(h, b, &now->file_nr);
	if ((r = cpu_stat_read(h, b, &totals, &now->cpus)) < 0 ||
	    (r = read_interrupts(s, at_an_end, now)) < 0 ||
	    (r = softnet_read(h, b, &now->softnet, &now->softnet_presence)) < 0 ||
	    (r = disks_read(h, b, &now->disks, &now->disks_presence)) < 0 ||
	    (r = cgroups_read(s->cgroups, &now->cgroups, &now->cgroups_truncated)) < 0 ||
	    (r = read_network(s, now)) < 0)
		return r;
	return 0;
}

/* A table that cannot be read at all (no /proc) is told, not fatal: counters may do. */
static int look_at_tasks(struct sampler *s)
{
	int r = task_history_look(&s->history, s->host, s->tasks);

	/* We are a task: a table without any is an empty directory in the place of /proc. */
	s->abilities.tasks = r == 0 && s->history.spans.n == 0 ? ABSENT : presence_from_errno(r);
	return r == -ENOMEM ? r : 0;
}

static int take_look(struct sampler *s, bool at_an_end, struct sample *now)
{
	int r = look_at_tasks(s);

	if (r == 0)
		r = read_sample(s, at_an_end, now);
	if (r == 0)
		r = kernel_log_read(s->log, &s->events);
	s->looked = r == 0;
	do /* looks that were missed are not made up for: a host that stalls has no time for them */
		s->next_look_ns += SAMPLER_LOOK_NS;
	while (s->next_look_ns <= host_time(s->host).mono_ns);
	return r;
}

static int live_euid(struct host *h, const char *key, void *unused, struct buf *ret)
{
	(void)h;
	(void)key;
	(void)unused;
	return buf_printf(ret, "%u\n", (unsigned)geteuid());
}

/* Who looked, not who replays: the same words were denied to both. */
static bool watched_by_root(struct sampler *s)
{
	uint64_t uid;

	return host_fetch(s->host, "euid", live_euid, NULL, &s->scratch) == 0 &&
	       span_u64(span_trim(buf_span(&s->scratch)), &uid) && uid == 0;
}

/* Every pid namespace has a process 1, and hidepid shows an ordinary user its own alone. */
static bool processes_hidden(const struct sampler *s)
{
	vec_each(t, &s->history.spans)
		if (t->last.pid == 1)
			return false;
	return s->abilities.tasks == PRESENT && !s->abilities.root;
}

static int open_readers(struct sampler *s, const struct sampler_options *options)
{
	struct host *h = s->host;
	bool proc_only = options && options->no_bpf;
	int r = proc_only ? task_reader_new_of_kind(h, TASK_READER_PROC, &s->tasks, NULL) :
			    task_reader_new(h, &s->tasks, &s->abilities.bpf_note);

	if (r < 0 || (r = socket_reader_new(h, &s->sockets)) < 0 ||
	    (r = cgroup_reader_new(h, &s->cgroups)) < 0 ||
	    (r = filesystem_reader_new(h, &s->filesystems)) < 0 ||
	    (r = kernel_log_new(h, &s->log, &s->abilities.kernel_log)) < 0 ||
	    (r = fork_watch_new(h, &s->forks, NULL)) < 0)
		return r;
	if (proc_only)
		note_set(&s->abilities.bpf_note, 0, "switched off");
	s->abilities.bpf_tasks = task_reader_kind(s->tasks) == TASK_READER_BPF;
	s->abilities.forks_exact = fork_watch_exact(s->forks);
	return 0;
}

int sampler_new(struct host *h, const struct sampler_options *options, struct sampler **ret,
		struct note *note)
{
	struct sampler *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return note_set(note, -ENOMEM, "out of memory");
	s->host = h;
	s->stride = 1;
	if (host_is_live(h)) {
		urgent_begin(&s->urgent);
		host_check_urgent(h, &s->urgent);
	}
	s->abilities.root = watched_by_root(s);
	topology_read(h, &s->scratch, &s->topology);
	if ((r = open_readers(s, options)) < 0)
		goto fail;
	/* The window begins now: the host's time may be that of a run before, and to load BPF takes
	 * its own. In a capture the first tick has begun. */
	if (!host_is_textual(h))
		(void)!host_tick(h, 0);
	s->next_look_ns = host_time(h).mono_ns;
	keep_tick(s);
	if ((r = take_look(s, true, &s->first)) < 0 || (r = read_filesystems(s, &s->first)) < 0)
		goto fail;
	s->abilities.hidepid = processes_hidden(s);
	if (s->latest.cpu.presence != PRESENT && s->abilities.tasks != PRESENT) {
		r = host_read(h, "/proc/stat", &s->scratch);
		if (r >= 0 || r == -ENOENT)
			r = note_set(note, -ENOENT, "/proc cannot be read: is it mounted?");
		else
			note_set(note, r, "cannot read /proc: %s", strerror(-r));
		goto fail;
	}
	urgent_check(&s->urgent);
	*ret = s;
	return 0;
fail:
	if (r == -ENOMEM)
		note_set(note, r, "out of memory");
	sampler_free(s);
	return r;
}

void sampler_free(struct sampler *s)
{
	if (!s)
		return;
	host_check_urgent(s->host, NULL);
	urgent_end(&s->urgent);
	task_reader_free(s->tasks);
	socket_reader_free(s->sockets);
	cgroup_reader_free(s->cgroups);
	filesystem_reader_free(s->filesystems);
	kernel_log_free(s->log);
	fork_watch_free(s->forks);
	task_history_deinit(&s->history);
	sample_deinit(&s->first);
	sample_deinit(&s->last);
	vec_free(&s->events);
	vec_free(&s->fork_counts);
	vec_free(&s->deleted);
	buf_deinit(&s->scratch);
	free(s);
}

/* How much a socket without an owner asks for one: what it lost or has waiting; 0: not at all. */
static uint64_t suspicion(const struct socket *now, const struct socket *before)
{
	if (now->owner_pid || now->inode == 0)
		return 0;
	reading drops = before ? reading_delta(before->drops, now->drops) : now->drops;
	reading resent = before ? reading_delta(before->retransmits, now->retransmits) : now->retransmits;
	uint64_t lost = (uint64_t)reading_or(drops, 0) + (uint64_t)reading_or(resent, 0);

	if (now->kind == SOCKET_TCP_LISTEN && now->receive_queue && now->receive_queue >= now->send_queue)
		lost += now->receive_queue;
	return lost;
}

#define MAX_OWNERS 32

struct suspects {
	struct socket *worst[MAX_OWNERS]; /* worst first */
	uint64_t suspicion[MAX_OWNERS];
	size_t n;
};

static void suspect(struct suspects *all, struct socket *socket, uint64_t suspicion)
{
	size_t at = all->n;

	if (suspicion == 0 || (at == MAX_OWNERS && suspicion <= all->suspicion[at - 1]))
		return;
	if (at < MAX_OWNERS)
		all->n++;
	else
		at--;
	for (; at > 0 && all->suspicion[at - 1] < suspicion; at--) {
		all->worst[at] = all->worst[at - 1];
		all->suspicion[at] = all->suspicion[at - 1];
	}
	all->worst[at] = socket;
	all->suspicion[at] = suspicion;
}

static int name_owners(struct sampler *s)
{
	struct suspects all = { .n = 0 };

	for (size_t i = 0; i < s->last.nnet_ns; i++) {
		struct net_ns *ns = &s->last.net_ns[i];
		const struct net_ns *was = sample_net_ns(&s->first, ns->inode);

		vec_each(now, &ns->sockets)
			suspect(&all, now, suspicion(now, was ? net_ns_socket(was, now->cookie) : NULL));
	}
	return all.n ? socket_owners(s->host, all.worst, all.n) : 0;
}

/* A search walks all descriptors of the host: more full filesystems than this are not a cause
 * but a policy. */
#define MAX_SEARCHES 4

/* Once a window: walking all fds is dear, and only a full filesystem makes it worth it. */
static int search_deleted_files(struct sampler *s)
{
	unsigned searches = 0;
	int r = 0;

	if (s->deleted_searched)
		return 0;
	s->deleted_searched = true;
	for (size_t i = 0; i < s->last.filesystems.n && searches < MAX_SEARCHES && r == 0; i++) {
		const struct filesystem *f = &s->last.filesystems.v[i];

		if (!filesystem_nearly_full(f))
			continue;
		searches++;
		r = deleted_files_read(s->host, f->major, f->minor, &s->deleted);
	}
	return r;
}

static int look_again(struct sampler *s, bool at_end)
{
	int r = take_look(s, at_end, &s->last);

	if (r == 0)
		r = name_owners(s);
	if (r == 0)
		r = read_filesystems(s, &s->last);
	if (r == 0 && at_end)
		r = search_deleted_files(s);
	return r;
}

int sampler_step(struct sampler *s, uint64_t end_mono_ns)
{
	uint64_t now = host_time(s->host).mono_ns;
	uint64_t next = (now / SAMPLER_TICK_NS + 1) * SAMPLER_TICK_NS;
	int r, signal = 0;

	s->looked = false;
	if (now >= end_mono_ns)
		return 0;
	urgent_renew(&s->urgent); /* to be woken in time, too */
	r = host_tick(s->host, next < end_mono_ns ? next : end_mono_ns);
	if (r == -ENODATA)
		return 0;
	if (r == -EINTR)
		signal = r;
	else if (r < 0)
		return r;
	keep_tick(s);
	now = host_time(s->host).mono_ns;
	bool at_end = now >= end_mono_ns || signal || host_at_end(s->host);
	/* Half a tick early is on time: the looks of a capture then fall where they fell. Shortly
	 * before the end no look is worth its cost: the last one follows. */
	bool soon_over = !at_end && end_mono_ns - now < SAMPLER_LOOK_NS / 4;
	if (at_end || (!soon_over && now + SAMPLER_TICK_NS / 2 >= s->next_look_ns)) {
		r = look_again(s, at_end);
		if (r < 0)
			return r;
	}
	urgent_check(&s->urgent);
	return signal ? signal : !at_end;
}

bool sampler_looked(const struct sampler *s)
{
	return s->looked;
}

int sampler_window(struct sampler *s, struct window *ret)
{
	int r = task_history_fold(&s->history);

	if (r == 0)
		r = fork_watch_read(s->forks, &s->fork_counts);
	if (r < 0)
		return r;
	size_t nticks = s->nticks;
	if (s->ticks[nticks - 1].at.mono_ns != s->latest.at.mono_ns)
		s->ticks[nticks++] = s->latest; /* in the free place: not kept */
	*ret = (struct window){
		.topology = &s->topology,
		.abilities = &s->abilities,
		.from = s->first.at,
		.to = s->last.at,
		.seconds = (double)(s->last.at.mono_ns - s->first.at.mono_ns) / 1e9,
		.ticks = s->ticks,
		.nticks = nticks,
		.first = &s->first,
		.last = &s->last,
		.processes = s->history.processes.v,
		.nprocesses = s->history.processes.n,
		.tasks = s->history.spans.v,
		.ntasks = s->history.spans.n,
		.task_looks = s->history.looks,
		.events = s->events.v,
		.nevents = s->events.n,
		.forks = s->fork_counts.v,
		.nforks = s->fork_counts.n,
		.deleted_files = s->deleted.v,
		.ndeleted_files = s->deleted.n,
	};
	return 0;
}
