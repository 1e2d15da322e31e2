/* What a traced call looks like on its way from the kernel: shared by the programs, by the way
 * that has no BPF and captures the same by itself, and by the decoders.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef OSPREY_DIG_TRACE_TRACE_BPF_RECORD_H
#define OSPREY_DIG_TRACE_TRACE_BPF_RECORD_H

#ifndef __bpf__
#include <stdint.h>
#endif

#define TRACE_CALLS 512
#define TRACE_ARGUMENTS 6

/* How bytes behind an argument are captured. */
enum trace_capture {
	CAPTURE_NONE,
	CAPTURE_STRING,	  /* up to a NUL, TRACE_PIECE_MAX at most */
	CAPTURE_FIXED,	  /* `size` bytes */
	CAPTURE_ARRAY,	  /* as many elements of `size` bytes as `length` says */
	CAPTURE_DATA,	  /* as many bytes as `length` says, the excerpt's at most */
	CAPTURE_DATA_WHOLE, /* the same, `size` at most */
	CAPTURE_BITS,	  /* `length` bits in whole 64-bit words, `size` bytes at most */
	CAPTURE_ADDRESS,  /* as many bytes as the 32-bit word says that argument `length` points to */
	CAPTURE_IOVEC,	  /* `length` elements, and an excerpt behind each */
	CAPTURE_MESSAGE,  /* struct msghdr and what it points to */
	CAPTURE_MESSAGES, /* struct mmsghdr: `length` of them, TRACE_MESSAGES at most */
	CAPTURE_STRINGS,  /* pointers to strings, up to a NULL */
};

enum { CAPTURE_ENTER = 1, CAPTURE_EXIT = 2, CAPTURE_BOTH = 3 };

/* `length` that is no argument: the result. */
#define CAPTURE_BY_RESULT 6

struct trace_capture_rule {
	uint8_t kind;
	uint8_t when;
	uint8_t length; /* argument number or CAPTURE_BY_RESULT */
	uint8_t unused;
	uint16_t size;
};

enum {
	CALL_WANTED = 1,
	CALL_NO_RETURN = 2,
	CALL_CAPTURES_ENTER = 4,
	CALL_CAPTURES_EXIT = 8,
	CALL_EXECUTES = 16,
	CALL_GIVES_FD = 32,
};

struct trace_call_rule {
	struct trace_capture_rule argument[8]; /* of TRACE_ARGUMENTS, for an index that is masked */
	uint8_t flags;
	uint8_t fds;   /* bit per argument: a descriptor */
	uint8_t paths; /* bit per argument: a path */
	uint8_t unused;
};

#define TRACE_PIECE_MAX 1024
#define TRACE_PAYLOAD_MAX 4096
#define TRACE_IOVECS 8
#define TRACE_MESSAGES 4
#define TRACE_STRINGS 16
#define TRACE_FRAMES 127

/* A piece of memory that was captured; its bytes follow, padded to 8. */
struct trace_part {
	uint8_t argument; /* or one of the two below */
	uint8_t piece;	  /* of a vector or message: which; else 0 */
	uint8_t at_exit;
	uint8_t unused;
	uint16_t size;
	uint16_t unused2;
};
#define PART_USER_STACK 6
#define PART_KERNEL_STACK 7

/* Pieces of messages: 16 for each, of which these; PIECE_DATA + i is behind the i-th iovec. */
enum { PIECE_HEADER, PIECE_NAME, PIECE_VECTOR, PIECE_CONTROL, PIECE_DATA };
/* Of iovecs and strings: 0 is the array, 1 + i what the i-th points to. */

enum trace_record_type { RECORD_CALL, RECORD_SIGNAL, RECORD_EXIT };

enum {
	RECORD_COMPAT = 1,	/* a call of the 32-bit or x32 kind: `call` counts in another table */
	RECORD_BEGUN_BEFORE = 2, /* was under way when tracing began: duration and what it was given are not known */
	RECORD_UNFINISHED = 4,	/* it has no result: the task ended, or tracing did */
	RECORD_CUT = 8,		/* more was to be captured than fits */
	RECORD_LAST = 16,	/* of RECORD_EXIT: the process ended with this thread */
	RECORD_AT_PATH = 32,	/* a descriptor of it is of a file that is looked for by path; told by ptrace alone */
};

struct trace_record {
	uint64_t start_ns; /* CLOCK_MONOTONIC */
	uint64_t duration_ns;
	int64_t result;
	uint64_t argument[TRACE_ARGUMENTS]; /* of RECORD_SIGNAL: the first 48 bytes of siginfo; of RECORD_EXIT [0]: the status */
	int32_t pid, tid;		    /* in the reader's pid namespace; 0: not in it */
	uint16_t call;			    /* of RECORD_SIGNAL: the signal */
	uint8_t type;
	uint8_t flags;
	uint32_t size; /* of the parts that follow */
	char comm[16];
};

#define TRACE_TARGETS_MAX 4096

/* What programs keep of a thread, before what is their own. */
struct trace_follow {
	int32_t pid, tid; /* in the reader's namespace */
	uint8_t waits_for_exec;
	uint8_t born; /* while traced: its first return is that of a fork */
	uint8_t unused[6];
};

#define TRACE_ERRNO_MAX 4095
#define TRACE_FILTER_FDS 8
#define TRACE_PATH_MAX 64
#define TRACE_PATHS 4

/* A path filter: what it begins with, what it ends with. */
struct trace_path_filter {
	uint8_t prefix_size, suffix_size;
	uint8_t exact; /* nothing may stand behind the prefix */
	char prefix[TRACE_PATH_MAX], suffix[TRACE_PATH_MAX];
};

struct trace_settings {
	uint32_t reader_namespace; /* inode of the pid namespace */
	uint32_t excerpt_bytes;
	uint64_t slower_ns;
	uint8_t follow;
	uint8_t await_exec; /* nothing counts until the first execve */
	uint8_t stacks;
	uint8_t signals;
	uint8_t failed_only;
	uint8_t errnos; /* errno_wanted is looked at */
	uint8_t nfds, npaths;
	int32_t fd[TRACE_FILTER_FDS];
	struct trace_path_filter path[TRACE_PATHS];
	uint64_t errno_wanted[4]; /* a bit per errno below 256 */
};

/* ---- the summary ---- */

#define TRACE_BUCKETS 128 /* 4 a power of two, from 64 ns on: see trace_summary.h */
#define TRACE_SUMMARY_KEYS 16384

struct trace_sum_key {
	uint32_t task; /* pid or tid, as asked for; 0: all together */
	uint32_t call;
};

struct trace_sum {
	uint64_t count, errors, total_ns, max_ns;
	uint32_t bucket[TRACE_BUCKETS];
};

#endif
