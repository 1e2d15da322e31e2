#include "view/process_detail_tables.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/map.h"
#include "base/units.h"
#include "source/process/wait_words.h"

void process_tables_deinit(struct process_tables *t)
{
	buf_deinit(&t->text);
	vec_free(&t->fds);
	vec_free(&t->threads);
	vec_free(&t->limits);
	vec_free(&t->kinds);
	vec_free(&t->files);
	vec_free(&t->cgroups);
}

static struct cell text_at(const struct buf *text, size_t at, size_t n)
{
	return n ? cell_span((struct span){ text->data + at, n }) : cell_reading(READING_ABSENT);
}

static struct cell text_or_none(const char *text)
{
	return *text ? cell_text(text) : cell_reading(READING_ABSENT);
}

/* ---- descriptors ---- */

#define FD(row) (((const struct detail_fd *)(row))->fd)

static struct cell get_fd(const void *row) { return cell_reading((reading)FD(row)->fd); }
static struct cell get_kind(const void *row) { return cell_text(fd_kind_name(FD(row)->kind)); }
static struct cell get_access(const void *row)
{
	char access = FD(row)->access;

	return cell_text(access == 'u' ? "rw" : access == 'r' ? "r" : access == 'w' ? "w" : "-");
}
static struct cell get_flags(const void *row) { return text_or_none(((const struct detail_fd *)row)->flags); }
static struct cell get_position(const void *row)
{
	bool file = FD(row)->kind == FD_REGULAR || FD(row)->kind == FD_MEMFD;

	return cell_reading(file ? FD(row)->position : READING_ABSENT);
}
static struct cell get_size(const void *row) { return cell_reading(FD(row)->size_bytes); }
static struct cell get_deleted(const void *row) { return cell_reading(FD(row)->deleted); }
static struct cell get_inode(const void *row) { return cell_reading(FD(row)->inode ? FD(row)->inode : READING_ABSENT); }
static struct cell get_detail(const void *row) { return cell_reading(FD(row)->detail); }
static struct cell get_locks(const void *row) { return cell_reading(FD(row)->locks); }
static struct cell get_target(const void *row)
{
	return cell_span(process_fd_target(&((const struct detail_fd *)row)->detail->fds, FD(row)));
}
static struct cell get_what(const void *row)
{
	const struct detail_fd *f = row;

	return text_at(f->text, f->what_at, f->what_n);
}
static struct cell get_peer(const void *row)
{
	const struct detail_fd *f = row;

	return text_at(f->text, f->peer_at, f->peer_n);
}
static struct cell socket_text(const void *row, size_t offset)
{
	const struct process_socket *s = ((const struct detail_fd *)row)->socket;

	return s ? text_or_none((const char *)s + offset) : cell_reading(READING_ABSENT);
}
static struct cell get_protocol(const void *row) { return socket_text(row, offsetof(struct process_socket, protocol)); }
static struct cell get_local(const void *row) { return socket_text(row, offsetof(struct process_socket, local)); }
static struct cell get_remote(const void *row) { return socket_text(row, offsetof(struct process_socket, remote)); }
static struct cell get_socket_state(const void *row) { return socket_text(row, offsetof(struct process_socket, state)); }
static struct cell get_receive_queue(const void *row)
{
	const struct process_socket *s = ((const struct detail_fd *)row)->socket;

	return cell_reading(s ? s->receive_queue : READING_ABSENT);
}
static struct cell get_send_queue(const void *row)
{
	const struct process_socket *s = ((const struct detail_fd *)row)->socket;

	return cell_reading(s ? s->send_queue : READING_ABSENT);
}

