/* soft_bound.c -- see soft_bound.h. */
#include "alb/soft_bound.h"

bool soft_bound_is_over(const struct soft_bound *b, uint32_t outstanding, uint32_t weight)
{
    /* Both sides times the sum of the weights: nothing is divided. */
    const uint64_t has = ((uint64_t)outstanding + 1) * b->weights;
    const uint64_t part = (b->outstanding + 1) * weight;

    return weight != 0 && has * 100 > part * b->percent &&
           has > part + SOFT_BOUND_SLACK * b->weights;
}
