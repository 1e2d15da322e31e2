#include <errno.h>
#include <stdio.h>

#include "source/cpu/loadavg.h"
#include "source/limits/ipc_use.h"
#include "source/memory/meminfo.h"
#include "source/memory/page_size.h"
#include "source/storage/file_nr.h"
#include "view/limit_rows.h"

static reading number_of(struct limit_state *s, const char *path, unsigned i)
{
	int r = host_read(s->host, path, &s->second);

	return r < 0 ? reading_from_errno(r) : nth_number(buf_span(&s->second), i);
}

/* A limit of the whole host; `sysctl` is what raises it. */
static int add(struct limit_state *s, const char *name, enum field_unit unit, reading used, reading limit,
	       const char *source, const char *at_end, const char *sysctl)
{
	int error = 0;
	struct limit_row *r = limit_add(s, LIMIT_SYSTEM, name, unit, used, limit, &error);

	if (!r)
		return error;
	r->source = source;
	r->at_end = at_end;
	limit_scope(s, r, &error, "system");
	limit_raise(s, r, &error, "%s", sysctl);
	return error;
}

/* Limits whose use and end are each a number of a file. */
static const struct pair {
	const char *name, *used_path;
	unsigned used_at;
	const char *limit_path;
	unsigned limit_at;
	const char *at_end, *raise;
} pairs[] = {
	{ "aio requests", "/proc/sys/fs/aio-nr", 0, "/proc/sys/fs/aio-max-nr", 0, "EAGAIN from io_setup",
	  "sysctl fs.aio-max-nr=N" },
	{ "conntrack", "/proc/sys/net/netfilter/nf_conntrack_count", 0, "/proc/sys/net/netfilter/nf_conntrack_max", 0,
	  "packets of new connections are dropped (\"table full\")", "sysctl net.netfilter.nf_conntrack_max=N" },
	{ "pseudo terminals", "/proc/sys/kernel/pty/nr", 0, "/proc/sys/kernel/pty/max", 0,
	  "ENOSPC from opening /dev/ptmx: no ssh, no terminal", "sysctl kernel.pty.max=N" },
};

static int add_pairs(struct limit_state *s)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof pairs / sizeof pairs[0]; i++) {
		const struct pair *p = &pairs[i];
		reading used = number_of(s, p->used_path, p->used_at);

		r = add(s, p->name, UNIT_COUNT, used, number_of(s, p->limit_path, p->limit_at), p->used_path, p->at_end,
			p->raise);
	}
	return r;
}

static int add_files_and_tasks(struct limit_state *s)
{
	struct file_nr files;
	struct loadavg load;

	file_nr_read(s->host, &s->scratch, &files);
	loadavg_read(s->host, &s->scratch, &load);
	int r = add(s, "open files", UNIT_COUNT, files.allocated, files.limit, "/proc/sys/fs/file-nr",
		    "ENFILE \"Too many open files in system\"", "sysctl fs.file-max=N");
	if (r == 0)
		r = add(s, "threads", UNIT_COUNT, load.tasks, number_of(s, "/proc/sys/kernel/threads-max", 0), "/proc/loadavg",
			"EAGAIN from fork and clone", "sysctl kernel.threads-max=N");
	return r < 0 ? r :
		       add(s, "pids", UNIT_COUNT, load.tasks, number_of(s, "/proc/sys/kernel/pid_max", 0), "/proc/loadavg",
			   "EAGAIN from fork and clone", "sysctl kernel.pid_max=N");
}

static int add_memory(struct limit_state *s)
{
	struct meminfo m;
	int r = 0;

	meminfo_read(s->host, &s->scratch, &m);
	if (reading_ok(m.swap_total_bytes) && m.swap_total_bytes)
		r = add(s, "swap", UNIT_BYTES, reading_delta(m.swap_free_bytes, m.swap_total_bytes), m.swap_total_bytes,
			"/proc/meminfo", "the OOM killer comes when memory is gone too", "swapon another device or file");
	if (r == 0 && number_of(s, "/proc/sys/vm/overcommit_memory", 0) == 2)
		r = add(s, "committed memory", UNIT_BYTES, m.committed_bytes, m.commit_limit_bytes, "/proc/meminfo",
			"ENOMEM from malloc, mmap and fork (overcommit_memory is 2)", "sysctl vm.overcommit_ratio=PERCENT");
	return r;
}

