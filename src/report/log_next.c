/* What to do next about events of the kernel log. */
#include <inttypes.h>
#include <stdio.h>

#include "report/log_meaning.h"

static void add(struct log_next *n, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct log_next *n, const char *format, ...)
{
	va_list args;
	size_t i = 0;

	while (i < LOG_NEXT_COMMANDS && n->command[i][0])
		i++;
	if (i == LOG_NEXT_COMMANDS)
		return;
	va_start(args, format);
	(void)vsnprintf(n->command[i], sizeof n->command[i], format, args);
	va_end(args);
}

static bool plain_name(const char *s)
{
	return *s && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-") == strlen(s);
}

/* "sda1": "sda", "nvme0n1p2": "nvme0n1" */
static void whole_disk(const char *name, char *ret, size_t size)
{
	size_t n = strlen(name), end = n;

	while (end > 0 && name[end - 1] >= '0' && name[end - 1] <= '9')
		end--;
	bool sd = n > 2 && end < n && strchr("svh", name[0]) && name[1] == 'd';
	bool part = end > 1 && end < n && name[end - 1] == 'p' && name[end - 2] >= '0' && name[end - 2] <= '9';
	snprintf(ret, size, "%.*s", (int)(sd ? end : part ? end - 1 : n), name);
}

/* Names go into commands only when a shell takes them for nothing else. */
static void next_of_disk(const struct log_event *e, struct log_next *n)
{
	char disk[64];

	whole_disk(e->object, disk, sizeof disk);
	if (strncmp(disk, "ata", 3) == 0)
		add(n, "ls -l /sys/block   # which disk is at %s", plain_name(disk) ? disk : "that port");
	else if (strchr(disk, ':') || !plain_name(disk))
		add(n, "lsblk -o NAME,MAJ:MIN,HCTL,MODEL,SERIAL   # which disk that is");
	else
		add(n, "smartctl -a /dev/%s   # what the disk says of itself", disk);
	add(n, "osprey log --all --since 1h --level warn+   # what stood around it");
}

static void next_of_fault(const struct log_happening *h, struct log_next *n)
{
	const struct log_symbol *s = h->symbol;

	if (s && (s->state == LOG_SYMBOL_FOUND || s->state == LOG_SYMBOL_STRIPPED) && !strpbrk(s->path, " '\"\\$`\n"))
		add(n, "addr2line -fCie %s %#" PRIx64 "   # the line of source, with debug information", s->path,
		    s->symbol.address);
	if (h->event.pid)
		add(n, "coredumpctl info %d   # where systemd keeps core dumps; else see kernel.core_pattern",
		    h->event.pid);
}

static void next_of_oom(const struct log_event *e, struct log_next *n)
{
	n->condition = "oom_kill";
	if (e->oom->constraint == LOG_CONSTRAINT_CGROUP)
		add(n, "osprey log --event oom --each   # every kill with the tasks that held memory");
	else
		add(n, "osprey ps --sort rss_bytes   # who holds memory now");
}

void log_next_of(const struct log_happening *h, struct log_next *ret)
{
	const struct log_event *e = &h->event;
	const char *object = plain_name(e->object) ? e->object : "DEVICE";

	*ret = (struct log_next){ 0 };
	if (e->good)
		return;
	switch (e->kind) {
	case LOG_OOM_KILL: next_of_oom(e, ret); break;
	case LOG_OOM_STUCK: ret->condition = "oom_kill"; break;
	case LOG_SEGFAULT:
	case LOG_TRAP: next_of_fault(h, ret); break;
	case LOG_HUNG_TASK:
		add(ret, "cat /proc/%d/stack   # where it is now (root)", e->pid);
		add(ret, "osprey doctor   # whether a disk, a lock or a server holds it");
		break;
	case LOG_SOFT_LOCKUP:
	case LOG_HARD_LOCKUP:
	case LOG_RCU_STALL:
		add(ret, "osprey log --event %s --each   # whether it is always the same", log_kinds[e->kind].id);
		break;
	case LOG_IO_ERROR:
	case LOG_IO_TIMEOUT:
	case LOG_DISK_FAULT:
	case LOG_SWAP_ERROR: next_of_disk(e, ret); break;
	case LOG_FS_SHUTDOWN:
	case LOG_FS_ERROR:
		add(ret, "findmnt -S /dev/%s   # what is mounted from it, and how", object);
		add(ret, "fsck -n /dev/%s   # unmounted; says what is damaged and changes nothing", object);
		break;
	case LOG_RAID: add(ret, "cat /proc/mdstat   # which members are left"); break;
	case LOG_FILES_EXHAUSTED: ret->condition = "fd_exhausted"; break;
	case LOG_PIDS_LIMIT: ret->condition = "fork_storm"; break;
	case LOG_SYN_FLOOD: ret->condition = "listen_overflow"; break;
	case LOG_LINK: add(ret, "ethtool %s   # link, speed; ethtool -S for errors", object); break;
	case LOG_TX_TIMEOUT: add(ret, "ethtool -S %s   # errors by queue", object); break;
	case LOG_TABLE_FULL:
		add(ret, strcmp(e->object, "conntrack") == 0 ?
				 "sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max" :
				 "sysctl net.ipv4.neigh.default.gc_thresh3   # the size of the table");
		break;
	case LOG_NFS: 
		add(ret, "findmnt -t nfs,nfs4,cifs,ceph   # what is mounted from it");
		if (plain_name(e->object))
			add(ret, "ping -c 3 %s   # whether the server is there", e->object);
		break;
	case LOG_OVERCOMMIT: add(ret, "grep Commit /proc/meminfo; sysctl vm.overcommit_memory"); break;
	case LOG_ALLOCATION: add(ret, "cat /proc/buddyinfo   # free memory by size of piece"); break;
	case LOG_CLOCK: add(ret, "cat /sys/devices/system/clocksource/clocksource0/current_clocksource"); break;
	case LOG_HARDWARE:
	case LOG_HARDWARE_CORRECTED:
		add(ret, "ras-mc-ctl --errors   # counts by memory module, where rasdaemon runs");
		break;
	case LOG_OOPS:
	case LOG_KERNEL_WARNING:
		add(ret, "osprey log --all --event %s   # the whole report", log_kinds[e->kind].id);
		break;
	default: break;
	}
}
