/* Mounted filesystems and how full they are: /proc/self/mountinfo and statvfs.
 * Privilege: none. Each statvfs is bounded (200 ms): a dead NFS server costs that once a
 * window and is then told as one that does not answer. Mounts without blocks of their own
 * (proc, sysfs, cgroup…) and second mounts of one device are left out; read-only images
 * (squashfs, iso9660, erofs) are always full and left out too. */
#ifndef OSPREY_SOURCE_STORAGE_FILESYSTEM_H
#define OSPREY_SOURCE_STORAGE_FILESYSTEM_H

#include <stdbool.h>

#include "base/reading.h"
#include "base/vec.h"
#include "kernel/host.h"

struct filesystem {
	uint32_t major, minor;
	char mount[256];  /* octal escapes undone */
	char type[32];
	char source[128]; /* device */
	bool read_only;
	enum presence presence; /* UNREAD: did not answer in time */
	reading total_bytes, free_bytes;
	reading available_bytes; /* to ordinary users: reserved blocks are not */
	reading inodes, inodes_free; /* 0 inodes: the filesystem makes them as needed */
};
typedef VEC(struct filesystem) filesystem_vec;

/* One line of mountinfo. -EBADMSG. */
int mountinfo_parse(struct span line, struct filesystem *ret) __attribute__((warn_unused_result));
int filesystems_read(struct host *h, struct buf *scratch, filesystem_vec *ret)
	__attribute__((warn_unused_result));

/* Files that were deleted while open and still hold space; read when a filesystem is
 * found full. Largest first, at most 8. Walks /proc/PID/fd of all processes: bounded to
 * 200 ms. */
struct deleted_file {
	int32_t pid;
	char comm[16];
	uint64_t bytes;
	char path[192];
};
typedef VEC(struct deleted_file) deleted_file_vec;
int deleted_files_read(struct host *h, uint32_t major, uint32_t minor, deleted_file_vec *ret)
	__attribute__((warn_unused_result));

#endif
