/* The file in which a process broke, and the function: log_book's helper. */
#ifndef OSPREY_VIEW_LOG_SYMBOL_H
#define OSPREY_VIEW_LOG_SYMBOL_H

#include "view/log_book.h"

/* The kernel tells the file's name without its directory. Looked for, in this order: what audit told, the
 * directories in `wanted`, programs that run under that name (/proc/PID/exe), where programs and libraries
 * usually are, the current directory. Of those found the first counts whose code at the place is what the
 * kernel wrote down; else, with sure = false, the first that has code there. 0 (*ret is set) or -ENOMEM. */
int log_symbol_find(struct host *h, const struct log_event *e, reading real_ns, const struct log_wanted *wanted,
		    struct log_running *running, struct log_symbol **ret) __attribute__((warn_unused_result));

#endif
