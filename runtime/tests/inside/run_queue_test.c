/* The ring: an owner and thieves get each fiber once, each of them in the order in which they were
 * appended. */
#include <pthread.h>
#include <string.h>

#include "check.h"
#include "delays.h"
#include "run_queue.h"

#define FIBERS 30000
#define THIEVES 2

static struct processor processor;
static struct fiber *fibers;
static _Atomic uint8_t taken[FIBERS];
static _Atomic bool over;

static uint32_t number(const struct fiber *f)
{
	return (uint32_t)f->creator_id;
}

static void take(uint32_t most, int64_t *last)
{
	struct fiber *got[RING / 2];
	uint32_t n = run_queue_take(&processor, most, got);

	CHECK(n <= most);
	for (uint32_t i = 0; i < n; i++) {
		CHECK((int64_t)number(got[i]) > *last);
		*last = number(got[i]);
		CHECK(atomic_fetch_add(&taken[*last], 1) == 0);
	}
}

static void *steals(void *arg)
{
	int64_t last = -1;
	uint32_t luck = (uint32_t)(uintptr_t)arg;

	while (!atomic_load(&over)) {
		luck = luck * 1664525 + 1013904223;
		uint32_t n = run_queue_length(&processor);
		CHECK(n <= RING);
		take(luck >> 31 ? n - n / 2 < RING / 2 ? n - n / 2 : RING / 2 : 1 + (luck >> 20) % 7, &last);
	}
	return NULL;
}

int main(void)
{
	pthread_t thieves[THIEVES];
	int64_t last = -1;

	fibers = calloc(FIBERS, sizeof *fibers);
	/* The counts pass zero on the way. */
	processor.head = processor.tail = UINT32_MAX - FIBERS / 2;
	delays_begin(3, 500);
	for (uintptr_t i = 0; i < THIEVES; i++)
		CHECK(pthread_create(&thieves[i], NULL, steals, (void *)(i + 1)) == 0);
	for (uint32_t i = 0; i < FIBERS; i++) {
		fibers[i].creator_id = i;
		while (!run_queue_append(&processor, &fibers[i]))
			take(RING / 2, &last);
		if (i % 3 == 0)
			take(1 + i % BATCH, &last);
	}
	while (run_queue_length(&processor))
		take(BATCH, &last);
	atomic_store(&over, true);
	for (int i = 0; i < THIEVES; i++)
		pthread_join(thieves[i], NULL);
	for (uint32_t i = 0; i < FIBERS; i++)
		CHECK(taken[i] == 1);
	free(fibers);
	return check_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
