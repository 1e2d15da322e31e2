/* Edges are counted by a number that begins anew: who has noted one 2^32 edges ago is woken by this one. */
#include "net/descriptor.h"

#include <errno.h>
#include <unistd.h>

#include "check.h"

/* Who is not woken before is not woken at all. */
#define MOST (20 * 1000 * MS)

static struct rt_fd server, client;

static int answers(void *arg)
{
	int64_t deadline;
	char byte;

	(void)arg;
	while (rt_read(server, &byte, 1, RT_FOREVER) == 1) {
		deadline = rt_now() + MOST;
		CHECK(rt_write(server, &byte, 1, deadline) == 1 && rt_now() < deadline);
	}
	return 0;
}

static void ask(int times)
{
	char byte = 'x';

	while (times-- > 0) {
		int64_t deadline = rt_now() + MOST;
		CHECK(rt_write(client, &byte, 1, deadline) == 1);
		CHECK(rt_read(client, &byte, 1, deadline) == 1 && rt_now() < deadline);
	}
}

static void connect_both(void)
{
	struct rt_address a;
	struct rt_fd listener;

	CHECK(rt_address_parse("127.0.0.1:0", &a) == 0);
	CHECK(rt_listen(&a, NULL, &listener) == 0);
	CHECK(rt_local_address(listener, &a) == 0);
	CHECK(rt_connect(&a, &client, RT_FOREVER) == 0);
	CHECK(rt_accept(listener, NULL, &server, RT_FOREVER) == 0);
	CHECK(rt_fd_close(listener) == 0);
}

/* As after many requests, each of which was an edge: writing has noted none but the first, if any. */
static void skip(struct descriptor *d, uint32_t edges)
{
	short_lock_take(&d->lock);
	bool drained = descriptor_drained(d, READING);
	atomic_store(&d->edges, edges);
	atomic_store(&d->drained[READING], drained ? edges : edges - 1);
	short_lock_give(&d->lock);
}

static int edges_begin_anew(void *arg)
{
	struct rt_fiber fiber;

	(void)arg;
	connect_both();
	CHECK(rt_spawn(answers, NULL, NULL, &fiber) == 0);
	ask(5);
	rt_sleep(2 * MS);
	struct descriptor *d = descriptor_at(server.at);
	uint32_t noted = atomic_load(&d->drained[WRITING]);
	skip(d, noted - 4);
	ask(12);
	CHECK(atomic_load(&d->edges) - noted < UINT32_MAX / 2);
	CHECK(rt_fd_close(client) == 0);
	CHECK(rt_join(fiber, NULL, RT_FOREVER) == 0);
	CHECK(rt_fd_close(server) == 0);
	return 0;
}

int main(void)
{
	return check_all(&(struct check_test){ "edges begin anew", edges_begin_anew }, 1);
}
