/* Parsers of /proc/diskstats, mountinfo, statvfs answers, deleted files, file-nr. */
#include "source/storage/disk.h"
#include "source/storage/file_nr.h"
#include "source/storage/filesystem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void disks(struct span text)
{
	disk_vec all = { 0 };
	struct disk d;

	(void)!disk_parse(text, &d);
	(void)!disks_parse(text, &all);
	vec_free(&all);
}

static void filesystems(struct span text)
{
	filesystem_vec all = { 0 };
	struct filesystem fs;

	(void)!mountinfo_parse(text, &fs);
	(void)!filesystems_parse(text, &all);
	vec_free(&all);
}

static void space(struct span text)
{
	struct filesystem fs = { 0 };

	filesystem_statvfs_parse(text, &fs);
	(void)filesystem_used_pct(&fs);
	(void)filesystem_inodes_used_pct(&fs);
}

static void deleted_files(struct span text)
{
	deleted_file_vec all = { 0 };

	(void)!deleted_files_parse(text, 8, 1, &all);
	vec_free(&all);
}

static void files(struct span text)
{
	struct file_nr f;

	file_nr_parse(text, &f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parsers[])(struct span) = { disks, filesystems, space, deleted_files, files };

	if (size)
		parsers[data[0] % 5]((struct span){ (const char *)data + 1, size - 1 });
	return 0;
}
