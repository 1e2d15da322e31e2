/* For tests/runtime/reflect.sh: reads one text a line (of TOML: "\x1e" in place of the ends of its lines),
 * and says what becomes of it.
 *
 *	reflect_oracle order|check|toml|toml-check|look
 *
 * order, toml: decodes a struct order and writes it as JSON again. check, toml-check: whether it is JSON or
 * TOML at all. look: prints the address of a struct order and waits for the end of its input. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <osprey/rt.h>

#include "reflect_types.h"

struct nothing {
	int unlikely;
};
RT_REFLECT(struct nothing, (unlikely, name = "an unlikely name"));

static struct item items[] = { { "tea", 4.5, 2, "T1" }, { "pot", 12, 1, "P9" } };
static int32_t discount = -7;
struct order order_looked_at = { .id = 77, .customer = "Ann", .items = items, .nitems = 2, .state = STATE_PAID, .secret = "hush",
				 .discount = &discount };

static void tell(int r, const struct rt_problem *p)
{
	printf("error %d %u:%u %s: %s\n", r, p->line, p->column, p->path, p->reason);
}

static void order(const char *text, size_t n, bool toml)
{
	struct rt_problem problem;
	struct order o;
	char *again;
	int r = toml ? rt_toml_decode(RT_TYPE(struct order), text, n, NULL, &o, &problem) :
		       rt_json_decode(RT_TYPE(struct order), text, n, NULL, &o, &problem);

	if (r == 0) {
		r = rt_json_encode_text(RT_TYPE(struct order), &o, NULL, NULL, &again, &n, &problem);
		if (r == 0)
			puts(again);
		if (r == 0)
			free(again);
		rt_clear(RT_TYPE(struct order), &o, NULL);
	}
	if (r < 0)
		tell(r, &problem);
}

static void check(const char *text, size_t n, bool toml)
{
	struct rt_decode_options o = { .flags = RT_DECODE_UNKNOWN };
	struct rt_problem problem;
	struct nothing nothing;
	int r = toml ? rt_toml_decode(RT_TYPE(struct nothing), text, n, &o, &nothing, &problem) :
		       rt_json_decode(RT_TYPE(struct nothing), text, n, &o, &nothing, &problem);

	if (r < 0)
		tell(r, &problem);
	else
		puts("ok");
}

static void line(const char *mode, char *text, size_t n)
{
	bool toml = strncmp(mode, "toml", 4) == 0;

	for (size_t i = 0; toml && i < n; i++)
		text[i] = text[i] == '\x1e' ? '\n' : text[i];
	/* A copy of its very size: whoever reads behind its end is seen by a sanitizer. */
	char *copy = malloc(n ? n : 1);
	if (!copy)
		abort();
	memcpy(copy, text, n);
	if (strstr(mode, "check"))
		check(copy, n, toml);
	else
		order(copy, n, toml);
	free(copy);
}

int main(int argc, char **argv)
{
	char *text = NULL;
	size_t room = 0;
	ssize_t n;

	if (argc != 2)
		return 2;
	if (strcmp(argv[1], "look") == 0) {
		printf("%d %#jx\n", (int)getpid(), (uintmax_t)(uintptr_t)&order_looked_at);
		fflush(stdout);
		while (getchar() != EOF)
			;
		return 0;
	}
	while ((n = getline(&text, &room, stdin)) > 0)
		line(argv[1], text, (size_t)n - (text[n - 1] == '\n'));
	free(text);
	return 0;
}