static int add_sockets(struct limit_state *s, uint64_t page_bytes)
{
	struct socket_stat use;
	int r = host_read(s->host, "/proc/net/sockstat", &s->scratch);

	socket_stat_parse(r < 0 ? SPAN("") : buf_span(&s->scratch), &use);
	r = add(s, "TCP memory", UNIT_BYTES, pages_in_bytes(use.tcp_memory_pages, page_bytes),
		pages_in_bytes(number_of(s, "/proc/sys/net/ipv4/tcp_mem", 2), page_bytes), "/proc/net/sockstat",
		"connections stall, segments are dropped (\"out of memory\")", "sysctl net.ipv4.tcp_mem='MIN PRESSURE MAX'");
	if (r == 0)
		r = add(s, "UDP memory", UNIT_BYTES, pages_in_bytes(use.udp_memory_pages, page_bytes),
			pages_in_bytes(number_of(s, "/proc/sys/net/ipv4/udp_mem", 2), page_bytes), "/proc/net/sockstat",
			"datagrams are dropped", "sysctl net.ipv4.udp_mem='MIN PRESSURE MAX'");
	if (r == 0)
		r = add(s, "TCP orphans", UNIT_COUNT, use.tcp_orphans, number_of(s, "/proc/sys/net/ipv4/tcp_max_orphans", 0),
			"/proc/net/sockstat", "closed connections are reset (\"too many orphaned sockets\")",
			"sysctl net.ipv4.tcp_max_orphans=N");
	return r < 0 ? r :
		       add(s, "TCP time-wait", UNIT_COUNT, use.tcp_time_wait,
			   number_of(s, "/proc/sys/net/ipv4/tcp_max_tw_buckets", 0), "/proc/net/sockstat",
			   "connections close without TIME_WAIT (\"bucket table overflow\")",
			   "sysctl net.ipv4.tcp_max_tw_buckets=N");
}

/* Each pair of addresses has the whole range: what counts is the peer with most connections. */
static int add_ports(struct limit_state *s)
{
	static const char range[] = "/proc/sys/net/ipv4/ip_local_port_range";
	struct port_use use;
	reading low = number_of(s, range, 0), high = number_of(s, range, 1);

	if (!reading_ok(low) || !reading_ok(high) || low > high || high > 65535)
		return 0;
	if (host_read_bounded(s->host, "/proc/net/tcp", 500, &s->scratch) < 0)
		return 0;
	if (host_read_bounded(s->host, "/proc/net/tcp6", 500, &s->second) < 0)
		buf_clear(&s->second);
	int r = port_use_parse(buf_span(&s->scratch), buf_span(&s->second), (unsigned)low, (unsigned)high, &use);
	if (r == 0)
		r = add(s, "local ports", UNIT_COUNT, use.ports, high - low + 1, "/proc/net/tcp",
			"EADDRNOTAVAIL \"Cannot assign requested address\" from connect",
			"sysctl net.ipv4.ip_local_port_range='LOW HIGH'");
	if (r == 0 && use.peer[0])
		limit_scope(s, &s->rows.v[s->rows.n - 1], &r, "system, to %s", use.peer);
	return r;
}

static int add_neighbors(struct limit_state *s)
{
	static const struct {
		const char *name, *use, *limit, *raise;
	} caches[] = {
		{ "ARP entries", "/proc/net/stat/arp_cache", "/proc/sys/net/ipv4/neigh/default/gc_thresh3",
		  "sysctl net.ipv4.neigh.default.gc_thresh3=N" },
		{ "IPv6 neighbours", "/proc/net/stat/ndisc_cache", "/proc/sys/net/ipv6/neigh/default/gc_thresh3",
		  "sysctl net.ipv6.neigh.default.gc_thresh3=N" },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < 2; i++) {
		int error = host_read(s->host, caches[i].use, &s->scratch);
		reading used = error < 0 ? reading_from_errno(error) : neighbor_entries_parse(buf_span(&s->scratch));

		r = add(s, caches[i].name, UNIT_COUNT, used, number_of(s, caches[i].limit, 0), caches[i].use,
			"no new neighbours: \"neighbour table overflow\", hosts cannot be reached", caches[i].raise);
	}
	return r;
}

