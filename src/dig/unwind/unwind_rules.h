/* Rules and expressions, each kept once: most functions of a file are alike, so that tens of thousands of rows share
 * some hundreds of rules. Pure. */
#ifndef OSPREY_DIG_UNWIND_UNWIND_RULES_H
#define OSPREY_DIG_UNWIND_UNWIND_RULES_H

#include "base/buf.h"
#include "base/map.h"
#include "base/vec.h"
#include "dig/unwind/unwind_table.h"

#define UNWIND_NO_RULE_INDEX UINT32_MAX

struct unwind_rules {
	VEC(struct unwind_rule) rule;
	struct map rule_of;	  /* by hash */
	struct buf expressions;	  /* each: ULEB128 length, bytes */
	struct map expression_of; /* by hash: offset */
};

void unwind_rules_deinit(struct unwind_rules *r);
/* -ENOMEM. A rule without CFA is UNWIND_NO_RULE_INDEX. */
int unwind_rules_add(struct unwind_rules *r, const struct unwind_rule *rule, uint32_t *ret)
	__attribute__((warn_unused_result));
/* Where the expression stands; -ENOMEM, -EFBIG (all together over 2 GiB). */
int unwind_rules_expression(struct unwind_rules *r, struct span bytes, int32_t *ret)
	__attribute__((warn_unused_result));
/* The expression at an offset; empty when the offset is none. */
struct span unwind_expression_at(struct span expressions, int32_t offset);

#endif
