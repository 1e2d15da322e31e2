#include "base/order.h"

#include <stdbool.h>
#include <string.h>

#include "base/check.h"

#define N 5000

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 20 ^ *state << 40;
}

static void check_order(const uint64_t *key, size_t n)
{
	uint32_t order[N];
	static bool seen[N];

	memset(seen, 0, sizeof seen);
	CHECK(order_of((struct order_keys){ key, sizeof *key }, n, order) == 0);
	for (size_t i = 0; i < n; i++) {
		CHECK(order[i] < n && !seen[order[i]]);
		seen[order[i]] = true;
		if (i > 0)
			CHECK(key[order[i - 1]] < key[order[i]] ||
			      (key[order[i - 1]] == key[order[i]] && order[i - 1] < order[i]));
	}
}

int main(void)
{
	static uint64_t key[N];
	uint64_t state = 7;

	check_order(key, 0);
	check_order(key, 1);
	check_order(key, N); /* all of them 0 */
	for (size_t i = 0; i < N; i++)
		key[i] = next_random(&state);
	check_order(key, N);
	for (size_t i = 0; i < N; i++)
		key[i] %= 300; /* many are equal */
	check_order(key, N);
	key[3] = UINT64_MAX;
	key[4] = 1ull << 63;
	check_order(key, N);
	return check_exit();
}
