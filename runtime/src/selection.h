/* What a fiber in rt_select waits for: the object of FIBER_WAIT_SELECT, on the fiber's own stack. */
#ifndef RT_SELECTION_H
#define RT_SELECTION_H

#include "chan.h"

/* Cases in the order in which their channels are locked, with their waiters. */
struct selection {
	struct rt_case *cases;
	size_t n;
	uint16_t *order;
	struct waiter *waiters;
	size_t channels;
	struct waiting *waiting;	/* NULL when only the channels can end it */
};

#endif
