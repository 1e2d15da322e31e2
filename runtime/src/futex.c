#include "futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "osprey/rt/fiber.h"

void futex_wait(_Atomic uint32_t *word, uint32_t value, int64_t deadline)
{
	int kept = errno;
	struct timespec until = { deadline / 1000000000, deadline % 1000000000 };

	/* The bitset form takes an absolute time. */
	syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, value,
		deadline == INT64_MAX ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
	errno = kept;
}

void futex_nap(int64_t ns)
{
	_Atomic uint32_t never = 0;

	futex_wait(&never, 0, rt_now() + ns);
}

void futex_wake(_Atomic uint32_t *word, int most)
{
	int kept = errno;

	syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, most, NULL, NULL, 0);
	errno = kept;
}
