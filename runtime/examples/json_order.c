/* Reads an order in JSON (or, with -t, in TOML), prints it as C has it, and writes it as JSON.
 *
 *	cc -g -c json_order.c $(pkg-config --cflags osprey-rt)
 *	osprey-rt-types -o types.c json_order.o
 *	cc json_order.o types.c $(pkg-config --cflags --libs osprey-rt)
 *	echo '{"id": 7, "customer": "Ann", "items": [{"name": "tea", "price": 4.5}]}' | ./a.out
 *
 * In a Makefile:
 *
 *	TYPES := $(shell pkg-config --variable=types osprey-rt)
 *	%.types.c: %.o
 *		$(TYPES) -o $@ $<
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <osprey/rt.h>

enum state { ORDER_NEW, ORDER_PAID, ORDER_SENT };
RT_REFLECT(enum state, (*, prefix = "ORDER_", lower));

struct item {
	char *name;
	double price;
	unsigned amount;
};
RT_REFLECT(struct item,
	(name, required),
	(price, min = 0, unit = "EUR"),
	(amount, min = 1, initial = 1));

struct order {
	uint64_t id;
	char *customer;
	char *card;
	enum state state;
	struct item *items;
	size_t nitems;
};
RT_REFLECT(struct order,
	(id, required, min = 1),
	(customer, required, max = 100),
	(card, secret, omitempty),
	(items, count = nitems, max = 1000));

static int to_file(void *file, const char *bytes, size_t n)
{
	return fwrite(bytes, 1, n, file) == n ? 0 : -1;
}

int main(int argc, char **argv)
{
	static char text[1 << 16];
	struct rt_encode_options pretty = { .indent = 2, .mask_secrets = true };
	struct rt_problem problem;
	struct order order;
	bool toml = argc == 2;

	if (argc > 2 || (argc == 2 && strcmp(argv[1], "-t") != 0)) {
		fprintf(stderr, "usage: json_order [-t]\n");
		return 2;
	}
	size_t n = fread(text, 1, sizeof text, stdin);
	int r = toml ? rt_toml_decode(RT_TYPE(struct order), text, n, NULL, &order, &problem) :
		       rt_json_decode(RT_TYPE(struct order), text, n, NULL, &order, &problem);
	if (r < 0) {
		fprintf(stderr, "%u:%u: %s: %s\n", problem.line, problem.column, problem.path, problem.reason);
		return EXIT_FAILURE;
	}
	r = rt_print(RT_TYPE(struct order), &order, NULL, to_file, stdout);
	if (r == 0)
		r = rt_json_encode(RT_TYPE(struct order), &order, &pretty, to_file, stdout, &problem);
	putchar('\n');
	rt_clear(RT_TYPE(struct order), &order, NULL);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
