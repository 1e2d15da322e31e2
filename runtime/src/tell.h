/* What people are told of fibers when a program ends by its own fault: on standard error, without
 * allocation. */
#ifndef RT_TELL_H
#define RT_TELL_H

#include "fiber.h"

struct thread;

/* A piece of text of up to 1 KiB. Async-signal-safe, as what follows is (dprintf is not: it allocates). */
void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "fiber 12 (name), started by fiber 3: waits for a mutex 0x…", a line. */
void tell_fiber(const struct fiber *f);

/* The caller's frames, a line each; one that calls itself is told once. Without the first `skip` of them. */
void tell_stack(int skip);

/* Where the fiber was started, a line, for below its frames. */
void tell_origin(const struct fiber *f);

/* Every fiber that waits, with its stack, by the thread that runs none. Nobody runs meanwhile. */
void tell_waiting(struct thread *t);

/* A fiber that is parked, with its stack; it stays parked as it was. Inside, by a thread whose running fiber
 * is another, or none. */
void tell_parked(struct thread *t, struct fiber *f);

/* On the stack of a fiber that is shown (LEAVE_SHOW): tells it, and goes back. */
void tell_shown(struct thread *t, struct fiber *f);

#endif
