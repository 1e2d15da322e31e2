/* UTF-8, read strictly: no surrogates, no overlong forms, nothing above U+10FFFF. */
#ifndef OSPREY_BASE_UTF8_H
#define OSPREY_BASE_UTF8_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/* Takes the next character off the front of *s. False at the end. A byte that starts no
 * character is taken alone: then *ret is UTF8_INVALID | the byte. */
#define UTF8_INVALID 0x80000000u
bool utf8_next(struct span *s, uint32_t *ret);

/* Columns the character takes on a terminal: 0 (combining), 1 or 2 (East Asian wide). */
unsigned utf8_width(uint32_t character);

/* Columns of a text whose characters are all printable. */
unsigned utf8_columns(struct span s);

#endif
