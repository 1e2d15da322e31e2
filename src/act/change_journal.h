/* The journal of changes: what osprey changed on this host and left so, with the way back.
 *
 * For the commands whose work stays when they end: priority, pin, limit, tune. A change has
 * an id, the command line that made it, one object (a process, or a file such as
 * /proc/sys/vm/swappiness or a cgroup's cpu.max), one attribute of it, and values before and
 * after: one pair for a file, one a thread where threads have values of their own.
 *
 *	r = change_journal_open(CHANGE_WRITE, &j, note);       waits for other osprey, bounded
 *	… read the value as it is now …
 *	r = change_begin(j, &change, &id, note);               on storage before it is made
 *	… apply …
 *	r = change_commit(j, id, value_read_back, note);       or change_abort when nothing was done
 *	change_journal_close(j);
 *
 *	r = change_undo(j, id, &access, force, &outcome, note);
 *
 * Or, for a file, all of it in one call: change_file.
 *
 * The promise: what was changed is in the journal, whenever osprey dies. The begin of a change is
 * written and synced before the change is made; a change that was begun and never ended may be
 * made or not, wholly or in part, and undoing looks. (A disk that does not sync within a second
 * is not waited for: all that the journal undoes ends with the running kernel, and the page cache lives
 * as long as that. change_journal_slow tells.)
 *
 * Undoing writes `before` only where the present value still is `after`; where it is
 * `before` already there is nothing to do; where it is neither somebody else has changed it, and it
 * stays unless forced. A pid that belongs to another process now (its start time differs), a
 * cgroup made anew under the old name, a value of before the last boot, make the change obsolete.
 *
 * Place: $OSPREY_STATE_DIR/changes; else /var/lib/osprey/changes for root, and
 * $XDG_STATE_HOME/osprey/changes or ~/.local/state/osprey/changes for others. It must belong to
 * the caller and be writable by nobody else: it is obeyed. Two files: `lock`, held by flock while
 * the journal is open for writing, from before the old values are read until the change is
 * made; and `journal`, a text file, one record a line: a verb, key=value words in which unusual bytes
 * are %XX, and a checksum. Records are only added; a torn one (its checksum is wrong, or its newline
 * missing) is skipped and counted: its change was not made. Reading takes no lock. What is
 * settled is dropped from the front when the file has grown.
 *
 * Why not lab/journal.h: that one belongs to one living guardian, is undone as a whole, last entry
 * first, by whoever finds it without a lock, and then removed; its entries know neither who
 * they are nor what value was set. Here changes outlive their maker on purpose, are undone
 * one by one by name, and never against a third hand. What both do alike, words with %XX, is
 * base/word.h. */
#ifndef OSPREY_ACT_CHANGE_JOURNAL_H
#define OSPREY_ACT_CHANGE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/note.h"
#include "base/vec.h"

struct change_journal;

enum change_mode { CHANGE_READ, CHANGE_WRITE };

/* CHANGE_READ: what is there; a journal that was never written is empty, not an error.
 * CHANGE_WRITE: makes the place, takes the lock. -EBUSY: another osprey holds it for ten
 * seconds (the note names it); -EPERM: the place can be written by others; -EACCES, -EROFS,
 * -ENOSPC…: it cannot be made; the note says what to do. */
int change_journal_open(enum change_mode mode, struct change_journal **ret, struct note *note)
	__attribute__((warn_unused_result));
void change_journal_close(struct change_journal *j); /* NULL is legal */
/* Where the records are: for messages. */
const char *change_journal_path(const struct change_journal *j);
/* Whether storage did not confirm a record in time. */
bool change_journal_slow(const struct change_journal *j);

enum change_kind { CHANGE_FILE, CHANGE_PROCESS };

/* The value of one thread, or that of the object itself (tid 0). */
struct change_value {
	int tid;
	uint64_t start_ticks; /* of the thread: field 22 of its stat; 0 without tid */
	char *before, *after; /* `after` is what was to be set, or was read back */
};

enum change_state {
	CHANGE_BEGUN, /* its maker died, or is at work */
	CHANGE_MADE,
	CHANGE_ABORTED, /* never made */
	CHANGE_UNDONE,
	CHANGE_OBSOLETE, /* its object is gone */
};

struct change {
	uint64_t id;	   /* from 1; never used again */
	uint64_t real_ns;  /* when it was begun */
	char *command;	   /* "priority": the osprey command it belongs to */
	char *who;	   /* the command line */
	uint32_t uid;	   /* who ran it */
	char *boot;	   /* boot_id */
	char *space;	   /* "pid:4026531836": the namespace in which the object is meant; "" when any */
	enum change_kind kind;
	char *path;	   /* of a file; "" */
	uint64_t identity; /* inode of a cgroup's or sysfs file; 0: it has none that lasts */
	int pid;	   /* of a process */
	uint64_t start_ticks;
	char *comm;	 /* of the process, for people; "" */
	char *attribute; /* "nice"; of a file usually its short name: "vm.swappiness" */
	VEC(struct change_value) value;
	enum change_state state;
	uint64_t settled_ns; /* when it was undone or found obsolete; 0 */
};

