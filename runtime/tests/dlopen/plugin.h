/* What the libraries of this directory have, and those who load them look up by name. */
#ifndef RT_TESTS_PLUGIN_H
#define RT_TESTS_PLUGIN_H

/* plugin.c. 1 and what the program's in_constructor gave, if it has one. */
int plugin_constructed(void);
/* The calling thread's; 42 at first. */
long *plugin_own(void);
int plugin_calls_back(int (*back)(void *), void *arg);

/* carrier.c. A run of its own, with so many processors: the sum of 1 to n, that fibers have sent each other. A negative errno value. */
long carrier_run(unsigned processors, int n);
/* Exits from a fiber of its run. */
void carrier_exit(unsigned processors, int code);

#endif
