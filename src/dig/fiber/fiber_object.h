/* What a fiber waits for: the state of the channel, the owner of the mutex, read from the process when asked for. Of a live process it may
 * be newer than the fiber's row. Cost: ~1 us each. */
#ifndef OSPREY_DIG_FIBER_FIBER_OBJECT_H
#define OSPREY_DIG_FIBER_FIBER_OBJECT_H

#include "dig/fiber/fiber_list.h"

struct fiber_fact {
	const char *name; /* in the root */
	enum inspect_role role;
	uint64_t value;
};

struct fiber_object {
	const char *what; /* "channel"; in the root */
	uint64_t address;
	bool sends; /* of a case */
	unsigned nfacts; /* 0: it could not be read, or has none */
	struct fiber_fact fact[INSPECT_FACTS];
};

/* The object of a fiber that waits. False: it waits for none. */
bool fiber_object_read(const struct address_space *a, const struct fiber_list *l, const struct fiber_row *f,
		       struct fiber_object *ret);
/* Those of all fibers with a wait of which `wanted` says so, in batches, each given to `take` with the index of its fiber; those that could
 * not be read are without facts. -ENOMEM, and what `take` gives below 0, which ends it. */
int fiber_objects_read(const struct address_space *a, const struct fiber_list *l, bool (*wanted)(const struct inspect_wait *w),
		       int (*take)(void *arg, size_t i, const struct fiber_object *o), void *arg) __attribute__((warn_unused_result));
/* The same of some fibers: n of them, FIBER_OBJECTS at most; one that waits for nothing gets a `what` of NULL. */
#define FIBER_OBJECTS 256
void fiber_objects_of(const struct address_space *a, const struct fiber_list *l, const size_t *fiber, size_t n,
		      struct fiber_object *ret);
/* The channels of one that selects, as many as `max`; those that are NULL are left out. *ret_all: how many cases it has. */
size_t fiber_cases_read(const struct address_space *a, const struct fiber_list *l, const struct fiber_row *f,
			struct fiber_object *ret, size_t max, uint64_t *ret_all);
/* The fiber that it waits for: the owner of its mutex, the one that it joins. 0: none. */
uint64_t fiber_waits_for(const struct fiber_object *o);

#endif
