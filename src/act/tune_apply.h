/* Putting advice into force, and taking it back: through the journal of changes, so that what
 * osprey set can be undone after it is gone, and only while nobody else has set it since.
 *
 * vm.dirty_bytes and its like set their ratio to 0 and cannot be set back to 0 themselves; such a
 * change is journalled as one of the ratio (20 → 0), whose undoing sets the bytes to 0.
 *
 * A value of another network namespace is set from within it; undoing looks for a process that
 * lives there. Privilege: root; CAP_SYS_ADMIN to enter namespaces. */
#ifndef OSPREY_ACT_TUNE_APPLY_H
#define OSPREY_ACT_TUNE_APPLY_H

#include "act/change_journal.h"
#include "act/tune_watch.h"

#define TUNE_COMMAND "tune" /* in the journal */

struct tune_done {
	uint64_t id; /* of the change */
	char before[96], after[96];
	bool as_advised; /* read back, it is what was written; else the kernel rounded */
};

/* 0; -EALREADY: it has that value. Other errors: nothing was changed, and the note says why and what
 * would help. */
int tune_apply(struct change_journal *j, const struct tune_item *item, const struct tune_place *place,
	       struct tune_done *ret, struct note *note) __attribute__((warn_unused_result));

/* Undoes one change of tune; as change_undo. -ENOENT also when it is none of tune's. */
int tune_rollback(struct change_journal *j, const struct change *c, bool force, struct change_outcome *ret,
		  struct note *note) __attribute__((warn_unused_result));
/* What rolling back would do: as change_look. */
int tune_rollback_look(const struct change *c, struct change_outcome *ret) __attribute__((warn_unused_result));
static inline bool tune_owns(const struct change *c)
{
	return strcmp(c->command, TUNE_COMMAND) == 0;
}

/* The shell command that does it, the one that undoes it, and what makes it last over a boot: a
 * line and the file that it belongs into. Pure. */
void tune_command(const struct tune_item *item, const struct tune_place *place, char *ret, size_t size);
void tune_undo_command(const struct tune_item *item, const struct tune_place *place, char *ret, size_t size);
void tune_permanent(const struct tune_item *item, const struct tune_place *place, char *ret_file, size_t file_size,
		    char *ret_line, size_t line_size);

#endif
