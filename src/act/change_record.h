/* Records of the journal of changes: its text, and the list that the text stands for. Pure, and
 * internal to act/change_*.c; act/change_journal.h says what a record is. */
#ifndef OSPREY_ACT_CHANGE_RECORD_H
#define OSPREY_ACT_CHANGE_RECORD_H

#include "act/change_journal.h"

#define CHANGE_JOURNAL_MAX_BYTES (64u << 20) /* no journal is longer; one that is, is refused */
#define CHANGE_RECORD_VALUES 256	     /* that one record holds at most */

/* Each appends one record with its checksum and newline, or nothing and -ENOMEM. */
int record_begin(struct buf *out, const struct change *c, size_t nvalue) __attribute__((warn_unused_result));
int record_more(struct buf *out, uint64_t id, const struct change_value *value, size_t nvalue)
	__attribute__((warn_unused_result));
/* `after` is nullable. */
int record_commit(struct buf *out, uint64_t id, const char *after) __attribute__((warn_unused_result));
int record_settled(struct buf *out, uint64_t id, enum change_state state, uint64_t real_ns)
	__attribute__((warn_unused_result));
/* Ids up to `id` are taken: what remains of records that were dropped. */
int record_last(struct buf *out, uint64_t id) __attribute__((warn_unused_result));
/* All records of one change as it stands. */
int record_change(struct buf *out, const struct change *c) __attribute__((warn_unused_result));

#endif