static const struct column fd_columns[] = {
	COLUMN(2850, fd, "FD", COUNT, LABEL, get_fd, 0, "/proc/PID/fd", "number of the descriptor"),
	COLUMN(2851, kind, "KIND", TEXT, LABEL, get_kind, 0, "/proc/PID/fd", "what it is: file, socket, pipe…"),
	COLUMN(2852, access, "RW", TEXT, LABEL, get_access, 1, "/proc/PID/fd", "opened for reading, writing, both"),
	COLUMN(2853, flags, "FLAGS", TEXT, LABEL, get_flags, 7, "/proc/PID/fdinfo", "flags of open"),
	COLUMN(2854, position_bytes, "OFFSET", BYTES, GAUGE, get_position, 5, "/proc/PID/fdinfo", "where in the file it stands"),
	COLUMN(2855, size_bytes, "SIZE", BYTES, GAUGE, get_size, 4, "statx", "size of the file"),
	COLUMN_ELASTIC(2856, what, "WHAT", TEXT, LABEL, get_what, 0, "/proc/PID/fd, /proc/PID/net", "file, addresses and state, or what it counts"),
	COLUMN_ELASTIC(2857, peer, "OTHER END", TEXT, LABEL, get_peer, 3, "/proc/*/fd", "who has the other end of the pipe or socket"),
	COLUMN(2858, target, "TARGET", TEXT, LABEL, get_target, 6, "/proc/PID/fd", "the link as the kernel writes it"),
	COLUMN(2859, deleted, "DELETED", COUNT, GAUGE, get_deleted, 6, "/proc/PID/fd", "1: its file has no name any more"),
	COLUMN(2860, inode, "INODE", COUNT, LABEL, get_inode, 8, "/proc/PID/fd", "inode of a pipe, socket, namespace"),
	COLUMN(2861, detail, "DETAIL", COUNT, GAUGE, get_detail, 8, "/proc/PID/fdinfo", "targets of epoll, watches of inotify, count of an eventfd, ns to a timerfd's expiry, pid of a pidfd"),
	COLUMN(2862, locks, "LOCKS", COUNT, GAUGE, get_locks, 8, "/proc/PID/fdinfo", "locks on the file"),
	COLUMN(2863, protocol, "PROTOCOL", TEXT, LABEL, get_protocol, 8, "/proc/PID/net", "protocol of a socket"),
	COLUMN(2864, local, "LOCAL", TEXT, LABEL, get_local, 8, "/proc/PID/net", "its own address"),
	COLUMN(2865, remote, "REMOTE", TEXT, LABEL, get_remote, 8, "/proc/PID/net", "address of its peer"),
	COLUMN(2866, socket_state, "STATE", TEXT, LABEL, get_socket_state, 8, "/proc/PID/net", "state of the connection"),
	COLUMN(2867, receive_queue_bytes, "RECV-Q", BYTES, GAUGE, get_receive_queue, 8, "/proc/PID/net", "received and not yet read"),
	COLUMN(2868, send_queue_bytes, "SEND-Q", BYTES, GAUGE, get_send_queue, 8, "/proc/PID/net", "sent and not yet acknowledged"),
};

const struct entity process_fd_entity = {
	.name = "process_fd",
	.help = "an open descriptor of one process",
	COLUMNS(fd_columns),
	.shown = "fd,kind,access,flags,position_bytes,size_bytes,what,peer",
};

static int append_queue(struct buf *text, const char *name, reading bytes)
{
	return reading_or(bytes, 0) ? buf_printf(text, ", %s %s", bytes_text((double)bytes).text, name) : 0;
}

static int append_socket(struct buf *text, const struct process_socket *s)
{
	bool unix_or_netlink = s->protocol[0] == 'n' || (s->protocol[0] == 'u' && s->protocol[1] == 'n');
	int r = buf_printf(text, "%s%s%s%s%s%s%s", s->protocol[0] ? s->protocol : "socket", s->local[0] ? " " : "",
			   s->local, s->remote[0] ? " -> " : "", s->remote, s->state[0] ? " " : "",
			   unix_or_netlink && s->state[0] == 'E' ? "" : s->state);

	if (r == 0 && strcmp(s->state, "LISTEN") == 0) /* of a listener: connections */
		return reading_or(s->receive_queue, 0) ?
			       buf_printf(text, ", %u connections wait for accept", (unsigned)s->receive_queue) : 0;
	if (r == 0)
		r = append_queue(text, "received, not read", s->receive_queue);
	return r < 0 ? r : append_queue(text, "sent, not acknowledged", s->send_queue);
}

static int append_detail(struct buf *text, const struct process_fd *fd)
{
	unsigned long long v = fd->detail;

	if (!reading_ok(fd->detail))
		return buf_printf(text, "%s", fd_kind_name(fd->kind));
	switch (fd->kind) {
	case FD_EPOLL:
		return buf_printf(text, "watches %llu descriptors", v);
	case FD_INOTIFY:
	case FD_FANOTIFY:
		return buf_printf(text, "%llu watches", v);
	case FD_EVENTFD:
		return buf_printf(text, "count %llu", v);
	case FD_TIMERFD:
		return v ? buf_printf(text, "expires in %s", duration_text((double)v / 1e9).text) :
			   buf_printf(text, "not armed");
	case FD_PIDFD:
		return buf_printf(text, "process %llu", v);
	default:
		return 0;
	}
}

static int append_what(struct buf *text, const struct process_detail *d, const struct detail_fd *f)
{
	struct span target = process_fd_target(&d->fds, f->fd);
	int r;

	if (f->socket && f->socket->protocol[0])
		return append_socket(text, f->socket);
	if (f->fd->kind == FD_EPOLL || f->fd->kind == FD_INOTIFY || f->fd->kind == FD_FANOTIFY ||
	    f->fd->kind == FD_EVENTFD || f->fd->kind == FD_TIMERFD || f->fd->kind == FD_PIDFD)
		return append_detail(text, f->fd);
	r = buf_append(text, target.p, target.n);
	if (r == 0 && f->fd->locks)
		r = buf_printf(text, ", holds %llu lock%s", (unsigned long long)f->fd->locks, f->fd->locks > 1 ? "s" : "");
	return r;
}

