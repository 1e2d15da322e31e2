/* /proc/PID/stat, the columns that task.h has no use for: job control, times of children, where
 * the program lies in memory. And /proc/PID/{statm,io}.
 *
 * Privilege: stat none (addresses read as 0 without it: then absent), statm none, io the same user
 * or CAP_SYS_PTRACE. No mmap_lock. Since: 2.6 (io 2.6.20). Formats: proc_pid_stat(5),
 * proc_pid_statm(5), proc_pid_io(5). */
#ifndef OSPREY_SOURCE_PROCESS_PROCESS_STAT_H
#define OSPREY_SOURCE_PROCESS_PROCESS_STAT_H

#include "base/field.h"
#include "base/span.h"

struct process_stat {
	enum presence presence;
	int32_t process_group, session;
	uint32_t tty_major, tty_minor; /* both 0: no terminal */
	int32_t tty_group; /* its foreground process group; -1: none */
	uint32_t flags;	   /* PF_* of the kernel */
	reading exit_signal;
	reading exit_code; /* of a zombie, as waitpid gives it; absent without privilege before death */
	reading guest_ns, children_guest_ns;
	reading children_major_faults;
	reading start_data_address, start_brk_address, start_stack_address;
};

/* -EBADMSG. */
int process_stat_parse(struct span text, struct process_stat *ret) __attribute__((warn_unused_result));

/* "pts/3", "tty1", "ttyS0"; "4:64" of drivers that have no name here; "" for none. */
void tty_name(uint32_t major, uint32_t minor, char *ret, size_t size);

#define PROCESS_STATM_FIELDS(FIELD)                                                                       \
	FIELD(2830, size_bytes, "size", BYTES, GAUGE, "address space: all that is mapped, used or not")   \
	FIELD(2831, resident_bytes, "resident", BYTES, GAUGE, "of it in memory now")                      \
	FIELD(2832, shared_bytes, "shared", BYTES, GAUGE, "of that: pages of files and of shared memory") \
	FIELD(2833, text_bytes, "text", BYTES, GAUGE, "address space of the program's code")              \
	FIELD(2834, data_bytes, "data", BYTES, GAUGE, "private writable address space: heap, stacks, anonymous")

struct process_statm {
	enum presence presence;
	PROCESS_STATM_FIELDS(FIELD_MEMBER)
};
void process_statm_parse(struct span text, uint64_t page_bytes, struct process_statm *ret);

#define PROCESS_IO_FIELDS(FIELD)                                                                          \
	FIELD(2840, read_chars_bytes, "rchar", BYTES, COUNTER, "asked for by read calls, cached or not")  \
	FIELD(2841, write_chars_bytes, "wchar", BYTES, COUNTER, "handed to write calls")                  \
	FIELD(2842, read_calls, "syscr", COUNT, COUNTER, "read calls")                                    \
	FIELD(2843, write_calls, "syscw", COUNT, COUNTER, "write calls")                                  \
	FIELD(2844, read_bytes, "read_bytes", BYTES, COUNTER, "fetched from disks")                       \
	FIELD(2845, write_bytes, "write_bytes", BYTES, COUNTER, "sent to disks, also later by write-back") \
	FIELD(2846, cancelled_bytes, "cancelled_write_bytes", BYTES, COUNTER, "written, then deleted before it reached a disk")

struct process_io {
	enum presence presence;
	PROCESS_IO_FIELDS(FIELD_MEMBER)
};
extern const struct field process_io_fields[];
extern const size_t process_io_nfields;
extern const struct field process_statm_fields[];
extern const size_t process_statm_nfields;
void process_io_parse(struct span text, struct process_io *ret);
void process_io_missing(reading why, struct process_io *ret);

#endif
