/* Descriptors and all that is driven by them. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "check.h"
#include "reflect_types.h"

/* Memory that counts, checks sizes, and fails at the n-th request. */
struct counted {
	size_t live, bytes, requests, fail_at;
};

static void *counted_get(void *arg, size_t bytes)
{
	struct counted *c = arg;

	if (++c->requests == c->fail_at)
		return NULL;
	size_t *p = malloc(bytes + 16);
	if (!p)
		return NULL;
	*p = bytes;
	c->live++;
	c->bytes += bytes;
	return memset(p + 2, 0xa5, bytes);
}

static void counted_put(void *arg, void *p, size_t bytes)
{
	struct counted *c = arg;
	size_t *head = (size_t *)p - 2;

	if (*head != bytes) {
		fprintf(stderr, "released as %zu bytes, taken as %zu\n", bytes, *head);
		check_failed++;
	}
	c->live--;
	c->bytes -= *head;
	free(head);
}

static struct counted counts;
static const struct rt_memory memory = { counted_get, counted_put, &counts };

static int decode(const struct rt_type *t, const char *text, unsigned flags, void *ret, struct rt_problem *problem)
{
	struct rt_decode_options o = { .flags = flags, .memory = &memory };

	return rt_json_decode(t, text, strlen(text), &o, ret, problem);
}

static char *encoded(const struct rt_type *t, const void *object)
{
	struct rt_problem problem;
	char *text;
	size_t n;
	int r = rt_json_encode_text(t, object, NULL, NULL, &text, &n, &problem);

	if (r < 0) {
		fprintf(stderr, "not encoded: %s: %s\n", problem.path, problem.reason);
		return NULL;
	}
	if (strlen(text) != n)
		check_failed++;
	return text;
}

static void check_text(const struct rt_type *t, const void *object, const char *wanted)
{
	char *text = encoded(t, object);

	if (!text || strcmp(text, wanted) != 0) {
		fprintf(stderr, "encoded %s\nwanted  %s\n", text, wanted);
		check_failed++;
	}
	free(text);
}

struct sink {
	char text[16384];
	size_t n, parts, fail_at;
};

static int sink_write(void *arg, const char *bytes, size_t n)
{
	struct sink *s = arg;

	if (++s->parts == s->fail_at)
		return -EPIPE;
	if (n > sizeof s->text - s->n - 1)
		return -ENOSPC;
	memcpy(s->text + s->n, bytes, n);
	s->n += n;
	s->text[s->n] = '\0';
	return 0;
}

static const char every_text[] =
	"{\"b\":true,\"c\":65,\"i8\":-128,\"i16\":-32768,\"i32\":-2147483648,\"i64\":-9223372036854775808,\"u8\":255,\"u16\":65535,"
	"\"u32\":4294967295,\"u64\":18446744073709551615,\"f\":0.1,\"d\":1e-300,\"state\":\"lost it\",\"plain\":\"PLAIN_B\",\"bit1\":1,"
	"\"bit7\":127,\"signed5\":-16,\"wide\":2305843009213693951,\"flag\":true,\"string\":\"\\u0001 \\\"\\\\ \xc3\xa4 \xf0\x9f\xa6\x85\","
	"\"text\":\"fifteen bytes..\",\"bytes\":[1,0,-1,127],\"fixed\":[1,2,3],\"grid\":[[1,2,3],[4,5,6]],\"counted\":[7,8],"
	"\"point\":{\"x\":1,\"y\":-1},\"where\":{\"x\":2,\"y\":3},\"part\":{\"in\\\"ner\":5,\"inner_text\":null},\"anonymous\":-6,"
	"\"anonymous_text\":\"\",\"numbers\":[1,2,3],\"strings\":[\"a\",null,\"b\"],\"points\":[{\"x\":0,\"y\":0},null],\"twice\":9,"
	"\"atomic\":-1}";

static int every_kind(void *arg)
{
	struct every e = { 0 }, copy;
	struct rt_problem problem;

	(void)arg;
	int r = decode(RT_TYPE(struct every), every_text, 0, &e, &problem);
	if (r < 0) {
		fprintf(stderr, "every: %u:%u %s: %s\n", problem.line, problem.column, problem.path, problem.reason);
		check_failed++;
		return 0;
	}
	CHECK(e.b && e.c == 65 && e.i8 == INT8_MIN && e.i16 == INT16_MIN && e.i32 == INT32_MIN && e.i64 == INT64_MIN);
	CHECK(e.u8 == UINT8_MAX && e.u16 == UINT16_MAX && e.u32 == UINT32_MAX && e.u64 == UINT64_MAX);
	CHECK(e.f == 0.1f && e.d == 1e-300 && e.state == STATE_LOST && e.plain == PLAIN_B);
	CHECK(e.bit1 == 1 && e.bit7 == 127 && e.signed5 == -16 && e.wide == (UINT64_C(1) << 61) - 1 && e.flag);
	CHECK(strcmp(e.text, "fifteen bytes..") == 0 && e.grid[1][2] == 6 && e.ncounted == 2 && e.counted[1] == 8);
	CHECK(e.point.y == -1 && e.where->y == 3 && e.part.inner == 5 && e.anonymous == -6 && !*e.anonymous_text);
	CHECK(e.nnumbers == 3 && e.numbers[2] == 3 && e.nstrings == 3 && !e.strings[1] && e.npoints == 2 && **e.twice == 9);
	check_text(RT_TYPE(struct every), &e, every_text);

	r = rt_copy(RT_TYPE(struct every), &e, &memory, &copy);
	CHECK(r == 0 && rt_equal(RT_TYPE(struct every), &e, &copy) == 1);
	copy.strings[2][0]++;
	CHECK(rt_equal(RT_TYPE(struct every), &e, &copy) == 0);
	rt_clear(RT_TYPE(struct every), &e, &memory);
	rt_clear(RT_TYPE(struct every), &copy, &memory);
	CHECK(counts.live == 0 && !e.string && !e.numbers);
	return 0;
}

