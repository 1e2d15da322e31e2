#include "base/map.h"

#include "base/check.h"

static void test_many(void)
{
	struct map m = { 0 };

	CHECK(map_get(&m, 1) == MAP_NONE);
	for (uint32_t i = 1; i <= 20000; i++)
		CHECK(map_set(&m, i, i * 2) == 0);
	for (uint32_t i = 1; i <= 20000; i++)
		if (map_get(&m, i) != i * 2)
			CHECK_U64(map_get(&m, i), i * 2);
	CHECK(map_get(&m, 20001) == MAP_NONE);
	CHECK_U64(m.n, 20000);
	map_deinit(&m);
	CHECK(map_get(&m, 1) == MAP_NONE);
}

static void test_replace_and_clear(void)
{
	struct map m = { 0 };

	CHECK(map_set(&m, UINT64_MAX, 1) == 0 && map_set(&m, UINT64_MAX, 2) == 0);
	CHECK_U64(map_get(&m, UINT64_MAX), 2);
	CHECK_U64(m.n, 1);
	map_clear(&m);
	CHECK(m.n == 0 && map_get(&m, UINT64_MAX) == MAP_NONE);
	CHECK(map_set(&m, 5, 0) == 0 && map_get(&m, 5) == 0);
	map_clear(&m);
	map_clear(&m);
	map_deinit(&m);
}

/* Keys that share their low bits: the hash must spread them. */
static void test_strided_keys(void)
{
	struct map m = { 0 };

	for (uint64_t i = 1; i <= 4096; i++)
		CHECK(map_set(&m, i << 32, (uint32_t)i) == 0);
	for (uint64_t i = 1; i <= 4096; i++)
		if (map_get(&m, i << 32) != i)
			CHECK_U64(map_get(&m, i << 32), i);
	map_deinit(&m);
}

/* Removed in any order, in a crowded map: all others stay to be found. */
static void test_remove(void)
{
	struct map m = { 0 };
	bool there[3001] = { false };
	uint64_t seed = 7;

	map_remove(&m, 1);
	for (int step = 0; step < 20000; step++) {
		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
		uint64_t key = 1 + (seed >> 33) % 3000;
		if (seed >> 20 & 1) {
			CHECK(map_set(&m, key, (uint32_t)key) == 0);
			there[key] = true;
		} else {
			map_remove(&m, key);
			there[key] = false;
		}
	}
	size_t n = 0;
	for (uint64_t key = 1; key <= 3000; key++) {
		CHECK_U64(map_get(&m, key), there[key] ? key : MAP_NONE);
		n += there[key];
	}
	CHECK_U64(m.n, n);
	map_deinit(&m);
}

static void test_hash(void)
{
	/* FNV-1a test vectors by its authors. */
	CHECK_U64(map_hash("", 0), UINT64_C(0xcbf29ce484222325));
	CHECK_U64(map_hash("a", 1), UINT64_C(0xaf63dc4c8601ec8c));
	CHECK_U64(map_hash("foobar", 6), UINT64_C(0x85944171f73967e8));
}

int main(void)
{
	test_many();
	test_replace_and_clear();
	test_strided_keys();
	test_remove();
	test_hash();
	return check_exit();
}
