/* A JSON writer: RFC 8259 text into a buf, checked as it goes.
 *
 * Numbers that JSON lacks (NaN, infinities) become null. Strings may hold any bytes:
 * control characters are escaped as \u00NN, and bytes that are no UTF-8 become the four
 * characters \xNN, so that the document is always valid UTF-8.
 *
 *	struct json j = { .out = &text };
 *	json_object(&j, NULL);
 *	json_string(&j, "name", "value");
 *	json_end(&j);
 *	r = json_finish(&j);
 *
 * `key` is NULL within arrays and for the document itself. Errors stay: json_finish tells the
 * first. Misuse (a key within an array, too many ends) is a bug of ours and asserted. */
#ifndef OSPREY_BASE_JSON_H
#define OSPREY_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/reading.h"

#define JSON_MAX_DEPTH 16

struct json {
	struct buf *out;
	unsigned depth;
	uint32_t arrays;   /* bit per depth: it is an array */
	uint32_t nonempty; /* bit per depth: it has a member */
	int error;
	bool compact; /* one line, without blanks: a document a line */
};

void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
void json_end(struct json *j);
void json_string(struct json *j, const char *key, const char *value); /* NULL: null */
void json_span(struct json *j, const char *key, struct span value);
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);
void json_u64(struct json *j, const char *key, uint64_t value);
/* "0x7f…": a double of JSON has 53 bits. */
void json_address(struct json *j, const char *key, uint64_t address);
void json_i64(struct json *j, const char *key, int64_t value);
/* The shortest decimal that gives the value back. */
void json_double(struct json *j, const char *key, double value);
/* The number, or null when it is missing. */
void json_reading(struct json *j, const char *key, reading value);
/* Ends the document with a newline. 0 or -ENOMEM. */
int json_finish(struct json *j) __attribute__((warn_unused_result));

#endif
