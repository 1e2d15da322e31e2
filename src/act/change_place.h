/* Where the journal of changes lies, its lock, and in what world a change was made. Internal to
 * act/change_*.c. */
#ifndef OSPREY_ACT_CHANGE_PLACE_H
#define OSPREY_ACT_CHANGE_PLACE_H

#include "act/change_journal.h"

#define PLACE_MAX 1024
#define SPACE_MAX 48

/* The directory of this user's journal, into PLACE_MAX bytes. */
int place_of_user(char *ret, struct note *note) __attribute__((warn_unused_result));
/* Makes it with its parents; opens it. -EPERM: others can write there. */
int place_make(const char *dir, int *ret_fd, struct note *note) __attribute__((warn_unused_result));
/* -ENOENT: nothing was ever changed. */
int place_open(const char *dir, int *ret_fd, struct note *note) __attribute__((warn_unused_result));
/* Waits ten seconds at most. */
int place_lock(const char *dir, int dir_fd, int *ret_fd, struct note *note) __attribute__((warn_unused_result));

/* "" when it cannot be had. */
void place_boot_id(char *ret, size_t size);
/* Of this process; empty when it cannot be had. */
void place_command_line(struct buf *ret);
/* The namespace in which the object of `c` is meant, into SPACE_MAX bytes; "" when it is the same in all. */
void space_of(const struct change *c, char *ret);

/* A record that settles a change. */
int change_settle(struct change_journal *j, uint64_t id, enum change_state state, struct note *note)
	__attribute__((warn_unused_result));

#endif
