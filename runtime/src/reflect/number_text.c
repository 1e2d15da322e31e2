#include "reflect/number_text.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "reflect/shortest.h"

static const char pairs[] =
	"0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
	"5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

/* What a double holds exactly. */
static const double tens[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
			       1e19, 1e20, 1e21, 1e22 };

size_t number_unsigned(uint64_t value, char *ret)
{
	char digits[20];
	size_t at = sizeof digits;

	while (value >= 100) {
		at -= 2;
		memcpy(digits + at, pairs + value % 100 * 2, 2);
		value /= 100;
	}
	if (value >= 10) {
		at -= 2;
		memcpy(digits + at, pairs + value * 2, 2);
	} else {
		digits[--at] = (char)('0' + value);
	}
	memcpy(ret, digits + at, sizeof digits - at);
	return sizeof digits - at;
}

size_t number_signed(int64_t value, char *ret)
{
	if (value >= 0)
		return number_unsigned((uint64_t)value, ret);
	*ret = '-';
	return 1 + number_unsigned(-(uint64_t)value, ret + 1);
}

static locale_t plain_locale(void)
{
	/* glibc gives the same static object each time. */
	return newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

static void zeros(char *to, int n)
{
	memset(to, '0', (size_t)n);
}

/* 12.5, 0.001, 1e-7, 1.5e22 */
static size_t decimal_write(struct shortest d, char *ret)
{
	char digits[20];
	int n = (int)number_unsigned(d.digits, digits), point = n + d.exponent;

	if (d.exponent >= 0 && point <= 17) {
		memcpy(ret, digits, (size_t)n);
		zeros(ret + n, d.exponent);
		return (size_t)point;
	}
	if (point > 0 && point <= 17) {
		memcpy(ret, digits, (size_t)point);
		ret[point] = '.';
		memcpy(ret + point + 1, digits + point, (size_t)(n - point));
		return (size_t)n + 1;
	}
	if (point <= 0 && point > -5) {
		memcpy(ret, "0.", 2);
		zeros(ret + 2, -point);
		memcpy(ret + 2 - point, digits, (size_t)n);
		return (size_t)(2 - point + n);
	}
	size_t o = 0;
	ret[o++] = digits[0];
	if (n > 1) {
		ret[o++] = '.';
		memcpy(ret + o, digits + 1, (size_t)n - 1);
		o += (size_t)n - 1;
	}
	ret[o++] = 'e';
	return o + number_signed(point - 1, ret + o);
}

/* Readers take -0 for an integer, which has no sign there. */
static size_t zero(bool negative, char *ret)
{
	memcpy(ret, negative ? "-0.0" : "0", negative ? 4 : 1);
	return negative ? 4 : 1;
}

size_t number_double(double value, char *ret)
{
	uint64_t bits;

	memcpy(&bits, &value, 8);
	uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
	int exponent = bits >> 52 & 0x7ff;
	size_t sign = bits >> 63;
	if (value == 0)
		return zero(sign, ret);
	*ret = '-';
	return sign + decimal_write(exponent ? shortest_decimal(fraction | UINT64_C(1) << 52, exponent - 1075, !fraction && exponent > 1) :
				    shortest_decimal(fraction, -1074, false), ret + sign);
}

size_t number_float(float value, char *ret)
{
	uint32_t bits;

	memcpy(&bits, &value, 4);
	uint32_t fraction = bits & ((UINT32_C(1) << 23) - 1);
	int exponent = bits >> 23 & 0xff;
	size_t sign = bits >> 31;
	if (value == 0)
		return zero(sign, ret);
	*ret = '-';
	return sign + decimal_write(exponent ? shortest_decimal(fraction | UINT32_C(1) << 23, exponent - 150, !fraction && exponent > 1) :
				    shortest_decimal(fraction, -149, false), ret + sign);
}

struct decimal {
	uint64_t digits;
	int exponent;
	bool negative, exact;
};

static struct decimal decimal_read(const char *p, size_t n)
{
	struct decimal d = { .exact = true };
	const char *end = p + n;
	bool point = false;

	if (*p == '-')
		d.negative = true, p++;
	for (; p < end && *p != 'e' && *p != 'E'; p++) {
		if (*p == '.') {
			point = true;
			continue;
		}
		if (d.digits > UINT64_MAX / 10 - 1) {
			d.exact = false;
			return d;
		}
		d.digits = d.digits * 10 + (uint64_t)(*p - '0');
		d.exponent -= point;
	}
	if (p == end)
		return d;
	bool down = *++p == '-';
	int e = 0;
	for (p += *p == '-' || *p == '+'; p < end; p++)
		e = e < 100000 ? e * 10 + (*p - '0') : e;
	d.exponent += down ? -e : e;
	return d;
}

/* strtod reads on until something is no number: the text may end where its buffer ends. */
static const char *terminated(const char *text, size_t n, char *room, size_t size, char **ret_heap)
{
	*ret_heap = NULL;
	if (n >= size)
		room = *ret_heap = malloc(n + 1);
	if (!room)
		return NULL;
	memcpy(room, text, n);
	room[n] = '\0';
	return room;
}

int number_double_read(const char *text, size_t n, double *ret)
{
	struct decimal d = decimal_read(text, n);

	/* Two exact doubles, one operation: rounded once. */
	if (d.exact && d.digits <= UINT64_C(1) << 53 && d.exponent >= -22 && d.exponent <= 22) {
		double v = (double)d.digits;
		v = d.exponent < 0 ? v / tens[-d.exponent] : v * tens[d.exponent];
		*ret = d.negative ? -v : v;
		return 0;
	}
	char room[128], *heap;
	const char *p = terminated(text, n, room, sizeof room, &heap);
	if (!p)
		return -ENOMEM;
	double v = strtod_l(p, NULL, plain_locale());
	free(heap);
	if (!isfinite(v))
		return -ERANGE;
	*ret = v;
	return 0;
}

int number_float_read(const char *text, size_t n, float *ret)
{
	struct decimal d = decimal_read(text, n);

	if (d.exact && d.digits <= 1u << 24 && d.exponent >= -10 && d.exponent <= 10) {
		float v = (float)d.digits;
		v = d.exponent < 0 ? v / (float)tens[-d.exponent] : v * (float)tens[d.exponent];
		*ret = d.negative ? -v : v;
		return 0;
	}
	char room[128], *heap;
	const char *p = terminated(text, n, room, sizeof room, &heap);
	if (!p)
		return -ENOMEM;
	float v = strtof_l(p, NULL, plain_locale());
	free(heap);
	if (!isfinite(v))
		return -ERANGE;
	*ret = v;
	return 0;
}