static void read_sysv(struct limit_state *s, const char *path, enum sysv_kind kind, struct sysv_use *ret)
{
	int r = host_read(s->host, path, &s->scratch);
	reading why = r < 0 ? reading_from_errno(r) : 0;

	if (r < 0)
		*ret = (struct sysv_use){ why, why, why };
	else
		sysv_use_parse(buf_span(&s->scratch), kind, ret);
}

static int add_sysv(struct limit_state *s, uint64_t page_bytes)
{
	struct sysv_use shm, sem, msg;

	read_sysv(s, "/proc/sysvipc/shm", SYSV_SHM, &shm);
	read_sysv(s, "/proc/sysvipc/sem", SYSV_SEM, &sem);
	read_sysv(s, "/proc/sysvipc/msg", SYSV_MSG, &msg);
	int r = add(s, "SysV segments", UNIT_COUNT, shm.objects, number_of(s, "/proc/sys/kernel/shmmni", 0),
		    "/proc/sysvipc/shm", "ENOSPC from shmget", "sysctl kernel.shmmni=N");
	reading pages = number_of(s, "/proc/sys/kernel/shmall", 0);
	if (r == 0 && reading_ok(pages))
		r = add(s, "SysV shared memory", UNIT_BYTES, shm.bytes,
			pages > UINT64_MAX / 4 / page_bytes ? READING_ABSENT : pages * page_bytes, "/proc/sysvipc/shm",
			"ENOSPC from shmget", "sysctl kernel.shmall=PAGES");
	if (r == 0)
		r = add(s, "SysV sem arrays", UNIT_COUNT, sem.objects, number_of(s, "/proc/sys/kernel/sem", 3),
			"/proc/sysvipc/sem", "ENOSPC from semget", "sysctl kernel.sem='MSL MNS OPM MNI'");
	if (r == 0)
		r = add(s, "SysV semaphores", UNIT_COUNT, sem.semaphores, number_of(s, "/proc/sys/kernel/sem", 1),
			"/proc/sysvipc/sem", "ENOSPC from semget", "sysctl kernel.sem='MSL MNS OPM MNI'");
	return r < 0 ? r :
		       add(s, "SysV queues", UNIT_COUNT, msg.objects, number_of(s, "/proc/sys/kernel/msgmni", 0),
			   "/proc/sysvipc/msg", "ENOSPC from msgget", "sysctl kernel.msgmni=N");
}

static reading count_lines(struct limit_state *s, const char *path)
{
	struct span rest, line;
	reading n = 0;
	int r = host_read(s->host, path, &s->scratch);

	if (r < 0)
		return reading_from_errno(r);
	rest = buf_span(&s->scratch);
	while (span_line(&rest, &line))
		n++;
	return n;
}

static int add_mounts(struct limit_state *s)
{
	return add(s, "mounts", UNIT_COUNT, count_lines(s, "/proc/self/mountinfo"), number_of(s, "/proc/sys/fs/mount-max", 0),
		   "/proc/self/mountinfo", "ENOSPC from mount", "sysctl fs.mount-max=N");
}

static int add_key_row(struct limit_state *s, uint32_t uid, const char *name, enum field_unit unit, reading used,
		       reading limit, const char *sysctl)
{
	int error = 0;
	struct limit_row *r = limit_add(s, LIMIT_USER, name, unit, used, limit, &error);

	if (!r)
		return error;
	r->source = "/proc/key-users";
	r->at_end = "EDQUOT \"Disk quota exceeded\" from add_key; containers do not start";
	limit_scope(s, r, &error, "user %s", user_names_find(s->users, uid));
	limit_raise(s, r, &error, "sysctl kernel.keys.%s%s=N", uid ? "" : "root_", sysctl);
	return error;
}

static int add_keys(struct limit_state *s)
{
	key_user_vec users = { 0 };
	int r = 0;

	if (host_read(s->host, "/proc/key-users", &s->scratch) < 0)
		return 0;
	r = key_users_parse(buf_span(&s->scratch), &users);
	vec_each(u, &users) {
		if (r == 0)
			r = add_key_row(s, u->uid, "kernel keys", UNIT_COUNT, u->keys, u->keys_limit, "maxkeys");
		if (r == 0)
			r = add_key_row(s, u->uid, "kernel key bytes", UNIT_BYTES, u->bytes, u->bytes_limit, "maxbytes");
	}
	vec_free(&users);
	return r;
}

