/* What the C and C++ targets share. A target prints "ready" when it is what it claims to be, and stays so until it
 * is killed; it dies with the shell that started it. */
#ifndef OSPREY_DIG_TARGET_H
#define OSPREY_DIG_TARGET_H

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static inline void die_with_parent(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == 1)
		exit(1);
}

static inline void ready(void)
{
	puts("ready");
	fflush(stdout);
}

static inline void fails(const char *what)
{
	perror(what);
	exit(1);
}

#endif
