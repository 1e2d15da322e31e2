/* Numbers as text and back, exact and in any locale. */
#ifndef RT_REFLECT_NUMBER_TEXT_H
#define RT_REFLECT_NUMBER_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define NUMBER_TEXT 32

/* Bytes written, at most 20; no '\0'. */
size_t number_unsigned(uint64_t value, char *ret);
size_t number_signed(int64_t value, char *ret);

/* A finite number, in the fewest digits that read as the same number; at most 25 bytes. */
size_t number_double(double value, char *ret);
size_t number_float(float value, char *ret);

/* A number of JSON's grammar (which the caller has checked), of n bytes. -ERANGE: too large for the type;
 * -ENOMEM, only where it has more than 100 bytes. */
int number_double_read(const char *text, size_t n, double *ret);
int number_float_read(const char *text, size_t n, float *ret);

#endif
