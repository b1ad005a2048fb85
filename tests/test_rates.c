/* The machine's rates: figures that can be, in the time allowed; and stopping. */
#include "base/clock.h"
#include "placement/rates.h"
#include "support.h"

static void measures_what_can_be(void)
{
    al_rates rates;
    _Atomic bool stop = false;
    int64_t start_ns = al_clock_now_ns();
    CU_ASSERT_TRUE_FATAL(al_rates_measure(2, &stop, &rates));
    printf("%.3g flop/s, %.3g and %.3g B/s, %.3g s to wake, in %.3g s ", rates.flops_per_s, rates.bytes_per_s,
           rates.memory_bytes_per_s, rates.overhead_s, 1e-9 * (double)(al_clock_now_ns() - start_ns));
    CU_ASSERT_TRUE(rates.flops_per_s > 1e6 && rates.flops_per_s < 1e13);
    CU_ASSERT_TRUE(rates.bytes_per_s > 1e6 && rates.memory_bytes_per_s >= rates.bytes_per_s);
    CU_ASSERT_TRUE(rates.overhead_s > 0 && rates.overhead_s < 0.1);
    CU_ASSERT_TRUE(rates.rate_sigma > 0 && rates.overhead_sigma > 0);
}

static void any_number_of_cpus_will_do(void)
{
    al_rates rates;
    _Atomic bool stop = false;
    CU_ASSERT_TRUE(al_rates_measure(0, &stop, &rates));
    CU_ASSERT_TRUE(al_rates_measure(10000, &stop, &rates));
}

static void stops_when_told(void)
{
    al_rates rates;
    _Atomic bool stop = true;
    CU_ASSERT_FALSE(al_rates_measure(2, &stop, &rates));
}

int main(void)
{
    static const test_fact facts[] = {
        { "measures what can be", measures_what_can_be },
        { "any number of CPUs will do", any_number_of_cpus_will_do },
        { "stops when told", stops_when_told },
        { NULL, NULL },
    };
    return test_main("rates", facts);
}
