#include "act/run_statistics.h"

#include "base/check.h"

int main(void)
{
	struct statistics s;
	double odd[] = { 9, 1, 5 }, even[] = { 4, 1, 3, 2 }, one[] = { 7 }, holes[] = { NAN, 3, NAN, 1 };
	double alike[] = { 1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16 };

	statistics_of(odd, 3, &s);
	CHECK(s.n == 3 && s.minimum == 1 && s.median == 5 && s.maximum == 9 && s.mean == 5 && s.deviation == 4);
	statistics_of(even, 4, &s);
	CHECK(s.median == 2.5 && s.mean == 2.5);
	CHECK_NEAR(s.deviation, 1.2909944, 1e-6);
	statistics_of(one, 1, &s);
	CHECK(s.minimum == 7 && s.median == 7 && s.maximum == 7 && s.mean == 7 && isnan(s.deviation));
	statistics_of(holes, 4, &s);
	CHECK(s.n == 2 && s.minimum == 1 && s.maximum == 3 && s.median == 2);
	statistics_of(alike, 4, &s);
	CHECK_NEAR(s.deviation, 5.4772256, 1e-6);
	statistics_of(NULL, 0, &s);
	CHECK(s.n == 0 && isnan(s.minimum) && isnan(s.median) && isnan(s.mean) && isnan(s.deviation));
	return check_exit();
}