/* Fills what the journal knows better than the caller, boot, space, identity and time, and
 * writes the change down. Of `c` it reads command, kind, path or pid/start_ticks/comm, attribute and
 * value (at least one); all strings are borrowed, NULL stands for "". The command line is that of the
 * calling process. On failure nothing is written, and nothing may be changed. */
int change_begin(struct change_journal *j, const struct change *c, uint64_t *ret_id, struct note *note)
	__attribute__((warn_unused_result));
/* Further values of a change that has begun: threads born meanwhile. Before they are set. */
int change_more(struct change_journal *j, uint64_t id, const struct change_value *value, size_t nvalue,
		struct note *note) __attribute__((warn_unused_result));
/* It is made. `after`: the value as read back, where the kernel rounds, for all values of the
 * change; NULL: as begun. */
int change_commit(struct change_journal *j, uint64_t id, const char *after, struct note *note)
	__attribute__((warn_unused_result));
/* It was not made, or is taken back wholly. */
int change_abort(struct change_journal *j, uint64_t id, struct note *note)
	__attribute__((warn_unused_result));

/* ---- reading ---- */

struct change_list {
	VEC(struct change) change; /* by id */
	size_t ntorn;		   /* records that could not be read */
	uint64_t last_id;	   /* the highest that was ever given */
};

int changes_list(struct change_journal *j, struct change_list *ret, struct note *note)
	__attribute__((warn_unused_result));
void change_list_deinit(struct change_list *l);
/* NULL: none of that id. */
const struct change *change_find(const struct change_list *l, uint64_t id);
/* Whether it may still be in force: begun or made. */
bool change_is_open(const struct change *c);
const char *change_state_name(enum change_state s);
/* Pure: the records of a journal's text. */
int change_list_parse(struct span text, struct change_list *ret) __attribute__((warn_unused_result));

/* ---- undoing ---- */

/* How values of a change are read and set. Processes bring their own (act/process_attribute.h);
 * files have change_file_access. */
struct change_access {
	/* The present value as text. -ESRCH: the thread or process ended, or its pid is another's
	 * now; -ENOENT: the file is gone or another. */
	int (*read)(const struct change *c, const struct change_value *v, struct buf *ret, struct note *note);
	int (*write)(const struct change *c, const struct change_value *v, const char *text, struct note *note);
	/* Whether two texts are the same value; NULL: equal but for white space. */
	bool (*same)(const struct change *c, const char *a, const char *b);
};

/* Whole files; of "none [mq-deadline] kyber" the word in brackets. Undoes by one write. */
extern const struct change_access change_file_access;

struct change_outcome {
	size_t restored, already, gone; /* values: set back; found as before; their thread ended */
	size_t foreign;	 /* changed by somebody else since, and left */
	size_t failed;	 /* could not be read or set */
	char now[96];	 /* the first value that somebody else had set, left or forced; "" */
	bool obsolete;	 /* nothing of the object is left */
	struct note why; /* of the obsolete; of the first failure */
};

/* Undoes one change. 0: settled (it is undone, or obsolete, says *ret), or it was settled
 * already (-EALREADY). -ESTALE: somebody else changed it since; `force` writes all the same.
 * -ENOENT: no such id. -EPERM…: the first failure; what could be undone is, and it may
 * be tried again. *ret is filled in all these cases but -ENOENT. */
int change_undo(struct change_journal *j, uint64_t id, const struct change_access *access, bool force,
		struct change_outcome *ret, struct note *note) __attribute__((warn_unused_result));
/* The same look without touching anything: for lists and --dry-run. `restored` then
 * counts what would be. */
int change_look(const struct change *c, const struct change_access *access, struct change_outcome *ret)
	__attribute__((warn_unused_result));
/* The newest open change of the same object and attribute after `c`: what to undo first. NULL: none. */
const struct change *change_over(const struct change_list *l, const struct change *c);

/* ---- a file in one call ---- */

/* Reads `path`, journals, writes `text`, reads back. *ret_before and *ret_after are what was there and
 * what is (each nullable, appended). -EALREADY: it has this value, nothing was done. A refused
 * write leaves an aborted change. */
int change_file(struct change_journal *j, const char *command, const char *attribute, const char *path,
		const char *text, uint64_t *ret_id, struct buf *ret_before, struct buf *ret_after,
		struct note *note) __attribute__((warn_unused_result));
/* What it says now, as change_file_access reads it. */
int change_file_read(const char *path, struct buf *ret, struct note *note) __attribute__((warn_unused_result));

#endif
