/* What a scenario needs of the host, looked at before anything is changed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/units.h"
#include "lab/tree.h"

/* What must stay free on the disk besides. */
#define DISK_RESERVE_BYTES (UINT64_C(256) << 20)

static int check_cgroups(unsigned needs, struct note *note)
{
	unsigned controllers = 0;
	struct groups g;

	if (needs & LAB_CPU_CGROUP)
		controllers |= CGROUP_CPU;
	if (needs & LAB_MEMORY_CGROUP)
		controllers |= CGROUP_MEMORY;
	if (needs & LAB_IO_CGROUP)
		controllers |= CGROUP_IO;
	if (needs & LAB_PIDS_CGROUP)
		controllers |= CGROUP_PIDS;
	return controllers ? groups_find(controllers, &g, note) : 0;
}

static int check_disk(const struct scenario *s, struct note *note)
{
	struct scratch_place place;
	struct statvfs fs;
	int r = scratch_place_find(&place);

	if (r < 0)
		return note_set(note, r, "no directory for scratch files can be written");
	if ((s->needs & LAB_DISK) && !place.disk[0])
		return note_set(note, -EOPNOTSUPP, "no disk under %s", place.directory);
	if (statvfs(place.directory, &fs) < 0)
		return note_set(note, -errno, "%s: %s", place.directory, strerror(errno));
	if ((uint64_t)fs.f_bavail * fs.f_frsize < s->disk_bytes + DISK_RESERVE_BYTES)
		return note_set(note, -ENOSPC, "%s has %llu MiB free, it needs %llu and 256 to spare",
				place.directory, (unsigned long long)fs.f_bavail * fs.f_frsize >> 20,
				(unsigned long long)(s->disk_bytes >> 20));
	return 0;
}

static int check_memory(const struct scenario *s, struct note *note)
{
	uint64_t free_bytes = (uint64_t)sysconf(_SC_AVPHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t all_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

	/* Free memory leaves the page cache aside; half of all is the other sign of enough. */
	if (s->memory_bytes > free_bytes && s->memory_bytes > all_bytes / 2)
		return note_set(note, -EOPNOTSUPP, "it takes up to %llu MiB of memory, this host has %llu",
				(unsigned long long)(s->memory_bytes >> 20),
				(unsigned long long)(all_bytes >> 20));
	return 0;
}

static int check_devices(unsigned needs, struct note *note)
{
	if ((needs & LAB_ZRAM) && !module_available("zram", "/sys/class/zram-control"))
		return note_set(note, -EOPNOTSUPP, "this kernel has no zram");
	if ((needs & LAB_LOOP) && !module_available("loop", "/dev/loop-control"))
		return note_set(note, -EOPNOTSUPP, "this kernel has no loop devices");
	if ((needs & LAB_LOOP) && !command_exists("mkfs.ext4"))
		return note_set(note, -EOPNOTSUPP, "no mkfs.ext4 (package e2fsprogs)");
	if ((needs & LAB_NFTABLES) && !command_exists("nft"))
		return note_set(note, -EOPNOTSUPP, "no nft (package nftables)");
	if ((needs & LAB_NET_NS) && access("/proc/self/ns/net", F_OK) < 0)
		return note_set(note, -EOPNOTSUPP, "this kernel has no network namespaces");
	return 0;
}

int lab_possible(const struct scenario *s, struct note *note)
{
	int r;

	if (geteuid() != 0)
		return note_set(note, -EPERM, "needs root");
	if (access("/proc/self/ns/pid", F_OK) < 0)
		return note_set(note, -EOPNOTSUPP, "this kernel has no pid namespaces");
	r = check_cgroups(s->needs, note);
	if (r == 0)
		r = check_devices(s->needs, note);
	if (r == 0 && (s->disk_bytes || (s->needs & (LAB_DISK | LAB_LOOP))))
		r = check_disk(s, note);
	if (r == 0)
		r = check_memory(s, note);
	return r;
}

int scenario_touches(const struct scenario *s, struct buf *ret_line)
{
	static const struct {
		unsigned needs;
		const char *text;
	} parts[] = {
		{ LAB_CPU_CGROUP, "a cpu cgroup" },	 { LAB_MEMORY_CGROUP, "a memory cgroup" },
		{ LAB_IO_CGROUP, "an io cgroup" },	 { LAB_PIDS_CGROUP, "a pids cgroup" },
		{ LAB_NET_NS, "a network namespace" },	 { LAB_ZRAM, "swap in a zram device" },
		{ LAB_LOOP, "a filesystem on a loop device" },
		{ LAB_NFTABLES, "packet filters in its namespace" },
	};
	struct scratch_place place;
	int r = buf_printf(ret_line, "up to %u process%s and %s of memory", s->processes,
			   s->processes == 1 ? "" : "es", bytes_text((double)s->memory_bytes).text);

	if (r == 0 && s->disk_bytes && scratch_place_find(&place) == 0)
		r = buf_printf(ret_line, ", up to %s in %s%s%s", bytes_text((double)s->disk_bytes).text,
			       place.directory, place.disk[0] ? " on " : "", place.disk);
	for (size_t i = 0; r == 0 && i < sizeof parts / sizeof parts[0]; i++)
		if (s->needs & parts[i].needs)
			r = buf_printf(ret_line, ", %s", parts[i].text);
	return r;
}
