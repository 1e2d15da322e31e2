/* Ctrl-C and its like end what runs early, not abruptly. */
#ifndef OSPREY_CMD_INTERRUPT_H
#define OSPREY_CMD_INTERRUPT_H

/* Nonzero after SIGINT, SIGTERM or SIGHUP. */
extern volatile int interrupted;

/* From now on these signals set `interrupted` and end sleeps (EINTR); a second one finds its
 * default action. */
void interrupt_catch(void);

#endif
