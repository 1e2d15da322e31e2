/* /proc/sys/fs/file-nr: open files of the whole host and their limit. Privilege: none. */
#ifndef OSPREY_SOURCE_STORAGE_FILE_NR_H
#define OSPREY_SOURCE_STORAGE_FILE_NR_H

#include "base/reading.h"
#include "kernel/host.h"

struct file_nr {
	enum presence presence;
	reading allocated, limit;
};

void file_nr_parse(struct span text, struct file_nr *ret);
void file_nr_read(struct host *h, struct buf *scratch, struct file_nr *ret);

#endif
