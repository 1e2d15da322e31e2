#include "base/vec.h"

#include <errno.h>
#include <stdint.h>

#include "base/check.h"

struct item {
	uint64_t a;
	char b;
};

static void test_push(void)
{
	VEC(struct item) items = { 0 };

	for (uint64_t i = 0; i < 1000; i++) {
		struct item *item = vec_push(&items);
		CHECK(item && item->a == 0 && item->b == 0);
		*item = (struct item){ i, 'x' };
	}
	CHECK_U64(items.n, 1000);
	uint64_t sum = 0;
	vec_each(item, &items)
		sum += item->a;
	CHECK_U64(sum, 999 * 1000 / 2);
	vec_free(&items);
	CHECK(items.v == NULL && items.n == 0 && items.capacity == 0);
}

/* A refilled vec gives zeroed elements without new storage. */
static void test_refill(void)
{
	VEC(struct item) items = { 0 };

	for (int i = 0; i < 100; i++)
		vec_push(&items)->a = 7;
	struct item *storage = items.v;
	items.n = 0;
	for (int i = 0; i < 100; i++)
		CHECK_U64(vec_push(&items)->a, 0);
	CHECK(items.v == storage);
	vec_free(&items);
}

static void test_reserve(void)
{
	VEC(struct item) items = { 0 };

	CHECK(vec_reserve(&items, 50) == 0 && items.capacity >= 50 && items.n == 0);
	CHECK(vec_reserve(&items, SIZE_MAX / 2) == -ENOMEM);
	CHECK(vec_reserve(&items, SIZE_MAX) == -ENOMEM);
	CHECK(vec_push(&items) != NULL);
	CHECK(vec_reserve(&items, SIZE_MAX) == -ENOMEM);
	vec_free(&items);
}

static void test_each_of_empty(void)
{
	VEC(struct item) items = { 0 };
	int n = 0;

	vec_each(item, &items)
		n += item->b + 1;
	CHECK(n == 0);
}

int main(void)
{
	test_push();
	test_refill();
	test_reserve();
	test_each_of_empty();
	return check_exit();
}
