/* The sample model: what osprey knows of a host at one moment. Every consumer reads
 * these and nothing else. Three paces, because their costs differ by a thousand:
 *
 * - struct counters, ten times a second: a handful of small files;
 * - struct sample, once a second: cgroups, disks, sockets, interrupts…;
 * - the task table, once a second, folded into one span for each task (window.h). */
#ifndef OSPREY_SAMPLE_SAMPLE_H
#define OSPREY_SAMPLE_SAMPLE_H

#include "source/cgroup/cgroup.h"
#include "source/cpu/cpu_stat.h"
#include "source/cpu/interrupts.h"
#include "source/cpu/loadavg.h"
#include "source/cpu/psi.h"
#include "source/memory/meminfo.h"
#include "source/memory/vmstat.h"
#include "source/network/interface.h"
#include "source/network/net_counters.h"
#include "source/network/socket.h"
#include "source/network/softnet.h"
#include "source/storage/disk.h"
#include "source/storage/file_nr.h"
#include "source/storage/filesystem.h"

struct counters {
	struct host_time at;
	struct cpu_stat cpu;
	struct loadavg load;
	struct psi psi;
	struct vmstat vmstat;
	struct meminfo memory;
};

/* One network namespace. */
struct net_ns {
	uint64_t inode;
	int32_t pid; /* a process in it; 0: our own namespace */
	struct net_counters counters;
	interface_vec interfaces;
	socket_vec sockets;
	enum presence interfaces_presence, sockets_presence;
	size_t sockets_skipped;
};

#define SAMPLE_MAX_NET_NS 32

struct sample {
	struct host_time at;
	cpu_line_vec cpus;
	interrupt_vec interrupts, softirqs; /* of a window's first and last sample; else UNREAD */
	softnet_vec softnet;
	disk_vec disks;
	filesystem_vec filesystems;
	struct file_nr file_nr;
	cgroup_vec cgroups;
	bool cgroups_truncated;
	struct net_ns net_ns[SAMPLE_MAX_NET_NS]; /* [0] is our own; the rest by their first process */
	size_t nnet_ns;
	size_t net_ns_left_out;
	enum presence interrupts_presence, softirqs_presence, softnet_presence, disks_presence;
};

void sample_deinit(struct sample *s);

/* The same entity in an earlier sample; NULL when it was not there. */
const struct cgroup *sample_cgroup(const struct sample *s, const struct cgroup *like);
const struct disk *sample_disk(const struct sample *s, uint32_t major, uint32_t minor);
const struct net_ns *sample_net_ns(const struct sample *s, uint64_t inode);
const struct interface *net_ns_interface(const struct net_ns *ns, const char *name);
const struct socket *net_ns_socket(const struct net_ns *ns, uint64_t cookie);
const struct filesystem *sample_filesystem(const struct sample *s, uint32_t major, uint32_t minor);

#endif