/* Each with the reason that it is refused for. */
static const struct {
	const char *text;
	int result;
	unsigned line, column;
	const char *path, *reason;
} refused[] = {
	{ "", -EBADMSG, 1, 1, "$", "expected a value, got the end" },
	{ "[]", -EINVAL, 1, 1, "$", "expected an object, got an array" },
	{ "{}", -EINVAL, 1, 1, "$.id", "it is required, and is not there" },
	{ "{\"id\":1}x", -EBADMSG, 1, 9, "$", "expected the end, got 'x'" },
	{ "{\"id\":\"1\"}", -EINVAL, 1, 7, "$.id", "expected a number, got a string" },
	{ "{\"id\":1.0}", -EINVAL, 1, 7, "$.id", "expected a number without fraction and exponent" },
	{ "{\"id\":-1}", -ERANGE, 1, 7, "$.id", "-1 does not fit uint64_t" },
	{ "{\"id\":18446744073709551616}", -ERANGE, 1, 7, "$.id", "18446744073709551616 does not fit uint64_t" },
	{ "{\"id\":null}", -EINVAL, 1, 7, "$.id", "null is no value for it" },
	{ "{\"id\":1,\n \"id\":2}", -EINVAL, 2, 2, "$.id", "the key comes twice" },
	{ "{\"id\":1,\n\t\"customer\":\"x\"}", -EINVAL, 2, 2, "$.customer", "no such key" },
	{ "{\"id\":1,\"nitems\":1}", -EINVAL, 1, 9, "$.nitems", "no such key" },
	{ "{\"id\":1,\"items\":[{\"name\":\"a\",\"price\":1},\n{\"name\":\"b\",\"price\":\"2\"}]}", -EINVAL, 2, 21, "$.items[1].price",
	  "expected a number, got a string" },
	{ "{\"id\":1,\"items\":[{\"name\":\"a\",\"price\":-1}]}", -ERANGE, 1, 38, "$.items[0].price", "-1 is below 0" },
	{ "{\"id\":1,\"items\":[{\"name\":\"a\",\"amount\":0}]}", -ERANGE, 1, 39, "$.items[0].amount", "0 is below 1" },
	{ "{\"id\":1,\"items\":[{\"name\":\"a\",\"amount\":1025}]}", -ERANGE, 1, 39, "$.items[0].amount", "1025 is above 1024" },
	{ "{\"id\":1,\"items\":[{\"name\":\"a\",\"code\":\"12345678\"}]}", -ERANGE, 1, 37, "$.items[0].code",
	  "a string of 8 bytes does not fit 7" },
	{ "{\"id\":1,\"items\":[{}]}", -EINVAL, 1, 18, "$.items[0].name", "it is required, and is not there" },
	{ "{\"id\":1,\"state\":\"old\"}", -EINVAL, 1, 17, "$.state", "\"old\" is no word of enum state" },
	{ "{\"id\":1,\"urgent\":1}", -EINVAL, 1, 18, "$.urgent", "expected true or false, got a number" },
	{ "{\"id\":1,\"customer-name\":\"a\\u0000b\"}", -EINVAL, 1, 25, "$.customer-name", "a string with \\u0000 cannot be held" },
	{ "{\"id\":1,\"customer-name\":\"\xff\"}", -EBADMSG, 1, 26, "$.customer-name", "not UTF-8" },
	{ "{\"id\":1,\"a b\":2}", -EINVAL, 1, 9, "$[\"a b\"]", "no such key" },
	{ "{\"id\":1e400}", -EINVAL, 1, 7, "$.id", "expected a number without fraction and exponent" },
	{ "{\"id\":1,\"weight\":1e400}", -ERANGE, 1, 18, "$.weight", "1e400 does not fit double" },
	{ "{\"id\":1,\"items\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", -EMSGSIZE, 1, 48, "$.items[0]", "nested too deep" },
};

static int refusals(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		struct order o, before;
		struct rt_problem p = { 0 };
		memset(&o, 0x5a, sizeof o);
		memcpy(&before, &o, sizeof o);
		int r = decode(RT_TYPE(struct order), refused[i].text, 0, &o, &p);
		if (r != refused[i].result || p.line != refused[i].line || p.column != refused[i].column ||
		    strcmp(p.path, refused[i].path) != 0 || strcmp(p.reason, refused[i].reason) != 0) {
			fprintf(stderr, "%s: %d, %u:%u %s: %s\n", refused[i].text, r, p.line, p.column, p.path, p.reason);
			check_failed++;
		}
		CHECK(memcmp(&o, &before, sizeof o) == 0 && counts.live == 0);
	}
	return 0;
}

