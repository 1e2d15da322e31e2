/* What the kernel needs to unwind a process: its executable mappings with the unwind rows of their files, in BPF
 * maps; and the address spaces themselves, to name what was sampled.
 *
 * A space is known by process and layout: exec makes another one of the same process. It is kept when the process has
 * ended, so that samples taken before can be named. Rows of a file are made once (image_unwind_table) and loaded once, however
 * many processes map it: 8 bytes a row, at most PROFILE_ROWS_MAX of all files together; files beyond are walked by frame pointer
 * and counted. Reads /proc/PID/maps and /proc/PID/stat (same user or CAP_SYS_PTRACE). Threads: one. */
#ifndef OSPREY_DIG_PROFILE_PROFILE_SPACE_H
#define OSPREY_DIG_PROFILE_PROFILE_SPACE_H

#include "dig/image/address_space.h"

#define PROFILE_ROWS_MAX (16u << 20)

struct profile_spaces;

/* Descriptors of the BPF maps stay the caller's; spaces_fd < 0: there is nothing to load into. */
int profile_spaces_new(int spaces_fd, int tables_fd, struct profile_spaces **ret) __attribute__((warn_unused_result));
void profile_spaces_free(struct profile_spaces *s);

/* Reads the mappings of a process (again, when they are known) and gives them to the kernel. -ESRCH, -EACCES…, as
 * address_space_of_process. */
int profile_spaces_load(struct profile_spaces *s, int pid, struct note *note) __attribute__((warn_unused_result));

struct profile_space {
	int pid;
	uint64_t layout;
	struct address_space *space;
	char cgroup[128]; /* path for the cpu controller, "" when it is not known */
};
/* The space that a sample was taken in: of the process, else of one of the same layout (a parent that forked). NULL: it had gone
 * before anybody looked. */
struct profile_space *profile_spaces_find(struct profile_spaces *s, int pid, uint64_t layout);

struct profile_spaces_statistics {
	size_t processes, files, rows;
	size_t left_out; /* files whose rows had no room */
	size_t without;  /* files without any rows */
};
void profile_spaces_statistics(const struct profile_spaces *s, struct profile_spaces_statistics *ret);

/* As the BPF program works it out; 0: the process has gone, or is not ours to see. */
uint64_t profile_layout(int pid);
/* From /proc/PID/stat. Pure. 0: a kernel thread, hidden, or no such text. */
uint64_t profile_layout_parse(struct span stat);

#endif
