/* What a program must not do with the runtime ends here: one line that says what, then the fiber and who
 * started it. */
#ifndef RT_MISUSE_H
#define RT_MISUSE_H

#define MISUSE_OUTSIDE "a function for fibers was called outside of rt_run"

_Noreturn void misuse(const char *format, ...) __attribute__((format(printf, 1, 2), cold));

#endif