static int policies(void *arg)
{
	struct order o;
	struct rt_problem p;
	static const char twice[] = "{\"id\":1,\"customer-name\":\"first\",\"items\":[{\"name\":\"a\"}],\"x\":[{\"y\":[1,2,null,true]}],"
				    "\"customer-name\":\"second\",\"items\":null,\"weight\":null}";

	(void)arg;
	CHECK(decode(RT_TYPE(struct order), twice, RT_DECODE_LAST, &o, &p) == -EINVAL && strcmp(p.path, "$.x") == 0);
	CHECK(decode(RT_TYPE(struct order), twice, RT_DECODE_UNKNOWN, &o, &p) == -EINVAL && strcmp(p.reason, "the key comes twice") == 0);
	CHECK(decode(RT_TYPE(struct order), twice, RT_DECODE_UNKNOWN | RT_DECODE_LAST, &o, &p) == 0);
	CHECK(strcmp(o.customer, "second") == 0 && !o.items && o.nitems == 0 && !o.has_weight && o.state == STATE_NEW);
	rt_clear(RT_TYPE(struct order), &o, &memory);

	struct rt_decode_options limits = { .memory = &memory, .memory_bytes = 400, .text_bytes = 100 };
	CHECK(rt_json_decode(RT_TYPE(struct order), twice, sizeof twice - 1, &limits, &o, &p) == -EMSGSIZE);
	static const char many[] = "{\"id\":1,\"items\":[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"c\"},{\"name\":\"d\"}]}";
	CHECK(rt_json_decode(RT_TYPE(struct order), many, sizeof many - 1, &limits, &o, &p) == 0);
	rt_clear(RT_TYPE(struct order), &o, &memory);
	limits.memory_bytes = 150;
	CHECK(rt_json_decode(RT_TYPE(struct order), many, sizeof many - 1, &limits, &o, &p) == -EMSGSIZE);
	CHECK(counts.live == 0);
	return 0;
}

static int initial_values(void *arg)
{
	struct defaults d;

	(void)arg;
	CHECK(decode(RT_TYPE(struct defaults), "{}", 0, &d, NULL) == 0);
	CHECK(d.number == -14 && d.least == INT64_MIN && d.most == UINT64_MAX && d.real == 2.5e3 && d.single == 0.1f);
	CHECK(strcmp(d.text, "a \"text\"") == 0 && strcmp(d.room, "1234567") == 0 && d.yes && d.three == 5 && d.plain == PLAIN_B);
	rt_clear(RT_TYPE(struct defaults), &d, &memory);
	CHECK(counts.live == 0);
	return 0;
}

/* What says which member is there may stand behind it. */
static int unions(void *arg)
{
	static const struct {
		const char *text, *again;
		int result;
	} tries[] = {
		{ "{}", "{\"amount\":null,\"how\":\"none\",\"kind\":0}", 0 },
		{ "{\"how\":\"card\",\"amount\":{\"number\":\"12\"}}", "{\"amount\":{\"number\":\"12\"},\"how\":\"card\",\"kind\":0}", 0 },
		{ "{\"amount\":{\"number\":\"12\"},\"how\":\"card\"}", "{\"amount\":{\"number\":\"12\"},\"how\":\"card\",\"kind\":0}", 0 },
		{ "{\"amount\":{\"points\":{\"x\":1,\"y\":2}},\"left\":\"l\",\"kind\":1,\"how\":\"points\"}",
		  "{\"amount\":{\"points\":{\"x\":1,\"y\":2}},\"how\":\"points\",\"kind\":1,\"left\":\"l\"}", 0 },
		{ "{\"right\":{\"name\":\"n\",\"amount\":5},\"kind\":2}",
		  "{\"amount\":null,\"how\":\"none\",\"kind\":2,\"right\":{\"name\":\"n\",\"price\":0,\"amount\":5,\"code\":\"\"}}", 0 },
		{ "{\"how\":\"card\",\"amount\":{\"cash\":12}}", NULL, -EINVAL },
		{ "{\"how\":\"cash\",\"amount\":{\"cash\":12,\"cash\":13}}", NULL, -EINVAL },
		{ "{\"how\":\"cash\",\"amount\":{\"cash\":-1}}", NULL, -ERANGE },
		{ "{\"amount\":{\"cash\":12}}", NULL, -EINVAL },
		{ "{\"kind\":1,\"right\":{\"name\":\"n\"}}", NULL, -EINVAL },
		{ "{\"right\":{\"name\":\"n\"},\"kind\":1}", NULL, -EINVAL },
		{ "{\"left\":\"a\",\"left\":\"b\",\"kind\":1}", NULL, -EINVAL },
		{ "{\"kind\":2}", NULL, -EINVAL },
		{ "{\"kind\":1,\"left\":\"a\",\"kind\":2}", NULL, -EINVAL },
		{ "{\"left\":\"\xff\",\"kind\":1}", NULL, -EBADMSG },
	};

	(void)arg;
	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
		struct payment p, copy;
		struct rt_problem problem = { 0 };
		int r = decode(RT_TYPE(struct payment), tries[i].text, 0, &p, &problem);
		if (r != tries[i].result) {
			fprintf(stderr, "%s: %d %s: %s\n", tries[i].text, r, problem.path, problem.reason);
			check_failed++;
		}
		if (r == 0) {
			check_text(RT_TYPE(struct payment), &p, tries[i].again);
			CHECK(rt_copy(RT_TYPE(struct payment), &p, &memory, &copy) == 0);
			CHECK(rt_equal(RT_TYPE(struct payment), &p, &copy) == 1);
			rt_clear(RT_TYPE(struct payment), &p, &memory);
			rt_clear(RT_TYPE(struct payment), &copy, &memory);
		}
		CHECK(counts.live == 0);
	}
	struct payment p;
	CHECK(decode(RT_TYPE(struct payment), "{\"left\":\"a\",\"left\":\"b\",\"kind\":1}", RT_DECODE_LAST, &p, NULL) == 0 &&
	      strcmp(p.left, "b") == 0);
	rt_clear(RT_TYPE(struct payment), &p, &memory);
	CHECK(counts.live == 0);
	return 0;
}

