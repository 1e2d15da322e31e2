#include "dig/probe/usdt.h"

#include <errno.h>
#include <stdio.h>

#define NOTE_STAPSDT 3

static bool take_string(struct span *s, struct span *ret)
{
	const char *end = s->n ? memchr(s->p, '\0', s->n) : NULL;

	if (!end)
		return false;
	*ret = (struct span){ s->p, (size_t)(end - s->p) };
	s->p = end + 1;
	s->n -= ret->n + 1;
	return true;
}

static bool parse_description(struct span d, struct usdt *ret)
{
	uint64_t word[3];

	if (d.n < sizeof word)
		return false;
	memcpy(word, d.p, sizeof word);
	d.p += sizeof word;
	d.n -= sizeof word;
	*ret = (struct usdt){ .address = word[0], .base = word[1], .semaphore = word[2] };
	if (!take_string(&d, &ret->provider) || !take_string(&d, &ret->name))
		return false;
	return take_string(&d, &ret->arguments) || (ret->arguments = d, d.n == 0);
}

static bool take_note(struct span *s, struct span *ret_name, struct span *ret_description, uint32_t *ret_type)
{
	Elf64_Nhdr h;

	if (s->n < sizeof h)
		return false;
	memcpy(&h, s->p, sizeof h);
	uint64_t name = ((uint64_t)h.n_namesz + 3) & ~UINT64_C(3), description = ((uint64_t)h.n_descsz + 3) & ~UINT64_C(3);
	if (sizeof h + name + h.n_descsz > s->n)
		return false;
	*ret_name = (struct span){ s->p + sizeof h, h.n_namesz };
	*ret_description = (struct span){ s->p + sizeof h + name, h.n_descsz };
	*ret_type = h.n_type;
	uint64_t whole = sizeof h + name + description;
	whole = whole > s->n ? s->n : whole;
	s->p += whole;
	s->n -= whole;
	return true;
}

int usdt_notes_parse(struct span section, usdt_vec *ret)
{
	struct span name, description;
	uint32_t type;

	while (take_note(&section, &name, &description, &type)) {
		struct usdt u;

		if (type != NOTE_STAPSDT || name.n != 8 || memcmp(name.p, "stapsdt", 8) != 0)
			continue;
		if (!parse_description(description, &u))
			return -EBADMSG;
		struct usdt *fresh = vec_push(ret);
		if (!fresh)
			return -ENOMEM;
		*fresh = u;
	}
	return section.n < 4 ? 0 : -EBADMSG;
}

int usdt_read(struct elf_image *e, usdt_vec *ret)
{
	struct span section;
	int r = elf_image_section(e, ".note.stapsdt", &section);

	if (r < 0)
		return r;
	const struct elf_section *base = elf_image_find(e, ".stapsdt.base");
	r = usdt_notes_parse(section, ret);
	vec_each(u, ret) {
		uint64_t moved = base && u->base ? base->header.sh_addr - u->base : 0;
		u->address += moved;
		u->semaphore += u->semaphore ? moved : 0;
	}
	return r;
}

/* ---- operands ---- */

static bool number_at(struct span s, int64_t *ret)
{
	bool minus = span_take(&s, "-");
	uint64_t n;

	if (!minus)
		span_take(&s, "+");
	if (!(s.n > 2 && s.p[0] == '0' && (s.p[1] == 'x' || s.p[1] == 'X') ? span_hex(s, &n) : span_u64(s, &n)))
		return false;
	*ret = (int64_t)(minus ? 0 - n : n);
	return true;
}

static bool operand_register(struct span name, struct probe_argument *a)
{
	unsigned bytes;

	span_take(&name, "%");
	a->offset = register_named(name, &bytes);
	a->place = PLACE_REGISTER;
	/* "1@%eax" and the like: the low bytes count. */
	if (a->offset >= 0 && a->bytes > bytes)
		a->bytes = (uint16_t)bytes;
	return a->offset >= 0;
}

#ifdef __x86_64__
/* "16", "symbol", "symbol+16", "16+symbol", "-8+symbol". */
static bool displacement(struct span s, const struct usdt_symbols *symbols, int64_t *ret, bool *ret_symbol)
{
	int64_t sum = 0, n;

	*ret_symbol = false;
	while (s.n) {
		size_t i = 1;
		while (i < s.n && s.p[i] != '+' && s.p[i] != '-')
			i++;
		struct span term = { s.p, i };
		uint64_t address;

		s.p += i;
		s.n -= i;
		if (number_at(term, &n)) {
			sum = (int64_t)((uint64_t)sum + (uint64_t)n);
			continue;
		}
		span_take(&term, "+");
		if (*ret_symbol || term.n == 0 || term.p[0] == '-' || !symbols || !symbols->find(symbols->arg, term, &address))
			return false;
		*ret_symbol = true;
		sum = (int64_t)((uint64_t)sum + address);
	}
	*ret = sum;
	return true;
}

