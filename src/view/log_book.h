/* The kernel log, read and decoded: records, events, and groups of events that are alike, each with the
 * time of day. What `osprey log` shows. */
#ifndef OSPREY_VIEW_LOG_BOOK_H
#define OSPREY_VIEW_LOG_BOOK_H

#include "base/map.h"
#include "source/kernel_log/decode.h"
#include "source/kernel_log/log_clock.h"
#include "source/kernel_log/ring.h"
#include "source/process/elf_symbol.h"

struct log_wanted {
	uint64_t since_ns, until_ns; /* CLOCK_REALTIME; 0 and UINT64_MAX: all */
	bool since_cleared;	     /* only what was written since `dmesg -C` */
	uint32_t levels;	     /* bit per level; 0: all */
	uint32_t facilities;	     /* bit per facility, of records; 0: all */
	uint64_t kinds;		     /* bit per enum log_kind; 0: all */
	bool from_now;		     /* only what is written from now on (following) */
	const char *const *binaries; /* directories in which files of segfaults are looked for first; NULL: none */
	size_t nbinaries;
};
_Static_assert(LOG_KINDS <= 64, "log_wanted.kinds");

struct log_entry {
	struct log_record record; /* points into the book's text */
	reading real_ns;
	enum log_kind kind; /* the event it is part of; LOG_KINDS: none */
};

/* Where a segfault happened, as the file says. */
struct log_symbol {
	enum {
		LOG_SYMBOL_NONE,     /* not looked for: no file is told */
		LOG_SYMBOL_NO_FILE,  /* none of that name here */
		LOG_SYMBOL_OTHER,    /* one of that name, but not the one that ran: its code differs */
		LOG_SYMBOL_STRIPPED, /* the file, but no symbol covers the place */
		LOG_SYMBOL_FOUND,
	} state;
	bool sure;     /* its code at that place is what the kernel wrote down */
	char path[256];
	struct elf_symbol symbol;
};

/* Files of the programs that run now, one a line; read when the first is looked for. */
struct log_running {
	bool read;
	struct buf paths;
};

struct log_happening {
	struct log_event event;
	reading real_ns;
	struct log_symbol *symbol; /* owned; NULL: no segfault or trap */
};

struct log_group {
	enum log_kind kind;
	enum log_severity severity;
	uint64_t count, good_count;	  /* bad ones, and good ends */
	uint64_t objects;		  /* different cgroups, devices… that are told apart by numbers alone */
	uint64_t first, last;		  /* positions in `happenings`, of all */
	uint64_t latest;		  /* the last bad one, or the last when all are good */
	reading first_real_ns, last_real_ns;
	bool ended_well;		  /* the last was good */
};

struct log_book {
	struct buf text;
	VEC(struct log_entry) entries;	      /* that are wanted; in the order of the ring */
	VEC(struct log_happening) happenings; /* that are wanted, in the order of their first lines */
	VEC(struct log_group) groups;	      /* worst first, then the most recent */
	struct log_clock clock;
	uint64_t all_records;		/* in the ring */
	uint64_t oldest_sequence;
	reading oldest_real_ns;		/* of the whole ring; absent: no record, or no times */
	uint64_t lost;			/* overwritten while it was read: gaps in the numbers */
	uint64_t cleared;		/* records before `dmesg -C` */
	struct host *host;
	struct log_ring *ring;
	struct log_decoder *decoder;
	struct buf scratch;
	struct log_running running;
	uint64_t next_sequence;
	bool any;			/* next_sequence is set */
};

/* 0; -errno of log_ring_new with its note. */
int log_book_new(struct host *h, const struct log_wanted *wanted, struct log_book **ret, struct note *note)
	__attribute__((warn_unused_result));
void log_book_free(struct log_book *b);

/* Reads what is new since the last call. `keep`: adds it to what is there, makes groups; else entries and
 * happenings hold only what is new (following). Events that may go on are held back until there is
 * `silence`. 0; -ENOMEM; -errno. */
int log_book_read(struct log_book *b, const struct log_wanted *wanted, bool keep, bool silence)
	__attribute__((warn_unused_result));

/* "err", "err,warn", "err+" or "err..": it and worse, "+err": it and less. */
int log_levels_parse(struct span text, uint32_t *ret, struct note *note) __attribute__((warn_unused_result));
int log_facilities_parse(struct span text, uint32_t *ret, struct note *note) __attribute__((warn_unused_result));
/* "oom,segfault": ids of kinds. */
int log_kinds_parse(struct span text, uint64_t *ret, struct note *note) __attribute__((warn_unused_result));
/* What moment_parse knows; "boot": 0. */
int log_time_parse(struct span text, uint64_t now_ns, uint64_t *ret, struct note *note)
	__attribute__((warn_unused_result));

#endif
