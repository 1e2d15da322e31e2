/* Processors and threads that have nothing to do, and who calls them. */
#ifndef RT_IDLE_H
#define RT_IDLE_H

#include "scheduler.h"

/* Under the scheduler's lock. NULL: there is none. */
struct processor *idle_processor_take(void);
/* False: it is not idle any more. */
bool idle_processor_remove(struct processor *p);
void idle_processor_put(struct processor *p);

/* Who is to run `p`: one that is wanted (pin.h), or the one that watches its poller, or else one that watches
 * none. Never one to which fibers are pinned that wait. */
struct thread *idle_thread_take(struct processor *p);
void idle_thread_remove(struct thread *t);

/* `t` holds `p` from now on; for a processor that nobody holds. */
void processor_hold(struct thread *t, struct processor *p);

/* One more thread looks for work, unless one does already: it will call the next when it finds more than it
 * can run. */
void wake_another(void);

/* The same for a fiber that is alone ready at `p`. Mostly who made it ready parks, and `p` runs it at once: then a
 * thread that was called for it finds nothing, and has only cost time. The more often that was so, the more
 * turns pass until it is tried again; once one found something it is always called, at first. When `p` does not
 * switch after all, the watcher calls. */
void wake_for_one(struct processor *p);

/* For the watcher, which sees that `p` does not switch: calls a thread if what is ready there could run elsewhere. */
void wake_for_kept(struct processor *p);

/* For the watcher: timers are due, and who would sleep until then runs something. */
void wake_for_timers(int64_t now);

/* The thread no longer looks for work. */
void stop_spinning(struct thread *t, bool found);

/* Sleeps until somebody gives it a processor, or it takes one, since a timer is due
 * or something has happened at its poller. False: the run is
 * over. */
bool thread_sleep(struct thread *t);

/* The processor goes to the idle ones, unless there is work after all. True: there is, and `t` has a
 * processor. */
bool give_up_processor(struct thread *t);

/* Those that sleep look once more whether they should. */
void idle_threads_look_again(void);

#endif