/* Flags and bits of a union's members are heeded as those of a struct's. */
static int flagged_unions(void *arg)
{
	static const struct {
		struct token token;
		const char *text, *masked, *printed;
	} tries[] = {
		{ { TOKEN_PIN, { .pin = (char *)"1234" } }, "{\"kind\":\"pin\",\"u\":{\"pin\":\"1234\"}}",
		  "{\"kind\":\"pin\",\"u\":{\"pin\":\"***\"}}", "u = { .pin = (secret) }\n" },
		{ { TOKEN_SMALL, { .small = 5 } }, "{\"kind\":\"small\",\"u\":{\"small\":5}}", NULL, "u = { .small = 5 }\n" },
		{ { TOKEN_NEGATIVE, { .negative = -3 } }, "{\"kind\":\"negative\",\"u\":{\"negative\":-3}}", NULL, "u = { .negative = -3 }\n" },
		{ { TOKEN_LENT, { .lent = (char *)"others" } }, "{\"kind\":\"lent\",\"u\":null}", NULL, "u = { .lent = \"others\" }\n" },
	};

	(void)arg;
	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
		struct rt_encode_options masked = { .mask_secrets = true };
		struct sink *s = calloc(1, sizeof *s);
		struct token t, back;
		/* What lies about the bits is none of theirs. */
		memset(&t, 0xff, sizeof t);
		t.kind = tries[i].token.kind;
		if (t.kind == TOKEN_SMALL)
			t.u.small = tries[i].token.u.small;
		else if (t.kind == TOKEN_NEGATIVE)
			t.u.negative = tries[i].token.u.negative;
		else
			t.u.pin = tries[i].token.u.pin;
		check_text(RT_TYPE(struct token), &t, tries[i].text);
		CHECK(rt_json_encode(RT_TYPE(struct token), &t, &masked, sink_write, s, NULL) == 0);
		CHECK(strcmp(s->text, tries[i].masked ? tries[i].masked : tries[i].text) == 0);
		memset(s, 0, sizeof *s);
		CHECK(rt_print(RT_TYPE(struct token), &t, NULL, sink_write, s) == 0 && strstr(s->text, tries[i].printed));
		free(s);
		CHECK(decode(RT_TYPE(struct token), tries[i].text, 0, &back, NULL) == 0 && back.kind == t.kind);
		CHECK(t.kind == TOKEN_LENT ? !back.u.lent : rt_equal(RT_TYPE(struct token), &t, &back) == 1);
		rt_clear(RT_TYPE(struct token), &back, &memory);
		CHECK(counts.live == 0);
	}
	struct token t;
	struct rt_problem p;
	CHECK(decode(RT_TYPE(struct token), "{\"kind\":\"lent\",\"u\":{}}", 0, &t, &p) == 0 && !t.u.lent);
	CHECK(decode(RT_TYPE(struct token), "{\"kind\":\"lent\",\"u\":{\"lent\":\"x\"}}", 0, &t, &p) == -EINVAL);
	CHECK(decode(RT_TYPE(struct token), "{\"kind\":\"pin\",\"u\":null}", 0, &t, &p) == -EINVAL);
	/* A value that is missing, not a text that is none. */
	CHECK(decode(RT_TYPE(struct token), "{\"kind\":\"pin\",\"u\":{}}", 0, &t, &p) == -EINVAL && strstr(p.reason, "the one key pin"));
	CHECK(decode(RT_TYPE(struct token), "{\"kind\":\"pin\",\"u\":{", 0, &t, &p) == -EBADMSG && counts.live == 0);
	return 0;
}

/* When there is no memory, what has been made is given back, whatever has been made by then. */
static int counts_in_unions(void *arg)
{
	char *names[] = { (char *)"a", (char *)"bb", (char *)"ccc" };
	struct named v = { .kind = 1, .names = names, .nnames = 3, .after = (char *)"after" }, copy;
	int r = -ENOMEM;

	(void)arg;
	for (size_t n = 1; r == -ENOMEM; n++) {
		counts.requests = 0;
		counts.fail_at = n;
		r = rt_copy(RT_TYPE(struct named), &v, &memory, &copy);
		CHECK(r == 0 || (r == -ENOMEM && counts.live == 0));
	}
	counts.fail_at = 0;
	CHECK(r == 0 && rt_equal(RT_TYPE(struct named), &v, &copy) == 1);
	rt_clear(RT_TYPE(struct named), &copy, &memory);
	struct named x = { .kind = 2, .x = 7 };
	CHECK(rt_copy(RT_TYPE(struct named), &x, &memory, &copy) == 0 && copy.x == 7 && !copy.after && counts.live == 0);
	return 0;
}

/* A member that had to wait is decoded a second time, and what is within it; those that had not to wait are
 * not. Else a level more is twice the work: 2^30 at this depth. */
static int unions_within(void *arg)
{
	enum { LEVELS = 30 };
	static char text[LEVELS * 64];
	struct twofold t, *at = &t;
	size_t n = 0;
	int levels = 0;

	(void)arg;
	for (int i = 0; i < LEVELS; i++)
		n += (size_t)sprintf(text + n, "{\"first\":1,\"child\":");
	n += (size_t)sprintf(text + n, "null");
	for (int i = 0; i < LEVELS; i++)
		n += (size_t)sprintf(text + n, ",\"y\":%d,\"second\":1}", LEVELS - 1 - i);
	CHECK(decode(RT_TYPE(struct twofold), text, 0, &t, NULL) == 0);
	for (; at; at = at->child, levels++)
		CHECK(at->y == levels);
	CHECK(levels == LEVELS);
	rt_clear(RT_TYPE(struct twofold), &t, &memory);
	CHECK(counts.live == 0);
	return 0;
}

