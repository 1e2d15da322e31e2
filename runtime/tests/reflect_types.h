/* Types of every kind that can be described, for the tests. */
#ifndef RT_TESTS_REFLECT_TYPES_H
#define RT_TESTS_REFLECT_TYPES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <osprey/rt/reflect.h>

#define MOST_ITEMS (1 << 10)

enum state { STATE_NEW = 1, STATE_PAID, STATE_LOST = -5 };
RT_REFLECT(enum state, (*, prefix = "STATE_", lower), (STATE_LOST, name = "lost it"));

enum plain { PLAIN_A, PLAIN_B = 200 };

struct item {
	char *name;
	double price;
	uint16_t amount;
	char code[8];
};
RT_REFLECT(struct item,
	(name, required),
	(price, min = 0, unit = "EUR"),
	(amount, min = 1, max = MOST_ITEMS, initial = 1));

struct order {
	uint64_t id;
	char *customer;
	struct item *items;
	uint32_t nitems;
	enum state state;
	bool urgent;
	char secret[12];
	int32_t *discount;
	double weight;
	bool has_weight;
};
RT_REFLECT(struct order,
	(id, required),
	(customer, name = "customer-name"),
	(items, count = nitems, max = MOST_ITEMS),
	(state, initial = STATE_NEW),
	(secret, secret, omitempty),
	(discount, omitempty),
	(weight, has = has_weight, unit = "kg"));

typedef struct {
	int x, y;
} point_t;
RT_REFLECT(point_t);

typedef int callback(int);

struct every {
	bool b;
	char c;
	int8_t i8;
	int16_t i16;
	int32_t i32;
	int64_t i64;
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;
	float f;
	double d;
	enum state state;
	enum plain plain;
	unsigned bit1 : 1, bit7 : 7;
	int signed5 : 5;
	uint64_t wide : 61;
	bool flag : 1;
	const char *const string;
	char text[16];
	char bytes[4];
	int fixed[3];
	short grid[2][3];
	int counted[4];
	unsigned char ncounted;
	point_t point;
	point_t *where;
	struct {
		int inner;
		char *inner_text;
	} part;
	struct {
		long anonymous;
		char *anonymous_text;
	};
	long *numbers;
	int16_t nnumbers;
	char **strings;
	size_t nstrings;
	point_t **points;
	size_t npoints;
	int **twice;
	callback *function;
	void *nothing;
	FILE *file;
	pthread_mutex_t lock;
	volatile _Atomic int atomic;
};
RT_REFLECT(struct every,
	(bytes, bytes),
	(counted, count = ncounted),
	(part.inner, name = "in\"ner"),
	(numbers, count = nnumbers),
	(strings, count = nstrings),
	(points, count = npoints),
	(file, borrowed),
	(lock, skip));

/* Lists and trees. */
struct node {
	int value;
	struct node *left, *next;
};
RT_REFLECT(struct node, (left, omitempty), (next, omitempty));

/* Unions that say what they are. */
enum pay { PAY_NONE, PAY_CARD, PAY_CASH, PAY_POINTS };
RT_REFLECT(enum pay, (*, prefix = "PAY_", lower));

union amount {
	char *number;
	int64_t cash;
	point_t points;
};
RT_REFLECT(union amount, (number, case = PAY_CARD), (cash, case = PAY_CASH, min = 0), (points, case = PAY_POINTS));

struct payment {
	union amount amount;
	enum pay how;
	int kind;
	union {
		char *left;
		struct item right;
	};
};
RT_REFLECT(struct payment,
	(amount, by = how),
	(how, initial = PAY_NONE),
	(left, by = kind, case = 1),
	(right, by = kind, case = 2, required));

/* A union whose members are flagged. */
enum token_kind { TOKEN_NONE, TOKEN_PIN, TOKEN_SMALL, TOKEN_NEGATIVE, TOKEN_LENT, TOKEN_ITEM };
RT_REFLECT(enum token_kind, (*, prefix = "TOKEN_", lower));

struct token {
	enum token_kind kind;
	union {
		char *pin;
		unsigned small : 3;
		int negative : 4;
		char *lent;
		struct item item;
	} u;
};
RT_REFLECT(struct token,
	(u, by = kind),
	(u.pin, case = TOKEN_PIN, secret),
	(u.small, case = TOKEN_SMALL),
	(u.negative, case = TOKEN_NEGATIVE),
	(u.lent, case = TOKEN_LENT, borrowed),
	(u.item, case = TOKEN_ITEM));

/* What counts is within the union itself. */
struct named {
	int kind;
	union {
		struct {
			char **names;
			uint32_t nnames;
		};
		int x;
	};
	char *after;
};
RT_REFLECT(struct named,
	(names, by = kind, case = 1, count = nnames),
	(nnames, by = kind, case = 1),
	(x, by = kind, case = 2));

/* Two unions, of which one may be told first, and the other last. */
struct twofold {
	int first;
	union {
		struct twofold *child;
		int a;
	};
	int second;
	union {
		int y;
		int z;
	};
};
RT_REFLECT(struct twofold,
	(child, by = first, case = 1),
	(a, by = first, case = 2),
	(y, by = second, case = 1),
	(z, by = second, case = 2));

struct tailed {
	char *title;
	uint8_t n;
	struct item items[];
};
RT_REFLECT(struct tailed, (items, count = n));

struct holder {
	struct tailed *tailed;
	int after;
};
RT_REFLECT(struct holder);

struct numbered {
	uint32_t n;
	int tail[];
};
RT_REFLECT(struct numbered, (tail, count = n));

struct defaults {
	int number;
	int64_t least;
	uint64_t most;
	double real;
	float single;
	char *text;
	char room[8];
	bool yes;
	unsigned three : 3;
	enum plain plain;
};
RT_REFLECT(struct defaults,
	(number, initial = -(3 + 4) * 2),
	(least, initial = INT64_MIN, min = INT64_MIN, max = INT64_MAX),
	(most, initial = UINT64_MAX),
	(real, initial = 2.5e3, min = -1e9, max = 1e9),
	(single, initial = 0.1f),
	(text, initial = "a \"text\""),
	(room, initial = "1234567"),
	(yes, initial = true),
	(three, initial = 5),
	(plain, initial = PLAIN_B));

#endif