/* [DISPLACEMENT](BASE[,INDEX[,SCALE]]) */
static bool operand_memory(struct span s, const struct usdt_symbols *symbols, struct probe_argument *a)
{
	struct span before = s, inside, part;
	bool symbol;
	uint64_t scale = 1;
	unsigned bytes;
	const char *open = memchr(s.p, '(', s.n);

	if (!open || s.p[s.n - 1] != ')')
		return false;
	before.n = (size_t)(open - s.p);
	inside = (struct span){ open + 1, (size_t)(s.p + s.n - 1 - open) - 1 };
	if (!displacement(before, symbols, &a->constant, &symbol))
		return false;
	a->place = PLACE_MEMORY;
	a->offset = a->index_register = -1;
	if (!span_until(&inside, ',', &part)) {
		part = inside;
		inside.n = 0;
	}
	part = span_trim(part);
	if (part.n) {
		span_take(&part, "%");
		a->offset = register_named(part, &bytes);
		if (a->offset < 0)
			return false;
	}
	if (inside.n) {
		if (!span_until(&inside, ',', &part)) {
			part = inside;
			inside.n = 0;
		}
		part = span_trim(part);
		span_take(&part, "%");
		a->index_register = register_named(part, &bytes);
		if (a->index_register < 0 || (inside.n && (!span_u64(span_trim(inside), &scale) || scale > 8)))
			return false;
	}
	a->scale = (uint8_t)scale;
	if (a->offset == register_of_pc()) {
		/* The symbol's place relative to the probe's, which the pc is at. */
		if (!symbol)
			return false;
		a->constant = (int64_t)((uint64_t)a->constant - symbols->site);
		return true;
	}
	return !symbol;
}

static bool operand(struct span s, const struct usdt_symbols *symbols, struct probe_argument *a)
{
	if (s.n && s.p[0] == '$') {
		a->place = PLACE_CONSTANT;
		return number_at((struct span){ s.p + 1, s.n - 1 }, &a->constant);
	}
	if (memchr(s.p, ':', s.n))
		return false; /* a segment's base is not among the registers */
	return memchr(s.p, '(', s.n) ? operand_memory(s, symbols, a) : operand_register(s, a);
}
#else
/* x0, 5, [sp], [sp, 12] */
static bool operand(struct span s, const struct usdt_symbols *symbols, struct probe_argument *a)
{
	struct span base;
	unsigned bytes;

	(void)symbols;
	if (number_at(s, &a->constant)) {
		a->place = PLACE_CONSTANT;
		return true;
	}
	if (s.n < 3 || s.p[0] != '[' || s.p[s.n - 1] != ']')
		return operand_register(s, a);
	s = (struct span){ s.p + 1, s.n - 2 };
	a->place = PLACE_MEMORY;
	if (!span_until(&s, ',', &base)) {
		base = s;
		s.n = 0;
	}
	a->offset = register_named(span_trim(base), &bytes);
	return a->offset >= 0 && (s.n == 0 || number_at(span_trim(s), &a->constant));
}
#endif

static void extend_constant(struct probe_argument *a)
{
	unsigned lost = 64 - 8 * a->bytes;

	if (lost == 0)
		return;
	a->constant = a->is_signed ? (int64_t)((uint64_t)a->constant << lost) >> lost :
				     (int64_t)((uint64_t)a->constant << lost >> lost);
}

static void parse_one(struct span s, const struct usdt_symbols *symbols, struct probe_argument *a)
{
	struct span whole = s, size;
	uint64_t bytes = 0;
	bool is_float = false;

	a->index_register = -1;
	a->offset = -1;
	a->is_signed = span_take(&s, "-");
	if (span_until(&s, '@', &size)) {
		if (size.n && size.p[size.n - 1] == 'f') {
			is_float = true;
			size.n--;
		}
		span_u64(size, &bytes);
	} else {
		bytes = 8; /* the first version of the format had no size */
	}
	a->bytes = (uint16_t)bytes;
	if (is_float || s.n == 0 || (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8) || !operand(s, symbols, a)) {
		char text[48];
		span_copy(whole, text, sizeof text);
		*a = (struct probe_argument){ .place = PLACE_NOWHERE, .bytes = 8, .index_register = -1, .offset = -1 };
		snprintf(a->type, sizeof a->type, "%s%.47s", is_float ? "a floating number, " : "", text);
		return;
	}
	snprintf(a->type, sizeof a->type, "%c%u", a->is_signed ? 'i' : 'u', a->bytes * 8u);
	if (a->place == PLACE_CONSTANT)
		extend_constant(a);
}

/* Operands are separated by blanks; within parentheses and brackets there may be some. */
static bool take_operand(struct span *s, struct span *ret)
{
	size_t i = 0;
	int depth = 0;

	*s = span_trim(*s);
	while (i < s->n && (depth > 0 || s->p[i] != ' ')) {
		depth += s->p[i] == '(' || s->p[i] == '[';
		depth -= s->p[i] == ')' || s->p[i] == ']';
		i++;
	}
	*ret = (struct span){ s->p, i };
	s->p += i;
	s->n -= i;
	return i > 0;
}

int usdt_arguments_parse(struct span arguments, const struct usdt_symbols *symbols, probe_argument_vec *ret)
{
	struct span one;

	for (unsigned i = 0; i < 100 && take_operand(&arguments, &one); i++) {
		struct probe_argument *a = vec_push(ret);
		if (!a)
			return -ENOMEM;
		parse_one(one, symbols, a);
		snprintf(a->name, sizeof a->name, "arg%u", i % 100);
	}
	return 0;
}