/* The limit is that of the result, in which the array is once. */
static int tail_budget(void *arg)
{
	enum { MANY = 1000 };
	static char text[2 * (2 * MANY + 32)];
	struct rt_decode_options o = { .memory = &memory, .memory_bytes = sizeof(struct numbered) + MANY * sizeof(int) };
	struct numbered *f = NULL;
	size_t n = (size_t)sprintf(text, "{");

	(void)arg;
	for (int twice = 0; twice < 2; twice++) {
		n += (size_t)sprintf(text + n, "%s\"tail\":[1", twice ? "," : "");
		for (int i = 1; i < MANY; i++)
			n += (size_t)sprintf(text + n, ",1");
		n += (size_t)sprintf(text + n, "]");
		text[n] = '}';
		o.flags = twice ? RT_DECODE_LAST : 0;
		int r = rt_json_decode_new(RT_TYPE(struct numbered), text, n + 1, &o, (void **)&f, NULL);
		CHECK(r == 0 && f->n == MANY && f->tail[MANY - 1] == 1);
		if (r == 0)
			rt_object_free(RT_TYPE(struct numbered), f, &memory);
		o.memory_bytes--;
		CHECK(rt_json_decode_new(RT_TYPE(struct numbered), text, n + 1, &o, (void **)&f, NULL) == -EMSGSIZE);
		o.memory_bytes++;
		CHECK(counts.live == 0);
	}
	return 0;
}

static int tails(void *arg)
{
	static const char text[] = "{\"tailed\":{\"title\":\"t\",\"items\":[{\"name\":\"a\",\"price\":1.5,\"amount\":1,\"code\":\"\"},"
				   "{\"name\":\"b\",\"price\":2,\"amount\":3,\"code\":\"xyz\"}]},\"after\":7}";
	static const char twice[] = "{\"items\":[{\"name\":\"a\"}],\"items\":[]}";
	struct holder h, copy;
	struct tailed *t, *u;
	struct rt_decode_options o = { .memory = &memory };

	(void)arg;
	CHECK(decode(RT_TYPE(struct holder), text, 0, &h, NULL) == 0);
	CHECK(h.tailed->n == 2 && h.after == 7 && strcmp(h.tailed->items[1].name, "b") == 0);
	check_text(RT_TYPE(struct holder), &h, text);
	CHECK(rt_copy(RT_TYPE(struct holder), &h, &memory, &copy) == 0 && rt_equal(RT_TYPE(struct holder), &h, &copy) == 1);
	copy.tailed->items[1].amount++;
	CHECK(rt_equal(RT_TYPE(struct holder), &h, &copy) == 0);
	CHECK(rt_copy_new(RT_TYPE(struct tailed), h.tailed, &memory, (void **)&u) == 0 && rt_equal(RT_TYPE(struct tailed), u, h.tailed) == 1);
	rt_object_free(RT_TYPE(struct tailed), u, &memory);
	rt_clear(RT_TYPE(struct holder), &h, &memory);
	rt_clear(RT_TYPE(struct holder), &copy, &memory);
	CHECK(rt_json_decode(RT_TYPE(struct tailed), "{}", 2, &o, &h, NULL) == -ENOTSUP);
	CHECK(rt_json_decode_new(RT_TYPE(struct tailed), twice, sizeof twice - 1, &o, (void **)&t, NULL) == -EINVAL);
	o.flags = RT_DECODE_LAST;
	CHECK(rt_json_decode_new(RT_TYPE(struct tailed), twice, sizeof twice - 1, &o, (void **)&t, NULL) == 0 && t->n == 0);
	rt_object_free(RT_TYPE(struct tailed), t, &memory);
	CHECK(counts.live == 0);
	return 0;
}

/* AddressSanitizer makes frames some times as large: what needs a usual stack needs a large one then. */
static void on_stack(enum rt_stack stack, rt_function *function, uintptr_t arg)
{
	struct rt_spawn_options options = { .stack = SANITIZED_ADDRESS ? RT_STACK_LARGE : stack };
	struct rt_fiber f;

	CHECK(rt_spawn(function, (void *)arg, &options, &f) == 0 && rt_join(f, NULL, RT_FOREVER) == 0);
}

static int follows_chains(void *arg)
{
	struct node *first = NULL;
	void *copy = NULL;
	struct rt_problem p;
	char *text;
	size_t n;

	(void)arg;
	for (int i = 0; i < 20000; i++) {
		struct node *one = counted_get(&counts, sizeof *one);
		*one = (struct node){ i, NULL, first };
		first = one;
	}
	CHECK(rt_copy_new(RT_TYPE(struct node), first, &memory, &copy) == 0);
	CHECK(rt_equal(RT_TYPE(struct node), first, copy) == 1);
	((struct node *)copy)->next->next->value++;
	CHECK(rt_equal(RT_TYPE(struct node), first, copy) == 0);
	rt_object_free(RT_TYPE(struct node), copy, &memory);
	CHECK(rt_json_encode_text(RT_TYPE(struct node), first, NULL, NULL, &text, &n, &p) == -ELOOP);
	rt_object_free(RT_TYPE(struct node), first, &memory);
	CHECK(counts.live == 0);

	struct node a = { .value = 1 }, b = { .value = 1, .next = &a }, c = { .value = 1 };
	a.next = &b;
	c.next = &c;
	CHECK(rt_copy_new(RT_TYPE(struct node), &a, &memory, &copy) == -ELOOP && counts.live == 0);
	CHECK(rt_equal(RT_TYPE(struct node), &a, &c) == -ELOOP);
	a.next = NULL;
	a.left = &a;
	CHECK(rt_copy_new(RT_TYPE(struct node), &a, &memory, &copy) == -ELOOP && counts.live == 0);
	return 0;
}

static int chains(void *arg)
{
	(void)arg;
	on_stack(RT_STACK_DEFAULT, follows_chains, 0);
	return 0;
}