int limit_collect_host(struct limit_state *s)
{
	uint64_t page_bytes = page_bytes_read(s->host, &s->scratch);
	int r = add_files_and_tasks(s);

	if (r == 0)
		r = add_pairs(s);
	if (r == 0)
		r = add_memory(s);
	if (r == 0)
		r = add_sockets(s, page_bytes);
	if (r == 0)
		r = add_ports(s);
	if (r == 0)
		r = add_neighbors(s);
	if (r == 0)
		r = add_sysv(s, page_bytes);
	if (r == 0)
		r = add_mounts(s);
	return r < 0 ? r : add_keys(s);
}

static int add_filesystem(struct limit_state *s, const struct filesystem *fs)
{
	int error = 0;
	reading used = reading_delta(fs->free_bytes, fs->total_bytes);
	/* As df: what is reserved for root is nobody's. */
	reading size = reading_sum(used, fs->available_bytes);
	struct limit_row *r = limit_add(s, LIMIT_FILESYSTEM, "disk space", UNIT_BYTES, used, size, &error);

	if (r) {
		limit_scope(s, r, &error, "%s", fs->mount);
		r->source = "statvfs";
		r->at_end = "ENOSPC \"No space left on device\"";
		limit_raise(s, r, &error, "delete files, or grow it");
	}
	if (!reading_ok(fs->inodes) || fs->inodes == 0)
		return error;
	r = limit_add(s, LIMIT_FILESYSTEM, "inodes", UNIT_COUNT, reading_delta(fs->inodes_free, fs->inodes), fs->inodes, &error);
	if (r) {
		limit_scope(s, r, &error, "%s", fs->mount);
		r->source = "statvfs";
		r->at_end = "ENOSPC \"No space left on device\" with space left";
		limit_raise(s, r, &error, "delete files, or make it anew with more inodes");
	}
	return error;
}

int limit_collect_filesystems(struct limit_state *s)
{
	int r = filesystems_read(s->filesystem_reader, &s->filesystems);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	vec_each(fs, &s->filesystems)
		if (r == 0 && !fs->read_only && fs->presence == PRESENT)
			r = add_filesystem(s, fs);
	return r;
}

static int add_cgroup(struct limit_state *s, const struct cgroup *g, const char *name, enum field_unit unit, reading used,
		      reading limit, const char *at_end, const char *file)
{
	int error = 0;

	if (limit == CGROUP_UNLIMITED)
		return 0;
	struct limit_row *r = limit_add(s, LIMIT_CGROUP, name, unit, used, limit, &error);
	if (!r)
		return error;
	limit_scope(s, r, &error, "%s", g->path);
	r->source = file;
	r->at_end = at_end;
	limit_raise(s, r, &error, "echo N >%s%s/%s", g->mount, strcmp(g->path, "/") ? g->path : "", file);
	return error;
}

int limit_collect_cgroups(struct limit_state *s)
{
	bool truncated;
	int r = cgroups_read(s->cgroup_reader, &s->cgroups, &truncated);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	vec_each(g, &s->cgroups) {
		if (r == 0 && g->controllers & CGROUP_MEMORY)
			r = add_cgroup(s, g, "cgroup memory", UNIT_BYTES, g->memory_bytes, g->memory_limit_bytes,
				       "reclaim, then the OOM killer within the group", g->v2 ? "memory.max" : "memory.limit_in_bytes");
		if (r == 0 && g->controllers & CGROUP_MEMORY && g->v2)
			r = add_cgroup(s, g, "cgroup memory.high", UNIT_BYTES, g->memory_bytes, g->memory_high_bytes,
				       "its tasks are slowed down", "memory.high");
		if (r == 0 && g->controllers & CGROUP_PIDS)
			r = add_cgroup(s, g, "cgroup tasks", UNIT_COUNT, g->pids, g->pids_limit, "EAGAIN from fork and clone",
				       "pids.max");
	}
	return r;
}