/* Ends of pipes and sockets by inode and way of access: a process may talk to itself. */
static uint64_t end_key(uint64_t inode, char access)
{
	return inode * 4 + (access == 'r' ? 1 : access == 'w' ? 2 : 3);
}

static int index_ends(const struct process_detail *d, struct map *ret)
{
	int r = 0;

	vec_each(fd, &d->fds.fds)
		if (r == 0 && fd->inode && (fd->kind == FD_PIPE || fd->kind == FD_SOCKET))
			r = map_set(ret, end_key(fd->inode, fd->kind == FD_SOCKET ? 'u' : fd->access),
				    (uint32_t)(fd - d->fds.fds.v));
	return r;
}

static const struct process_fd *own_peer(const struct process_detail *d, const struct map *ends,
					 const struct process_fd *fd)
{
	const struct process_socket *s = fd->kind == FD_SOCKET ? process_detail_socket(d, fd) : NULL;
	uint32_t at = MAP_NONE;

	if (s && s->peer_inode)
		at = map_get(ends, end_key(s->peer_inode, 'u'));
	else if (fd->kind == FD_PIPE && fd->inode && fd->access != 'u')
		at = map_get(ends, end_key(fd->inode, fd->access == 'r' ? 'w' : 'r'));
	return at == MAP_NONE ? NULL : &d->fds.fds.v[at];
}

static int append_peers(struct buf *text, const struct process_detail *d, const struct map *ends,
			const struct process_fd *fd)
{
	const struct process_fd *own = own_peer(d, ends, fd);
	const struct fd_holder *h;
	size_t at = 0;
	int32_t last = 0;
	int r = 0;

	if (own) {
		r = buf_printf(text, "itself (%d)", own->fd);
		last = d->pid;
	}

	for (unsigned n = 0; r == 0 && n < 3 && (h = process_detail_peer(d, fd, &at));) {
		if (h->pid == last)
			continue;
		r = buf_printf(text, "%s%d %s", last ? ", " : "", h->pid, h->comm);
		last = h->pid;
		n++;
	}
	return r;
}