/* As deep as the options say: by default on a fiber's usual stack, at most on a large one. */
static int nested(void *arg)
{
	unsigned most = (unsigned)(uintptr_t)arg;
	struct rt_decode_options o = { .memory = &memory, .depth = most };
	struct rt_encode_options e = { .depth = most };
	char *text = calloc(most + 2u, 32), *again = NULL, *p = text;
	struct rt_problem problem;
	void *object, *copy;
	size_t n;

	for (unsigned i = 0; i < most; i++)
		p += sprintf(p, i + 1 < most ? "{\"value\":%u,\"left\":" : "{\"value\":%u", i);
	memset(p, '}', most);
	CHECK(rt_json_decode_new(RT_TYPE(struct node), text, strlen(text), &o, &object, &problem) == 0);
	CHECK(rt_json_encode_text(RT_TYPE(struct node), object, &e, NULL, &again, &n, &problem) == 0 && strcmp(again, text) == 0);
	free(again);
	int r = rt_copy_new(RT_TYPE(struct node), object, &memory, &copy);
	CHECK(most > RT_DEPTH ? r == 0 || r == -ELOOP : r == 0 && rt_equal(RT_TYPE(struct node), object, copy) == 1);
	if (r == 0)
		rt_object_free(RT_TYPE(struct node), copy, &memory);
	rt_object_free(RT_TYPE(struct node), object, &memory);
	o.depth--;
	CHECK(rt_json_decode_new(RT_TYPE(struct node), text, strlen(text), &o, &object, &problem) == -EMSGSIZE && counts.live == 0);
	free(text);
	return 0;
}

static int depths(void *arg)
{
	(void)arg;
	on_stack(RT_STACK_DEFAULT, nested, RT_DEPTH);
	/* With AddressSanitizer there is no stack for the deepest. */
	on_stack(RT_STACK_LARGE, nested, SANITIZED_ADDRESS ? RT_DEPTH : RT_DEPTH_MOST);
	return 0;
}

/* Each request for memory fails in its turn, and nothing is left of what was begun. */
static int no_memory(void *arg)
{
	static const struct {
		const struct rt_type *type;
		const char *text;
	} tries[] = {
		{ RT_TYPE(struct every), every_text },
		{ RT_TYPE(struct holder), "{\"tailed\":{\"title\":\"t\",\"items\":[{\"name\":\"a\"},{\"name\":\"b\"}]}}" },
		{ RT_TYPE(struct payment), "{\"left\":\"a\",\"amount\":{\"number\":\"1\"},\"kind\":1,\"how\":\"card\"}" },
		{ RT_TYPE(struct defaults), "{}" },
		{ RT_TYPE(struct node), "{\"value\":1,\"left\":{\"value\":2,\"next\":{\"value\":3}},\"next\":{\"value\":4}}" },
	};
	union {
		struct every every;
		struct holder holder;
		struct payment payment;
		struct defaults defaults;
		struct node node;
	} value, copy;

	(void)arg;
	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
		int r = -ENOMEM;
		for (size_t n = 1; r == -ENOMEM; n++) {
			counts.requests = 0;
			counts.fail_at = n;
			r = decode(tries[i].type, tries[i].text, 0, &value, NULL);
			CHECK(r == 0 || (r == -ENOMEM && counts.live == 0));
			CHECK(n < 200);
		}
		r = -ENOMEM;
		for (size_t n = 1, live = counts.live; r == -ENOMEM; n++) {
			counts.requests = 0;
			counts.fail_at = n;
			r = rt_copy(tries[i].type, &value, &memory, &copy);
			CHECK(r == 0 || (r == -ENOMEM && counts.live == live));
			CHECK(n < 200);
		}
		counts.fail_at = 0;
		CHECK(rt_equal(tries[i].type, &value, &copy) == 1);
		rt_clear(tries[i].type, &value, &memory);
		rt_clear(tries[i].type, &copy, &memory);
		CHECK(counts.live == 0);
	}
	return 0;
}

static const char toml_text[] =
	"# an order\nid = 1_000\n\"customer-name\" = \"\"\"\nA\\\n   nn\"\"\"\nweight = -inf\n"
	"[[items]]\nname = 'tea'\nprice = 0x10\n[[items]]\nname = \"\\u00e4\"\namount = 0b11\n";

/* Numbers with a base may have all 64 bits, as those without. */
static void toml_wide_numbers(void)
{
	static const struct {
		const char *text;
		int result;
		uint64_t id;
	} tries[] = {
		{ "id = 18446744073709551615", 0, UINT64_MAX },
		{ "id = 0xffff_ffff_ffff_ffff", 0, UINT64_MAX },
		{ "id = 0x8000000000000000", 0, UINT64_C(1) << 63 },
		{ "id = 0x00008000000000000000", 0, UINT64_C(1) << 63 },
		{ "id = 0o1777777777777777777777", 0, UINT64_MAX },
		{ "id = 0b1000000000000000000000000000000000000000000000000000000000000000", 0, UINT64_C(1) << 63 },
		{ "id = 0x10000000000000000", -EBADMSG, 0 },
		{ "id = 0o2000000000000000000000", -EBADMSG, 0 },
		{ "id = 0b10000000000000000000000000000000000000000000000000000000000000000", -EBADMSG, 0 },
	};

	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
		struct order order = { 0 };
		int r = rt_toml_decode(RT_TYPE(struct order), tries[i].text, strlen(tries[i].text), NULL, &order, NULL);
		if (r != tries[i].result || order.id != tries[i].id) {
			fprintf(stderr, "%s: %d, %ju\n", tries[i].text, r, (uintmax_t)order.id);
			check_failed++;
		}
	}
}

