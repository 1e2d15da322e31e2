#include "reflect/number_text.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* m / 10^places, where both are exact, so that the quotient is what a reader gets. */
static size_t decimal(uint64_t m, unsigned places, char *ret)
{
	char digits[20];
	size_t n = number_unsigned(m, digits), o = 0;

	if (n <= places) {
		ret[o++] = '0';
		ret[o++] = '.';
		for (size_t i = n; i < places; i++)
			ret[o++] = '0';
		memcpy(ret + o, digits, n);
		return o + n;
	}
	memcpy(ret, digits, n - places);
	o = n - places;
	ret[o++] = '.';
	memcpy(ret + o, digits + n - places, places);
	return o + places;
}

/* Most numbers that people write have few places: the first count of them that gives the same double back. */
static size_t few_places(double value, char *ret)
{
	if (value == (double)(int64_t)value)
		return number_unsigned((uint64_t)value, ret);
	for (unsigned places = 1; places < 16; places++) {
		double scaled = value * tens[places];
		if (scaled >= 0x1p53)
			break;
		uint64_t m = (uint64_t)(scaled + 0.5);
		if ((double)m / tens[places] == value)
			return decimal(m, places, ret);
	}
	return 0;
}

static locale_t plain_locale(void)
{
	/* glibc gives the same static object each time. */
	return newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* The fewest digits of printf's that read as the same number. The point is the locale's. */
static size_t by_printf(double value, int from, int to, bool single, char *ret)
{
	char text[NUMBER_TEXT + 8];
	locale_t before = uselocale(plain_locale());
	int n = 0;

	for (int digits = from; digits <= to; digits++) {
		n = snprintf(text, sizeof text, "%.*g", digits, value);
		if (digits == to || (single ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value))
			break;
	}
	uselocale(before);
	memcpy(ret, text, (size_t)n);
	return (size_t)n;
}

size_t number_double(double value, char *ret)
{
	size_t sign = signbit(value) != 0, n = 0;

	if (sign) {
		*ret = '-';
		value = -value;
	}
	/* Readers take -0 for an integer, which has no sign there. */
	if (value == 0)
		n = (memcpy(ret + sign, "0.0", 3), sign ? 3 : 1);
	else if (value < 0x1p53 && value >= 1e-5)
		n = few_places(value, ret + sign);
	return sign + (n ? n : by_printf(value, 15, 17, false, ret + sign));
}

size_t number_float(float value, char *ret)
{
	size_t sign = signbit(value) != 0;

	if (sign) {
		*ret = '-';
		value = -value;
	}
	if (value == 0)
		return number_double(sign ? -0.0 : 0.0, ret);
	if (value < 0x1p24f && value == (float)(int32_t)value)
		return sign + few_places(value, ret + sign);
	return sign + by_printf(value, 6, 9, true, ret + sign);
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
