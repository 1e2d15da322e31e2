/* The parsers behind `osprey pid` and `osprey limits`. The first byte picks one. */
#include <assert.h>
#include <stdlib.h>

#include "source/limits/ipc_use.h"
#include "source/limits/user_inotify.h"
#include "source/process/fd_holders.h"
#include "source/process/process_fd.h"
#include "source/process/process_limits.h"
#include "source/process/process_memory.h"
#include "source/process/process_socket.h"
#include "source/process/process_stat.h"
#include "source/process/process_status.h"
#include "source/process/time_namespace.h"
#include "source/process/user_threads.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void status(struct span text)
{
	struct process_status s;

	process_status_parse(text, &s);
	assert(memchr(s.name, '\0', sizeof s.name) && memchr(s.cpus_allowed, '\0', sizeof s.cpus_allowed));
}

static void stats(struct span text)
{
	struct process_stat s;
	struct process_statm m;
	struct process_io io;

	(void)!process_stat_parse(text, &s);
	process_statm_parse(text, 4096, &m);
	process_io_parse(text, &io);
}

static void limits(struct span text)
{
	struct process_limits l;
	int64_t ns;

	process_limits_parse(text, &l);
	(void)time_offsets_parse(text, &ns);
}

static void memory(struct span text)
{
	struct process_memory m = { 0 };

	if (process_memory_parse(text, &m) == 0)
		assert(m.total.mappings > 0);
	vec_each(f, &m.files)
		assert(f->path_at + f->path_n <= m.paths.n);
	memory_rollup_parse(text, &m.total);
	process_memory_deinit(&m);
}

static void fds(struct span text)
{
	struct process_fd f = { .detail = READING_ABSENT, .kind = FD_PIDFD };
	struct process_fds all = { 0 };
	char flags[32];

	(void)!process_fds_parse(text, &all);
	process_fd_stats_parse(text, &all);
	vec_each(fd, &all.fds)
		assert(fd->target_at + fd->target_n <= all.text.n && fd->kind < FD_KIND_COUNT);
	fdinfo_parse(text, &f);
	fd_flags_text(f.flags, flags, sizeof flags);
	process_fds_deinit(&all);
}

static void sockets(struct span text)
{
	process_socket_vec all = { 0 };

	for (uint64_t inode = 1; inode < 16; inode++) {
		struct process_socket *s = vec_push(&all);
		if (s)
			*s = (struct process_socket){ .inode = inode };
	}
	process_sockets_parse(text, PROCESS_SOCKETS_INET, "tcp", &all);
	process_sockets_parse(text, PROCESS_SOCKETS_UNIX, "unix", &all);
	process_sockets_parse(text, PROCESS_SOCKETS_NETLINK, "netlink", &all);
	process_sockets_parse(text, PROCESS_SOCKETS_PACKET, "packet", &all);
	unix_peers_parse(text, &all);
	vec_each(s, &all)
		assert(memchr(s->local, '\0', sizeof s->local) && memchr(s->state, '\0', sizeof s->state));
	vec_free(&all);
}

static void lists(struct span text)
{
	user_threads_vec users = { 0 };
	user_inotify_vec inotify = { 0 };
	fd_holder_vec holders = { 0 };
	key_user_vec keys = { 0 };
	bool complete;

	(void)!user_threads_parse(text, &users);
	(void)!user_inotify_parse(text, &inotify, &complete);
	(void)!fd_holders_parse(text, &holders, &complete);
	(void)!key_users_parse(text, &keys);
	vec_free(&users);
	vec_free(&inotify);
	vec_free(&holders);
	vec_free(&keys);
}

static void host_use(struct span text)
{
	struct socket_stat stat;
	struct sysv_use use;
	struct port_use ports;

	socket_stat_parse(text, &stat);
	for (int kind = 0; kind < 3; kind++)
		sysv_use_parse(text, (enum sysv_kind)kind, &use);
	(void)!port_use_parse(text, text, 1, 65535, &ports);
	(void)!neighbor_entries_parse(text);
	(void)!nth_number(text, 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parsers[])(struct span) = { status, stats, limits, memory, fds, sockets, lists, host_use };

	if (size == 0)
		return 0;
	/* On the heap, so that a byte too far is seen. */
	char *copy = malloc(size);
	if (!copy)
		return 0;
	memcpy(copy, data + 1, size - 1);
	parsers[data[0] % (sizeof parsers / sizeof parsers[0])]((struct span){ copy, size - 1 });
	free(copy);
	return 0;
}
