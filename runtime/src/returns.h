/* How functions that switch return. The CPU guesses where a return goes by the calls that it has seen, and
 * behind a switch it has seen those of the fiber that was left: a wrong guess costs more than the switch.
 * It is right where both fibers were called from the same place; where not, a jump is better, since jumps
 * are guessed by where they went before.
 *
 * So a function that is marked RETURNS_FROM_SWITCH ends in __x86_return_thunk (context_x86_64.S), which
 * returns if the guess will be right and jumps if not. Whoever leaves a fiber has said what will be
 * guessed: returns_guessed. A function that seldom switches calls the part that does last, and only that
 * part is marked: elsewhere a plain return is right, and cheaper. */
#ifndef RT_RETURNS_H
#define RT_RETURNS_H

#include "thread.h"

/* The name is that of the function, with what the marked part does: "rt_send.waits". */
#if defined __x86_64__ && __has_attribute(function_return)
#define RETURNS_FROM_SWITCH __attribute__((noinline, function_return("thunk-extern")))
#else
#define RETURNS_FROM_SWITCH __attribute__((noinline))
#endif

/* The next return on this thread will be guessed to be that of the function that this is inlined into. */
SANITIZER_INLINE void returns_guessed(struct thread *t)
{
	t->returns_to = __builtin_return_address(0);
}

#endif
