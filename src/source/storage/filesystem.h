/* Mounted filesystems and how full they are: /proc/self/mountinfo and statvfs.
 * Privilege: none. Cost: ~50 us a filesystem. Each statvfs is bounded (200 ms): a dead NFS
 * server costs that once, is told as one that does not answer, and is not asked again
 * while that call hangs; where no thread can be had (pids.max) only local ones are asked.
 * Left out: mounts without blocks of their own (proc, sysfs, cgroup…), mounts that another
 * covers, second mounts of one device, read-only images (squashfs, iso9660, erofs: always
 * full), mounts whose path takes more than 255 bytes, and overlays other than the root, whose
 * blocks are those of the filesystem below. */
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
/* The filesystems that are worth asking, from the whole text; their space is UNREAD. */
int filesystems_parse(struct span mountinfo, filesystem_vec *ret) __attribute__((warn_unused_result));
/* What the answer under "statvfs:<mount>" says: "frsize blocks bfree bavail files ffree". */
void filesystem_statvfs_parse(struct span text, struct filesystem *ret);

struct filesystem_reader; /* keeps its storage between reads */
int filesystem_reader_new(struct host *h, struct filesystem_reader **ret)
	__attribute__((warn_unused_result));
void filesystem_reader_free(struct filesystem_reader *r);
/* In the order of mounting. 0, -ENOMEM, or why mountinfo could not be read. */
int filesystems_read(struct filesystem_reader *r, filesystem_vec *ret) __attribute__((warn_unused_result));

/* Share of what ordinary users may have that is in use, as df shows it; NaN when unknown. */
double filesystem_used_pct(const struct filesystem *fs);
/* The same of inodes; NaN also when the filesystem makes them as needed. */
double filesystem_inodes_used_pct(const struct filesystem *fs);
/* Writable, and above the share from which it is worth asking who fills it (90 % of bytes or
 * inodes): then deleted_files_read is called for it. */
#define FILESYSTEM_FULL_PCT 90.0
bool filesystem_nearly_full(const struct filesystem *fs);

/* Files that were deleted while open and still hold space; read when a filesystem is
 * found full. Walks /proc/PID/fd of all processes: bounded to 200 ms. Needs root for
 * other users' processes. Not seen: deleted files that are only mapped, and those of
 * btrfs, whose files carry another device number than its mount. */
struct deleted_file {
	uint32_t major, minor; /* the filesystem */
	int32_t pid;
	char comm[16];
	uint64_t bytes;
	char path[192];
};
typedef VEC(struct deleted_file) deleted_file_vec;
/* Adds the largest of that filesystem, at most 8, largest first, behind what *ret has. None
 * when /proc cannot be walked. 0 or -ENOMEM. */
int deleted_files_read(struct host *h, uint32_t major, uint32_t minor, deleted_file_vec *ret)
	__attribute__((warn_unused_result));
/* The answer under "deleted:<major>:<minor>": "pid bytes len(comm) len(path) comm path". */
int deleted_files_parse(struct span text, uint32_t major, uint32_t minor, deleted_file_vec *ret)
	__attribute__((warn_unused_result));

#endif
