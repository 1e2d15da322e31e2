#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "dig/symbol/symbol.h"
#include "report/probe.h"

#define SPACES_MAX 256

struct probe_stacks {
	struct symbolizer *symbolizer;
	struct image_store *images;
	VEC(struct space_of {
		int pid;
		struct address_space *space; /* NULL: it could not be read */
	}) spaces;
	char text[512];
};

int probe_stacks_new(struct probe_stacks **ret)
{
	struct probe_stacks *s = calloc(1, sizeof *s);
	struct symbolizer_options options = { 0 };
	int r = s ? image_store_new(&s->images) : -ENOMEM;

	r = r < 0 ? r : symbolizer_new(&options, &s->symbolizer);
	if (r < 0)
		probe_stacks_free(s);
	else
		*ret = s;
	return r;
}

void probe_stacks_free(struct probe_stacks *s)
{
	if (!s)
		return;
	vec_each(space, &s->spaces)
		address_space_free(space->space);
	vec_free(&s->spaces);
	symbolizer_free(s->symbolizer);
	image_store_free(s->images);
	free(s);
}

static struct address_space *space_of(struct probe_stacks *s, int pid)
{
	struct address_space *a = NULL;

	vec_each(known, &s->spaces)
		if (known->pid == pid)
			return known->space;
	if (s->spaces.n >= SPACES_MAX || address_space_of_process(s->images, pid, &a, NULL) < 0)
		a = NULL;
	struct space_of *fresh = s->spaces.n < SPACES_MAX ? vec_push(&s->spaces) : NULL;
	if (!fresh) {
		address_space_free(a);
		return NULL;
	}
	*fresh = (struct space_of){ pid, a };
	return a;
}

void probe_stacks_meet(struct probe_stacks *s, int pid)
{
	(void)!space_of(s, pid);
}

static bool is_mapped(struct address_space *a, uint64_t address)
{
	struct place place;

	if (address_space_find(a, address, &place))
		return true;
	/* A library that was loaded since. */
	return address_space_refresh(a) == 0 && address_space_find(a, address, &place);
}

const char *probe_stacks_name(struct probe_stacks *s, int pid, uint64_t address, bool exact)
{
	const struct symbol *symbol = NULL;
	size_t n = 1;

	if (pid == 0) {
		if (symbolize_kernel(s->symbolizer, address, &symbol) < 0)
			symbol = NULL;
	} else {
		struct address_space *a = space_of(s, pid);
		if (!a || !is_mapped(a, address) || symbolize(s->symbolizer, a, address, exact, &symbol, &n) < 0 || n == 0)
			symbol = NULL;
	}
	if (!symbol || (!symbol->function[0] && !symbol->module[0]))
		snprintf(s->text, sizeof s->text, "0x%" PRIx64, address);
	else if (!symbol->function[0])
		snprintf(s->text, sizeof s->text, "0x%" PRIx64 " (%s)", pid ? symbol->offset : address, symbol->module);
	else
		snprintf(s->text, sizeof s->text, "%.400s+0x%" PRIx64 "%s%.60s%s", symbol->function, symbol->offset,
			 pid ? " (" : "", pid ? symbol->module : "", pid ? ")" : "");
	return s->text;
}
