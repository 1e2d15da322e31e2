#include "conditions/conditions.h"

/* Guides are part of the binary: the burning host may have nothing else. Their lengths are
 * in the object too, so that the table below is constant. */
#define CONDITION(id)                                               \
	__asm__(".pushsection .rodata.guides,\"a\"\n"               \
		".globl guide_" #id "\n"                            \
		"guide_" #id ":\n"                                  \
		".incbin \"src/conditions/" #id "/guide.md\"\n"     \
		"guide_end_" #id ":\n"                              \
		".byte 0\n"                                         \
		".balign 8\n"                                       \
		".globl guide_length_" #id "\n"                     \
		"guide_length_" #id ":\n"                           \
		".quad guide_end_" #id " - guide_" #id "\n"         \
		".popsection\n");                                   \
	extern const char guide_##id[];                             \
	extern const uint64_t guide_length_##id;
#include "conditions/conditions.def"
#undef CONDITION

struct entry {
	const char *id;
	const struct condition_rule *rule;
	const struct scenario *scenario;
	const char *guide;
	const uint64_t *guide_length;
};

static const struct entry entries[] = {
#define CONDITION(id) { #id, &id##_rule, &id##_scenario, guide_##id, &guide_length_##id },
#include "conditions/conditions.def"
#undef CONDITION
};

enum { N = sizeof entries / sizeof entries[0] };

static struct condition table[N];
static const struct condition *pointers[N];

const struct condition *const *conditions_all(size_t *ret_n)
{
	for (size_t i = 0; i < N && !pointers[i]; i++) {
		const struct entry *e = &entries[i];

		table[i] = (struct condition){
			.id = e->id,
			.title = e->rule->title,
			.resource = e->rule->resource,
			.rule = e->rule->rule,
			.explains = e->rule->explains,
			.absorbs = e->rule->absorbs,
			.scenario = e->scenario,
			.guide = { e->guide, *e->guide_length },
		};
		pointers[i] = &table[i];
	}
	*ret_n = N;
	return pointers;
}

const struct condition *condition_find(const char *id)
{
	size_t n;
	const struct condition *const *all = conditions_all(&n);

	for (size_t i = 0; i < n; i++)
		if (strcmp(all[i]->id, id) == 0)
			return all[i];
	return NULL;
}
