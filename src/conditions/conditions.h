/* The table of conditions, from conditions.def.
 *
 * To add one: `make new-condition NAME=x`, then docs/adding-a-condition.md. */
#ifndef OSPREY_CONDITIONS_CONDITIONS_H
#define OSPREY_CONDITIONS_CONDITIONS_H

#include "diagnose/condition.h"

/* All of them, in the order of conditions.def. */
const struct condition *const *conditions_all(size_t *ret_n);

/* The condition of that id; NULL. */
const struct condition *condition_find(const char *id);

/* What each folder defines: in rule.c `const struct condition_rule NAME_rule`, in lab.c
 * `const struct scenario NAME_scenario`. The guide is guide.md, embedded. */
struct condition_rule {
	const char *title, *resource;
	void (*rule)(const struct window *w, struct verdict *v);
	const char *const *explains;
	bool (*absorbs)(const struct window *w, const struct finding *cause, const struct finding *symptom);
};

#define CONDITION(id)                              \
	extern const struct condition_rule id##_rule; \
	extern const struct scenario id##_scenario;
#include "conditions/conditions.def"
#undef CONDITION

#endif
