/* What was done to one object, and whether some sequence explains it: each operation takes effect at one
 * moment between its beginning and its end (Wing and Gong's search, with the states already seen left
 * out). */
#ifndef RT_TESTS_HISTORY_H
#define RT_TESTS_HISTORY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum object_kind { CHANNEL, MUTEX, RWLOCK, SEMAPHORE, EVENT };

enum action {
	SEND, RECEIVE, CLOSE, LENGTH,
	LOCK, UNLOCK,
	READ_LOCK, READ_UNLOCK, WRITE_LOCK, WRITE_UNLOCK,
	TAKE, POST,
	WAIT, SET, RESET, IS_SET,
	ACTIONS
};

/* The outcome of an operation: it took effect; it did not, for it would have had to wait (or waited in vain);
 * the channel was closed. */
enum outcome { DONE, WOULD_WAIT, CLOSED };

#define HISTORY_FIBERS 4

struct event {
	enum action action;
	enum outcome outcome;
	int fiber;
	bool waits;		/* it may wait; if not, who is to meet it has to */
	bool pending;		/* it waited when nothing went on any more */
	int64_t value;		/* sent, received, counted */
	uint64_t begin, end;	/* in the order of all */
	unsigned op;		/* for who shows it */
	int record;		/* its number among its fiber's */
	int waited[HISTORY_FIBERS];	/* the record of what each fiber was seen to wait for when it began, or -1 */
	uint64_t behind;	/* a bit for each event that comes before it (history_order) */
};

#define MOST_EVENTS 60

struct history {
	enum object_kind kind;
	unsigned capacity;	/* of a channel; of a semaphore, what it began with */
	unsigned n;
	struct event events[MOST_EVENTS];
	uint64_t quiet;		/* when nothing went on any more; UINT64_MAX: it was not waited for that */
};

/* Of objects that serve in order: who was in the list when another came is served first, or gives up. When
 * all events are there. */
void history_order(struct history *h);

/* NULL: a sequence explains it; else what is wrong. */
const char *history_check(const struct history *h);

void history_show(const struct history *h, FILE *to);

extern const char *const action_names[ACTIONS];

#endif
