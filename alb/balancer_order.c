/* balancer_order.c -- what whoever gave an order is told: a sentence, and whether it is done. */
#include <stdarg.h>
#include <stdio.h>

#include "alb/balancer_private.h"

bool balancer_refuse(struct order_answer *answer, int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(answer->text, sizeof(answer->text), format, args);
    va_end(args);
    answer->status = status;
    return false;
}

bool balancer_say(struct order_answer *answer, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(answer->text, sizeof(answer->text), format, args);
    va_end(args);
    return true;
}
