/* listener_number.c -- a listener by its number: what a tunnel keeps in place of a pointer. */
#include "alb/balancer.h"

/* Most of it is never touched, and so is no memory. */
static const struct listener *by_number[UINT16_MAX + 1];
static uint32_t last;

void listener_take_number(struct listener *l)
{
    if (last == UINT16_MAX) /* after so many reloads to so many other addresses */
        return;
    l->number = (uint16_t)++last;
    by_number[l->number] = l;
}

const struct listener *listener_of_number(uint16_t number)
{
    static const struct listener unknown = { .name = (char *)(uintptr_t) "-" };

    return by_number[number] == NULL ? &unknown : by_number[number];
}