static int make_fds(const struct process_detail *d, struct process_tables *t)
{
	cleanup(map_deinit) struct map ends = { 0 };
	int indexed = index_ends(d, &ends);

	if (indexed < 0)
		return indexed;
	vec_each(fd, &d->fds.fds) {
		struct detail_fd *f = vec_push(&t->fds);
		if (!f)
			return -ENOMEM;
		*f = (struct detail_fd){ .detail = d, .fd = fd, .text = &t->text, .what_at = t->text.n };
		f->socket = fd->kind == FD_SOCKET ? process_detail_socket(d, fd) : NULL;
		if (fd->has_flags)
			fd_flags_text(fd->flags, f->flags, sizeof f->flags);
		int r = append_what(&t->text, d, f);
		f->what_n = t->text.n - f->what_at;
		f->peer_at = t->text.n;
		if (r == 0)
			r = append_peers(&t->text, d, &ends, fd);
		f->peer_n = t->text.n - f->peer_at;
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- threads ---- */

#define THREAD(row) (((const struct detail_thread *)(row))->thread)

static struct cell get_tid(const void *row) { return cell_reading((reading)THREAD(row)->task.tid); }
static struct cell get_thread_name(const void *row) { return cell_text(THREAD(row)->task.comm); }
static struct cell get_thread_state(const void *row)
{
	return cell_span((struct span){ &THREAD(row)->task.state, 1 });
}
static struct cell get_cpu_pct(const void *row)
{
	double seconds = ((const struct detail_thread *)row)->detail->interval_s;

	return seconds > 0 ? cell_share(THREAD(row)->run_growth_ns, seconds * 1e9) : cell_reading(READING_ABSENT);
}
static struct cell get_wait_pct(const void *row)
{
	double seconds = ((const struct detail_thread *)row)->detail->interval_s;

	return seconds > 0 ? cell_share(THREAD(row)->wait_growth_ns, seconds * 1e9) : cell_reading(READING_ABSENT);
}
#define THREAD_READING(name) \
	static struct cell get_##name(const void *row) { return cell_reading(THREAD(row)->task.name); }
THREAD_READING(user_ns)
THREAD_READING(system_ns)
THREAD_READING(run_ns)
THREAD_READING(wait_ns)
THREAD_READING(voluntary_switches)
THREAD_READING(involuntary_switches)
static struct cell get_last_cpu(const void *row) { return cell_reading((reading)THREAD(row)->task.last_cpu); }
static struct cell get_nice(const void *row) { return cell_real(THREAD(row)->task.nice); }
static struct cell get_policy(const void *row) { return cell_text(policy_name(THREAD(row)->task.policy)); }
static struct cell get_wchan(const void *row) { return text_or_none(THREAD(row)->wchan); }
static struct cell get_syscall(const void *row)
{
	const struct syscall_words *words = syscall_words(THREAD(row)->task.syscall);

	return words ? cell_text(words->name) : cell_reading(READING_ABSENT);
}
static struct cell get_does(const void *row)
{
	const struct detail_thread *t = row;

	return text_at(t->text, t->does_at, t->does_n);
}
static struct cell get_mutex_owner(const void *row)
{
	int32_t owner = THREAD(row)->mutex.owner_tid;

	return cell_reading(owner ? (reading)owner : READING_ABSENT);
}

static const struct column thread_columns[] = {
	COLUMN(2870, tid, "TID", COUNT, LABEL, get_tid, 0, "/proc/PID/task", "thread id"),
	COLUMN(2871, name, "NAME", TEXT, LABEL, get_thread_name, 0, "/proc/PID/task/TID/stat", "name of the thread"),
	COLUMN(2872, state, "S", TEXT, LABEL, get_thread_state, 0, "/proc/PID/task/TID/stat", "state"),
	COLUMN(2873, cpu_pct, "CPU%", PCT, RATE, get_cpu_pct, 0, "/proc/PID/task/TID/schedstat", "share of one CPU over the interval"),
	COLUMN(2874, run_delay_pct, "WAIT%", PCT, RATE, get_wait_pct, 2, "/proc/PID/task/TID/schedstat", "share of the interval it was ready and waited for a CPU"),
	COLUMN(2875, user_ns, "USER", NS, COUNTER, get_user_ns, 5, "/proc/PID/task/TID/stat", "CPU time in the program"),
	COLUMN(2876, system_ns, "SYSTEM", NS, COUNTER, get_system_ns, 5, "/proc/PID/task/TID/stat", "CPU time in the kernel"),
	COLUMN(2877, run_ns, "CPU-TIME", NS, COUNTER, get_run_ns, 1, "/proc/PID/task/TID/schedstat", "CPU time"),
	COLUMN(2878, run_delay_ns, "WAITED", NS, COUNTER, get_wait_ns, 3, "/proc/PID/task/TID/schedstat", "ready, waiting for a CPU"),
	COLUMN(2879, voluntary_switches, "VCSW", COUNT, COUNTER, get_voluntary_switches, 6, "/proc/PID/task/TID/status", "times it gave the CPU up"),
	COLUMN(2880, involuntary_switches, "IVCSW", COUNT, COUNTER, get_involuntary_switches, 6, "/proc/PID/task/TID/status", "times the CPU was taken from it"),
	COLUMN(2881, last_cpu, "CPU", COUNT, GAUGE, get_last_cpu, 7, "/proc/PID/task/TID/stat", "where it ran last"),
	COLUMN(2882, nice, "NI", COUNT, GAUGE, get_nice, 8, "/proc/PID/task/TID/stat", "nice value"),
	COLUMN(2883, policy, "POLICY", TEXT, LABEL, get_policy, 9, "/proc/PID/task/TID/stat", "scheduling policy"),
	COLUMN(2884, wchan, "WCHAN", TEXT, LABEL, get_wchan, 9, "/proc/PID/task/TID/wchan", "kernel function it sleeps in"),
	COLUMN(2885, syscall, "SYSCALL", TEXT, LABEL, get_syscall, 9, "/proc/PID/task/TID/syscall", "system call it sleeps in"),
	COLUMN(2886, mutex_owner_tid, "OWNER", COUNT, GAUGE, get_mutex_owner, 9, "process_vm_readv", "thread that holds the mutex it waits for"),
	COLUMN_ELASTIC(2887, does, "DOES", TEXT, LABEL, get_does, 0, "/proc/PID/task/TID/{syscall,wchan}", "what it waits for, in words"),
};

const struct entity process_thread_entity = {
	.name = "process_thread",
	.help = "a thread of one process",
	COLUMNS(thread_columns),
	.shown = "tid,name,state,cpu_pct,run_delay_pct,run_ns,run_delay_ns,voluntary_switches,involuntary_switches,last_cpu,does",
};

static int make_threads(const struct process_detail *d, struct process_tables *t)
{
	vec_each(thread, &d->threads) {
		struct detail_thread *row = vec_push(&t->threads);
		if (!row)
			return -ENOMEM;
		*row = (struct detail_thread){ d, thread, &t->text, t->text.n, 0 };
		int r = thread->mutex.owner_tid ?
				buf_printf(&t->text, "futex: waits for a mutex that %d holds", thread->mutex.owner_tid) :
				process_thread_sentence(&thread->task, thread->wchan, &t->text);
		if (r < 0)
			return r;
		row->does_n = t->text.n - row->does_at;
	}
	return 0;
}

/* ---- limits ---- */

#define LIMIT_OF(row) ((const struct detail_limit *)(row))

static struct cell get_limit_name(const void *row) { return cell_text(process_limit_about[LIMIT_OF(row)->kind].name); }
static struct cell get_limit_used(const void *row)
{
	return cell_reading(LIMIT_OF(row)->detail->limit_used[LIMIT_OF(row)->kind]);
}
static struct cell limit_cell(reading r)
{
	return r == PROCESS_UNLIMITED ? cell_text("unlimited") : cell_reading(r);
}
static struct cell get_soft(const void *row) { return limit_cell(LIMIT_OF(row)->detail->limits.soft[LIMIT_OF(row)->kind]); }
static struct cell get_hard(const void *row) { return limit_cell(LIMIT_OF(row)->detail->limits.hard[LIMIT_OF(row)->kind]); }
static struct cell get_limit_unit(const void *row)
{
	static const char *const units[] = { [UNIT_BYTES] = "bytes", [UNIT_NS] = "ns" };
	enum field_unit unit = process_limit_about[LIMIT_OF(row)->kind].unit;

	return cell_text(unit == UNIT_BYTES || unit == UNIT_NS ? units[unit] : "count");
}
static struct cell get_limit_pct(const void *row)
{
	return cell_real(process_limit_used_pct(LIMIT_OF(row)->detail, LIMIT_OF(row)->kind));
}
static struct cell get_at_end(const void *row) { return cell_text(process_limit_about[LIMIT_OF(row)->kind].at_end); }

static struct cell get_used_text(const void *row) { return text_or_none(LIMIT_OF(row)->used_text); }
static struct cell get_soft_text(const void *row) { return text_or_none(LIMIT_OF(row)->soft_text); }
static struct cell get_hard_text(const void *row) { return text_or_none(LIMIT_OF(row)->hard_text); }

/* Each row has a unit of its own: people read the texts, programs the numbers. */
static const struct column limit_columns[] = {
	COLUMN(2890, limit, "LIMIT", TEXT, LABEL, get_limit_name, 0, "/proc/PID/limits", "name of the limit, as prlimit has it"),
	COLUMN(2891, used, "USED", COUNT, GAUGE, get_limit_used, 0, "/proc/PID", "in use"),
	COLUMN(2892, soft, "SOFT", COUNT, GAUGE, get_soft, 0, "/proc/PID/limits", "what holds now"),
	COLUMN(2893, hard, "HARD", COUNT, GAUGE, get_hard, 0, "/proc/PID/limits", "how far the process may raise it"),
	COLUMN(2894, unit, "UNIT", TEXT, LABEL, get_limit_unit, 0, "/proc/PID/limits", "unit of the three"),
	COLUMN(2895, used_pct, "USED%", PCT, GAUGE, get_limit_pct, 0, "/proc/PID", "in use, of the soft limit"),
	COLUMN(2897, used_text, "USED", TEXT, GAUGE, get_used_text, 0, "/proc/PID", "in use, with its unit"),
	COLUMN(2898, soft_text, "SOFT", TEXT, GAUGE, get_soft_text, 0, "/proc/PID/limits", "what holds now, with its unit"),
	COLUMN(2899, hard_text, "HARD", TEXT, GAUGE, get_hard_text, 2, "/proc/PID/limits", "how far the process may raise it, with its unit"),
	COLUMN_ELASTIC(2896, at_end, "AT ITS END", TEXT, LABEL, get_at_end, 1, "getrlimit(2)", "what happens at its end"),
};

const struct entity process_limit_entity = {
	.name = "process_limit",
	.help = "a resource limit of one process",
	COLUMNS(limit_columns),
	.shown = "limit,used_text,soft_text,hard_text,used_pct,at_end",
};

static void limit_words(reading r, enum field_unit unit, char *ret, size_t size)
{
	if (!reading_ok(r))
		*ret = '\0';
	else if (r == PROCESS_UNLIMITED)
		snprintf(ret, size, "unlimited");
	else if (unit == UNIT_BYTES)
		snprintf(ret, size, "%s", bytes_text((double)r).text);
	else if (unit == UNIT_NS)
		snprintf(ret, size, "%s", duration_text((double)r / 1e9).text);
	else
		snprintf(ret, size, "%llu", (unsigned long long)r);
}

static int make_limits(const struct process_detail *d, struct process_tables *t)
{
	for (enum process_limit_kind k = 0; k < PROCESS_LIMIT_COUNT; k++) {
		struct detail_limit *row = vec_push(&t->limits);
		if (!row)
			return -ENOMEM;
		*row = (struct detail_limit){ .detail = d, .kind = k };
		enum field_unit unit = process_limit_about[k].unit;
		limit_words(d->limit_used[k], unit, row->used_text, sizeof row->used_text);
		limit_words(d->limits.soft[k], unit, row->soft_text, sizeof row->soft_text);
		limit_words(d->limits.hard[k], unit, row->hard_text, sizeof row->hard_text);
	}
	return 0;
}

/* ---- memory ---- */

#define PART(row) (((const struct detail_memory *)(row))->part)

static struct cell get_memory_name(const void *row) { return cell_text(((const struct detail_memory *)row)->name); }
static struct cell get_meaning(const void *row) { return cell_text(((const struct detail_memory *)row)->meaning); }
static struct cell get_path(const void *row) { return cell_span(((const struct detail_memory *)row)->path); }
#define PART_READING(name, member) \
	static struct cell get_##name(const void *row) { return cell_reading(PART(row)->member); }
PART_READING(mappings, mappings)
PART_READING(mapped, size_bytes)
PART_READING(resident, resident_bytes)
PART_READING(proportional, proportional_bytes)
PART_READING(private_dirty, private_dirty_bytes)
PART_READING(swapped, swap_bytes)
PART_READING(locked, locked_bytes)
PART_READING(huge, huge_bytes)

#define MEMORY_COLUMNS(id)                                                                                           \
	COLUMN(id + 0, mappings, "MAPS", COUNT, GAUGE, get_mappings, 6, "/proc/PID/smaps", "mappings"),               \
	COLUMN(id + 1, size_bytes, "SIZE", BYTES, GAUGE, get_mapped, 1, "/proc/PID/smaps", "address space"),          \
	COLUMN(id + 2, resident_bytes, "RSS", BYTES, GAUGE, get_resident, 0, "/proc/PID/smaps", "in memory"),         \
	COLUMN(id + 3, proportional_bytes, "PSS", BYTES, GAUGE, get_proportional, 1, "/proc/PID/smaps", "its share: pages divided by who maps them"), \
	COLUMN(id + 4, private_dirty_bytes, "DIRTY", BYTES, GAUGE, get_private_dirty, 3, "/proc/PID/smaps", "written, and of nobody else: freed when it ends"), \
	COLUMN(id + 5, swap_bytes, "SWAP", BYTES, GAUGE, get_swapped, 2, "/proc/PID/smaps", "swapped out"),           \
	COLUMN(id + 6, locked_bytes, "LOCKED", BYTES, GAUGE, get_locked, 7, "/proc/PID/smaps", "locked by mlock"),    \
	COLUMN(id + 7, huge_bytes, "HUGE", BYTES, GAUGE, get_huge, 7, "/proc/PID/smaps", "in huge pages")

static const struct column memory_columns[] = {
	COLUMN(2900, kind, "KIND", TEXT, LABEL, get_memory_name, 0, "/proc/PID/smaps", "kind of memory"),
	MEMORY_COLUMNS(2901),
	COLUMN_ELASTIC(2909, meaning, "WHAT IT IS", TEXT, LABEL, get_meaning, 5, "/proc/PID/smaps", "what the kind means"),
};

const struct entity process_memory_entity = {
	.name = "process_memory",
	.help = "memory of one process, by kind",
	COLUMNS(memory_columns),
	.shown = "kind,size_bytes,resident_bytes,proportional_bytes,private_dirty_bytes,swap_bytes,meaning",
};

static const struct column file_columns[] = {
	MEMORY_COLUMNS(2910),
	COLUMN_ELASTIC(2918, path, "MAPPED FILE", TEXT, LABEL, get_path, 0, "/proc/PID/smaps", "the file"),
};

const struct entity process_file_entity = {
	.name = "process_file",
	.help = "a file that one process maps",
	COLUMNS(file_columns),
	.shown = "size_bytes,resident_bytes,proportional_bytes,private_dirty_bytes,path",
};

static int make_memory(const struct process_detail *d, struct process_tables *t)
{
	for (enum memory_kind k = 0; k <= MEMORY_KINDS; k++) {
		const struct memory_part *part = k < MEMORY_KINDS ? &d->memory.kind[k] : &d->memory.total;
		struct detail_memory *row = reading_or(part->mappings, 0) ? vec_push(&t->kinds) : NULL;

		if (!row && reading_or(part->mappings, 0))
			return -ENOMEM;
		if (row && k < MEMORY_KINDS)
			*row = (struct detail_memory){ memory_kind_name(k), memory_kind_meaning(k), { "", 0 }, part };
		else if (row)
			*row = (struct detail_memory){ "all", "", { "", 0 }, part };
	}
	vec_each(f, &d->memory.files) {
		struct detail_memory *row = vec_push(&t->files);
		if (!row)
			return -ENOMEM;
		*row = (struct detail_memory){ NULL, NULL, memory_file_path(&d->memory, f), &f->part };
	}
	return 0;
}

/* ---- cgroups ---- */

#define GROUP(row) ((const struct detail_cgroup *)(row))

static struct cell get_controller(const void *row) { return cell_text(GROUP(row)->controller); }
static struct cell get_group_path(const void *row) { return cell_text(GROUP(row)->group->group.path); }
static struct cell get_group_used(const void *row) { return GROUP(row)->used_cell; }
static struct cell get_group_limit(const void *row) { return GROUP(row)->limit_cell; }
static struct cell get_group_used_text(const void *row) { return text_or_none(GROUP(row)->used_text); }
static struct cell get_group_limit_text(const void *row) { return text_or_none(GROUP(row)->limit_text); }
static struct cell get_group_note(const void *row) { return text_or_none(GROUP(row)->note); }
static struct cell get_own(const void *row) { return cell_reading(GROUP(row)->group->own); }
static struct cell get_group_unit(const void *row)
{
	return cell_text(GROUP(row)->unit == UNIT_BYTES ? "bytes" : GROUP(row)->unit == UNIT_NS ? "cpus" : "tasks");
}
static struct cell get_throttled(const void *row)
{
	return cell_reading(GROUP(row)->group->controller == CGROUP_CPU ? GROUP(row)->group->group.cpu_throttled_ns :
									  READING_ABSENT);
}

static const struct column cgroup_columns[] = {
	COLUMN(2920, controller, "CONTROLLER", TEXT, LABEL, get_controller, 0, "/proc/PID/cgroup", "what it limits"),
	COLUMN(2921, used_text, "USED", TEXT, GAUGE, get_group_used_text, 0, "cgroup", "in use"),
	COLUMN(2922, limit_text, "LIMIT", TEXT, GAUGE, get_group_limit_text, 0, "cgroup", "what it may use"),
	COLUMN(2923, used, "USED", COUNT, GAUGE, get_group_used, 9, "cgroup", "in use"),
	COLUMN(2924, limit, "LIMIT", COUNT, GAUGE, get_group_limit, 9, "cgroup", "what it may use; null: no limit"),
	COLUMN(2925, unit, "UNIT", TEXT, LABEL, get_group_unit, 9, "cgroup", "unit of both"),
	COLUMN(2926, own, "OWN", COUNT, GAUGE, get_own, 9, "/proc/PID/cgroup", "1: its own group, 0: one above that"),
	COLUMN(2927, throttled_ns, "THROTTLED", NS, COUNTER, get_throttled, 9, "cpu.stat", "time its tasks were held back"),
	COLUMN(2928, note, "EVENTS", TEXT, LABEL, get_group_note, 1, "cgroup", "throttling, limit hits, OOM kills"),
	COLUMN_ELASTIC(2929, path, "CGROUP", TEXT, LABEL, get_group_path, 0, "/proc/PID/cgroup", "its path"),
};

const struct entity process_cgroup_entity = {
	.name = "process_cgroup",
	.help = "a cgroup that holds one process",
	COLUMNS(cgroup_columns),
	.shown = "controller,used_text,limit_text,note,path",
};

static struct cell limited(reading r)
{
	return cell_reading(r == CGROUP_UNLIMITED ? READING_ABSENT : r);
}

static void cell_words(const struct cell *c, enum field_unit unit, char *ret, size_t size)
{
	if (c->kind == CELL_MISSING)
		*ret = '\0';
	else if (unit == UNIT_BYTES)
		snprintf(ret, size, "%s", bytes_text((double)c->count).text);
	else if (unit == UNIT_NS)
		snprintf(ret, size, "%.3g CPUs", c->real);
	else
		snprintf(ret, size, "%llu tasks", (unsigned long long)c->count);
}

static void add_note(struct detail_cgroup *row, const char *words, reading count)
{
	size_t n = strlen(row->note);

	if (reading_or(count, 0))
		snprintf(row->note + n, sizeof row->note - n, "%s%s %llu times", n ? ", " : "", words,
			 (unsigned long long)count);
}

static void cpu_row(const struct cgroup *g, struct detail_cgroup *row)
{
	bool has = reading_ok(g->cpu_quota_ns) && g->cpu_quota_ns != CGROUP_UNLIMITED && reading_or(g->cpu_period_ns, 0);

	row->unit = UNIT_NS;
	row->used_cell = cell_reading(READING_ABSENT);
	row->limit_cell = has ? cell_real((double)g->cpu_quota_ns / (double)g->cpu_period_ns) : cell_reading(READING_ABSENT);
	if (reading_or(g->cpu_throttled_periods, 0))
		snprintf(row->note, sizeof row->note, "throttled in %llu of %llu periods, %s",
			 (unsigned long long)g->cpu_throttled_periods, (unsigned long long)reading_or(g->cpu_periods, 0),
			 duration_text(reading_value(g->cpu_throttled_ns) / 1e9).text);
	snprintf(row->limit_text, sizeof row->limit_text, "no limit");
	if (has)
		cell_words(&row->limit_cell, row->unit, row->limit_text, sizeof row->limit_text);
}

static void make_cgroup(const struct process_cgroup *p, struct detail_cgroup *row)
{
	const struct cgroup *g = &p->group;

	*row = (struct detail_cgroup){ .group = p };
	if (p->controller == CGROUP_CPU) {
		row->controller = "cpu";
		cpu_row(g, row);
		return;
	}
	bool memory = p->controller == CGROUP_MEMORY;
	row->controller = memory ? "memory" : "pids";
	row->unit = memory ? UNIT_BYTES : UNIT_COUNT;
	reading limit = memory ? g->memory_limit_bytes : g->pids_limit;
	row->used_cell = cell_reading(memory ? g->memory_bytes : g->pids);
	row->limit_cell = limited(limit);
	cell_words(&row->used_cell, row->unit, row->used_text, sizeof row->used_text);
	snprintf(row->limit_text, sizeof row->limit_text, "%s", limit == CGROUP_UNLIMITED ? "no limit" : "");
	if (limit != CGROUP_UNLIMITED)
		cell_words(&row->limit_cell, row->unit, row->limit_text, sizeof row->limit_text);
	if (memory) {
		add_note(row, "limit reached", g->memory_limit_hits);
		add_note(row, "memory.high reached", g->memory_high_events);
		add_note(row, "OOM-killed", g->memory_oom_kills);
	}
}

static bool knows_anything(const struct cgroup *g)
{
	return reading_ok(g->cpu_quota_ns) || reading_ok(g->memory_bytes) || reading_ok(g->pids);
}

/* A group above that has no limit of its own tells nothing. */
static bool worth_showing(const struct process_cgroup *p)
{
	const struct cgroup *g = &p->group;
	reading limit = p->controller == CGROUP_CPU    ? g->cpu_quota_ns :
			p->controller == CGROUP_MEMORY ? g->memory_limit_bytes :
							 g->pids_limit;

	return knows_anything(g) && (p->own || (reading_ok(limit) && limit != CGROUP_UNLIMITED));
}

static int make_cgroups(const struct process_detail *d, struct process_tables *t)
{
	vec_each(p, &d->cgroups) {
		if (!worth_showing(p))
			continue;
		struct detail_cgroup *row = vec_push(&t->cgroups);
		if (!row)
			return -ENOMEM;
		make_cgroup(p, row);
	}
	return 0;
}

/* ---- relatives ---- */

#define RELATIVE(row) ((const struct process_relative *)(row))

static struct cell get_relative_pid(const void *row) { return cell_reading((reading)RELATIVE(row)->pid); }
static struct cell get_relative_state(const void *row) { return cell_span((struct span){ &RELATIVE(row)->state, 1 }); }
static struct cell get_relative_name(const void *row) { return cell_text(RELATIVE(row)->comm); }

static const struct column relative_columns[] = {
	COLUMN(2930, pid, "PID", COUNT, LABEL, get_relative_pid, 0, "/proc/PID/stat", "process id"),
	COLUMN(2931, state, "S", TEXT, LABEL, get_relative_state, 0, "/proc/PID/stat", "state"),
	COLUMN_ELASTIC(2932, name, "NAME", TEXT, LABEL, get_relative_name, 0, "/proc/PID/stat", "name"),
};

const struct entity process_relative_entity = {
	.name = "process_relative",
	.help = "a parent or child of one process",
	COLUMNS(relative_columns),
	.shown = "pid,state,name",
};

int process_tables_make(const struct process_detail *d, struct process_tables *ret)
{
	int r = 0;

	ret->text.n = ret->fds.n = ret->threads.n = ret->limits.n = ret->kinds.n = ret->files.n = ret->cgroups.n = 0;
	if (d->sections & PROCESS_FDS)
		r = make_fds(d, ret);
	if (r == 0 && d->sections & PROCESS_THREADS)
		r = make_threads(d, ret);
	if (r == 0 && d->sections & PROCESS_LIMITS)
		r = make_limits(d, ret);
	if (r == 0 && d->sections & PROCESS_MEMORY)
		r = make_memory(d, ret);
	if (r == 0 && d->sections & PROCESS_CGROUPS)
		r = make_cgroups(d, ret);
	return r;
}