static int toml(void *arg)
{
	static const struct {
		const char *text;
		int result;
		unsigned line, column;
		const char *path, *reason;
	} tries[] = {
		{ "id = 1\nid = 2", -EBADMSG, 2, 1, "$", "the key comes twice" },
		{ "id = 1\n[[items]]\nname='a'\n[[items]]\nprice=1", -EINVAL, 4, 3, "$.items[1].name", "it is required, and is not there" },
		{ "id = 1\n[[items]]\nname='a'\n price = '1'", -EINVAL, 4, 10, "$.items[0].price", "expected a number, got a string" },
		{ "id = 1\n\n[x]", -EINVAL, 3, 2, "$.x", "no such key" },
		{ "id = -1", -ERANGE, 1, 6, "$.id", "-1 does not fit uint64_t" },
		{ "id = 1979-05-27", -EINVAL, 1, 6, "$.id", "expected a number, got a string" },
		{ "id = 1\na.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a = 1", -EMSGSIZE, 2, 65, "$", "nested too deep" },
	};
	struct rt_decode_options o = { .memory = &memory };
	struct order order;
	struct rt_problem p;

	(void)arg;
	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
		int r = rt_toml_decode(RT_TYPE(struct order), tries[i].text, strlen(tries[i].text), &o, &order, &p);
		if (r != tries[i].result || p.line != tries[i].line || p.column != tries[i].column ||
		    strcmp(p.path, tries[i].path) != 0 || strcmp(p.reason, tries[i].reason) != 0) {
			fprintf(stderr, "%s: %d, %u:%u %s: %s\n", tries[i].text, r, p.line, p.column, p.path, p.reason);
			check_failed++;
		}
		CHECK(counts.live == 0);
	}
	int r = -ENOMEM;
	for (size_t n = 1; r == -ENOMEM; n++) {
		counts.requests = 0;
		counts.fail_at = n;
		r = rt_toml_decode(RT_TYPE(struct order), toml_text, sizeof toml_text - 1, &o, &order, &p);
		CHECK(r == 0 || (r == -ENOMEM && counts.live == 0));
	}
	counts.fail_at = 0;
	CHECK(order.id == 1000 && strcmp(order.customer, "Ann") == 0 && order.nitems == 2 && isinf(order.weight) && order.weight < 0);
	CHECK(order.items[0].price == 16 && strcmp(order.items[1].name, "\xc3\xa4") == 0 && order.items[1].amount == 3);
	rt_clear(RT_TYPE(struct order), &order, &memory);
	CHECK(counts.live == 0);
	toml_wide_numbers();
	return 0;
}

static int encodings(void *arg)
{
	struct item items[] = { { "a", 1.5, 2, "x" }, { "b", 0, 0, "12345678" } };
	struct order o = { .id = 1, .customer = "\x7f/", .items = items, .nitems = 2, .state = 77, .secret = "hush" };
	struct rt_encode_options options = { .indent = 2, .mask_secrets = true };
	struct rt_problem p;
	struct sink *s = calloc(1, sizeof *s);

	(void)arg;
	CHECK(rt_json_encode(RT_TYPE(struct order), &o, &options, sink_write, s, &p) == 0);
	CHECK(strcmp(s->text, "{\n  \"id\": 1,\n  \"customer-name\": \"\x7f/\",\n  \"items\": [\n    {\n      \"name\": \"a\",\n      \"price\": 1.5,\n"
			      "      \"amount\": 2,\n      \"code\": \"x\"\n    },\n    {\n      \"name\": \"b\",\n      \"price\": 0,\n"
			      "      \"amount\": 0,\n      \"code\": \"12345678\"\n    }\n  ],\n  \"state\": 77,\n  \"urgent\": false,\n"
			      "  \"secret\": \"***\"\n}") == 0);
	o.nitems = 0;
	check_text(RT_TYPE(struct order), &o, "{\"id\":1,\"customer-name\":\"\x7f/\",\"items\":[],\"state\":77,\"urgent\":false,\"secret\":\"hush\"}");
	items[0].price = NAN;
	o.nitems = 1;
	CHECK(rt_json_encode(RT_TYPE(struct order), &o, NULL, sink_write, s, &p) == -EDOM && strcmp(p.path, "$.items[0].price") == 0);
	o.items = NULL;
	CHECK(rt_json_encode(RT_TYPE(struct order), &o, NULL, sink_write, s, &p) == -EINVAL && strcmp(p.path, "$.items") == 0);
	o.nitems = 0;
	o.customer = "\xc3";
	CHECK(rt_json_encode(RT_TYPE(struct order), &o, NULL, sink_write, s, &p) == -EILSEQ && strcmp(p.path, "$.customer-name") == 0);
	struct every e = { .ncounted = 5, .nnumbers = 0 };
	CHECK(rt_json_encode(RT_TYPE(struct every), &e, NULL, sink_write, s, &p) == -EINVAL && strcmp(p.path, "$.counted") == 0);
	e.ncounted = 0;
	e.nnumbers = -1;
	CHECK(rt_json_encode(RT_TYPE(struct every), &e, NULL, sink_write, s, &p) == -EINVAL && strcmp(p.path, "$.numbers") == 0);

	counts.fail_at = 1;
	counts.requests = 0;
	char *text = NULL;
	size_t n = 0;
	o.customer = NULL;
	CHECK(rt_json_encode_text(RT_TYPE(struct order), &o, NULL, &memory, &text, &n, &p) == -ENOMEM && !text && counts.live == 0);
	CHECK(rt_json_encode_text(RT_TYPE(struct order), &o, NULL, &memory, &text, &n, &p) == 0 && strlen(text) == n);
	counted_put(&counts, text, n + 1);
	counts.fail_at = 0;

	/* Parts of up to 1 KiB, the second of which is not taken. */
	char *long_text = malloc(5001);
	memset(long_text, 'x', 5000);
	long_text[5000] = '\0';
	o.customer = long_text;
	memset(s, 0, sizeof *s);
	CHECK(rt_json_encode(RT_TYPE(struct order), &o, NULL, sink_write, s, &p) == 0 && s->parts >= 5 && strstr(s->text, "xxxx\",\"items\":[]"));
	memset(s, 0, sizeof *s);
	s->fail_at = 2;
	CHECK(rt_json_encode(RT_TYPE(struct order), &o, NULL, sink_write, s, &p) == -EPIPE && s->parts == 2);
	free(long_text);
	free(s);
	return 0;
}

