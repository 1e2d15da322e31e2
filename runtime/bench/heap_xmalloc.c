/* Producers take blocks and hand them over in batches; consumers free them. Each block is freed by another
 * thread. */
#include "heap.h"

enum { PAIRS = 1, BATCH = 128, BATCHES = 40000, QUEUE = 64 };

struct batch {
	void *blocks[BATCH];
};

struct queue {
	_Atomic uint32_t head __attribute__((aligned(64)));
	_Atomic uint32_t tail __attribute__((aligned(64)));
	struct batch *ring[QUEUE] __attribute__((aligned(64)));
};
static struct queue queues[PAIRS];

static void *produces(void *arg)
{
	struct queue *q = arg;
	uint32_t random = 99;

	for (uint32_t i = 0; i < BATCHES; i++) {
		struct batch *b = malloc(sizeof *b);
		for (int k = 0; k < BATCH; k++) {
			b->blocks[k] = malloc(16 + next_random(&random) % 240);
			*(char *)b->blocks[k] = 1;
		}
		while (i - atomic_load_explicit(&q->tail, memory_order_acquire) == QUEUE)
			usleep(20);
		q->ring[i % QUEUE] = b;
		atomic_store_explicit(&q->head, i + 1, memory_order_release);
	}
	return NULL;
}

static void *consumes(void *arg)
{
	struct queue *q = arg;

	for (uint32_t i = 0; i < BATCHES; i++) {
		while (atomic_load_explicit(&q->head, memory_order_acquire) == i)
			usleep(20);
		struct batch *b = q->ring[i % QUEUE];
		for (int k = 0; k < BATCH; k++)
			free(b->blocks[k]);
		free(b);
		atomic_store_explicit(&q->tail, i + 1, memory_order_release);
	}
	return NULL;
}

static void *either(void *arg)
{
	size_t i = (size_t)arg;

	return i % 2 ? consumes(&queues[i / 2]) : produces(&queues[i / 2]);
}

int main(void)
{
	void *args[2 * PAIRS];

	for (size_t i = 0; i < 2 * PAIRS; i++)
		args[i] = (void *)i;
	double from = cpu_ns();
	threads_run(2 * PAIRS, either, args);
	printf("ns %.2f\n", (cpu_ns() - from) / (PAIRS * (double)BATCHES * BATCH));
	return 0;
}
