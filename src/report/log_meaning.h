/* What events of the kernel log mean, in words, and what to do next. */
#ifndef OSPREY_REPORT_LOG_MEANING_H
#define OSPREY_REPORT_LOG_MEANING_H

#include "view/log_book.h"

#define LOG_NEXT_COMMANDS 3

struct log_next {
	const char *condition; /* `osprey explain CONDITION`; NULL: none fits */
	char command[LOG_NEXT_COMMANDS][320]; /* "COMMAND   # what is seen"; "" behind the last */
};

/* Texts are raw: names of the host within them are not yet safe to print. 0 or -ENOMEM. */

/* "OOM kill at the limit of cgroup /a", "I/O error on sda" */
int log_title(const struct log_happening *h, struct buf *ret) __attribute__((warn_unused_result));
/* One to three sentences; nothing when the title says all. */
int log_meaning(const struct log_happening *h, struct buf *ret) __attribute__((warn_unused_result));
void log_next_of(const struct log_happening *h, struct log_next *ret);

#endif
