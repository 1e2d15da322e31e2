#include <errno.h>

#include "dig/unwind/dwarf_bytes.h"
#include "dig/unwind/unwind_rules.h"

void unwind_rules_deinit(struct unwind_rules *r)
{
	vec_free(&r->rule);
	map_deinit(&r->rule_of);
	buf_deinit(&r->expressions);
	map_deinit(&r->expression_of);
}

/* Two lanes of words: a rule is hashed for each row, bytewise that was a third of the build. */
static uint64_t hash_rule(const struct unwind_rule *rule)
{
	const char *p = (const char *)rule;
	uint64_t a = 0x9e3779b97f4a7c15, b = 0xc2b2ae3d27d4eb4f, w[2];
	uint32_t last;
	size_t i = 0;

	_Static_assert(sizeof *rule % 16 == 12, "the tail below");
	for (; i + 16 <= sizeof *rule; i += 16) {
		memcpy(w, p + i, 16);
		a = (a ^ w[0]) * 0xff51afd7ed558ccd;
		b = (b ^ w[1]) * 0xc4ceb9fe1a85ec53;
		a ^= a >> 32;
		b ^= b >> 29;
	}
	memcpy(w, p + i, 8);
	memcpy(&last, p + i + 8, 4);
	a = (a ^ w[0]) * 0xff51afd7ed558ccd + last;
	a = (a ^ (a >> 31) ^ (b * 3)) * 0x94d049bb133111eb;
	a ^= a >> 30;
	return a ? a : 1;
}

int unwind_rules_add(struct unwind_rules *r, const struct unwind_rule *rule, uint32_t *ret)
{
	struct unwind_rule *new;
	uint64_t key;
	uint32_t at;

	if (rule->cfa == UNWIND_CFA_NONE) {
		*ret = UNWIND_NO_RULE_INDEX;
		return 0;
	}
	/* Two rules of one hash: the second goes by the next number. */
	for (key = hash_rule(rule); (at = map_get(&r->rule_of, key)) != MAP_NONE; key = key + 1 ? key + 1 : 1)
		if (memcmp(&r->rule.v[at], rule, sizeof *rule) == 0) {
			*ret = at;
			return 0;
		}
	if (!(new = vec_push(&r->rule)))
		return -ENOMEM;
	*new = *rule;
	at = (uint32_t)(r->rule.n - 1);
	int rc = map_set(&r->rule_of, key, at);
	if (rc < 0)
		return rc;
	*ret = at;
	return 0;
}

struct span unwind_expression_at(struct span expressions, int32_t offset)
{
	const uint8_t *p = (const uint8_t *)expressions.p;

	if (offset < 0 || (size_t)offset >= expressions.n)
		return (struct span){ "", 0 };
	struct dwarf_bytes b = { p + offset, p + expressions.n, false };
	struct dwarf_bytes e = dwarf_take(&b, dwarf_uleb(&b));
	return (struct span){ (const char *)e.p, (size_t)(e.end - e.p) };
}

static int append(struct buf *b, struct span bytes)
{
	uint8_t length[10];
	size_t n = 0;
	int rc;

	for (uint64_t left = bytes.n; left || n == 0; left >>= 7)
		length[n++] = (uint8_t)((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
	if ((rc = buf_reserve(b, n + bytes.n)) < 0 || (rc = buf_append(b, length, n)) < 0)
		return rc;
	return buf_append(b, bytes.p, bytes.n);
}

int unwind_rules_expression(struct unwind_rules *r, struct span bytes, int32_t *ret)
{
	uint64_t key;
	uint32_t at;
	int rc;

	for (key = map_hash(bytes.p, bytes.n); (at = map_get(&r->expression_of, key)) != MAP_NONE;
	     key = key + 1 ? key + 1 : 1)
		if (span_equal(unwind_expression_at(buf_span(&r->expressions), (int32_t)at), bytes)) {
			*ret = (int32_t)at;
			return 0;
		}
	if (r->expressions.n + bytes.n + 10 > INT32_MAX)
		return -EFBIG;
	at = (uint32_t)r->expressions.n;
	if ((rc = append(&r->expressions, bytes)) < 0 || (rc = map_set(&r->expression_of, key, at)) < 0)
		return rc;
	*ret = (int32_t)at;
	return 0;
}
