/* Looking for work. */
#ifndef RT_WORK_H
#define RT_WORK_H

#include <stdbool.h>

struct fiber;
struct thread;

/* The next fiber for this thread, of its own, of all, or of others; sleeps while there is none. NULL: the run
 * is over. */
struct fiber *find_work(struct thread *t);

/* Whether a queue that anybody may take from holds something. Any thread. */
bool work_anywhere(void);

#endif