/* Numbers of all sizes give themselves back. */
static int numbers(void *arg)
{
	uint64_t seed = 88172645463325252u;

	(void)arg;
	for (int i = 0; i < 4000; i++) {
		struct every e = { 0 }, back;
		seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
		memcpy(&e.d, &seed, 8);
		memcpy(&e.f, &seed, 4);
		if (i % 4 == 0)
			e.d = (double)(int64_t)(seed >> (seed & 63)) / 100;
		if (i % 4 == 1)
			e.d = (double)(seed >> 40) * (i & 8 ? 1e-12 : 1e12);
		e.d = isfinite(e.d) ? e.d : 0;
		e.f = isfinite(e.f) ? e.f : 0;
		e.u64 = seed >> (seed & 63);
		e.i64 = (int64_t)(seed * 31) >> (seed & 63);
		e.wide = seed >> 3;
		e.signed5 = (int)(seed % 32) - 16;
		char *text = encoded(RT_TYPE(struct every), &e);
		if (!text || decode(RT_TYPE(struct every), text, 0, &back, NULL) != 0 || rt_equal(RT_TYPE(struct every), &e, &back) != 1 ||
		    signbit(e.d) != signbit(back.d)) {
			fprintf(stderr, "not itself: %.17g %.9g: %s\n", e.d, (double)e.f, text);
			check_failed++;
		}
		free(text);
		rt_clear(RT_TYPE(struct every), &back, &memory);
	}
	return 0;
}

static int pointer_maps(void *arg)
{
	uint32_t offsets[32];
	static const uint32_t order[] = { offsetof(struct order, customer), offsetof(struct order, items), offsetof(struct order, discount) };
	static const uint32_t payment[] = { offsetof(struct payment, amount), offsetof(struct payment, left) };

	(void)arg;
	CHECK(rt_type_pointers(RT_TYPE(struct order), offsets, 32) == 3 && memcmp(offsets, order, sizeof order) == 0);
	CHECK(rt_type_pointers(RT_TYPE(struct payment), offsets, 32) == 2 && memcmp(offsets, payment, sizeof payment) == 0);
	CHECK(rt_type_pointers(RT_TYPE(struct every), offsets, 1) == 10 && offsets[0] == offsetof(struct every, string));
	CHECK(rt_type_pointers(RT_TYPE(point_t), offsets, 32) == 0);
	int64_t v;
	struct every e = { .signed5 = -3, .d = 1 };
	CHECK(rt_field_integer(rt_type_field(RT_TYPE(struct every), "signed5"), &e, &v) == 0 && v == -3);
	CHECK(rt_field_integer(rt_type_field(RT_TYPE(struct every), "d"), &e, &v) == -EINVAL && !rt_type_field(RT_TYPE(struct every), "lock"));
	return 0;
}

static int printing(void *arg)
{
	struct item items[] = { { "a\n", 1.5, 2, "x" }, { (char *)8, 0, 0, "12345678" } };
	struct order o = { .id = 1, .items = items, .nitems = 2, .state = STATE_PAID, .secret = "hush", .weight = 2, .has_weight = true };
	struct sink *s = calloc(1, sizeof *s);
	char wanted[1024];

	(void)arg;
	CHECK(rt_print(RT_TYPE(struct order), &o, NULL, sink_write, s) == 0);
	snprintf(wanted, sizeof wanted,
		 "struct order {\n  id = 1\n  customer = NULL\n  items = 0x%jx -> {\n    [0] = struct item {\n      name = \"a\\n\"\n"
		 "      price = 1.5 EUR\n      amount = 2\n      code = \"x\"\n    }\n    [1] = struct item {\n"
		 "      name = \"\" (cannot be read)\n      price = 0 EUR\n      amount = 0\n      code = \"12345678\"\n    }\n  }\n"
		 "  nitems = 2\n  state = STATE_PAID\n  urgent = false\n  secret = (secret)\n  discount = NULL\n  weight = 2 kg\n"
		 "  has_weight = true\n}\n", (uintmax_t)(uintptr_t)items);
	if (strcmp(s->text, wanted) != 0) {
		fprintf(stderr, "printed %swanted %s", s->text, wanted);
		check_failed++;
	}
	struct node a = { .value = 1 };
	a.next = &a;
	memset(s, 0, sizeof *s);
	CHECK(rt_print(RT_TYPE(struct node), &a, NULL, sink_write, s) == 0 && strstr(s->text, "(shown above)\n}\n"));
	struct every e = { .twice = (int **)16, .ncounted = 200 };
	memset(s, 0, sizeof *s);
	CHECK(rt_print(RT_TYPE(struct every), &e, NULL, sink_write, s) == 0 && strstr(s->text, "twice = 0x10 -> (cannot be read)\n") &&
	      strstr(s->text, "counted = (count 200 of 4) {0, 0, 0, 0}\n"));
	free(s);
	return 0;
}

int main(void)
{
	static const struct check_test tests[] = {
		{ "every kind", every_kind },
		{ "refusals", refusals },
		{ "policies", policies },
		{ "initial values", initial_values },
		{ "unions", unions },
		{ "unions of flagged members", flagged_unions },
		{ "counts in unions", counts_in_unions },
		{ "unions within unions", unions_within },
		{ "flexible arrays", tails },
		{ "limits of flexible arrays", tail_budget },
		{ "chains", chains },
		{ "depths", depths },
		{ "no memory", no_memory },
		{ "TOML", toml },
		{ "encodings", encodings },
		{ "numbers", numbers },
		{ "pointer maps", pointer_maps },
		{ "printing", printing },
	};

	return check_all(tests, sizeof tests / sizeof *tests);
}
