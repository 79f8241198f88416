/* rules_miss.h -- what a rule that was near asked for besides: rules_miss_one() finds it, and the
 * doctor tells it (upgrade_failures.h). */
#ifndef ALB_RULES_MISS_H
#define ALB_RULES_MISS_H

enum rules_miss { RULES_MISS_NOTHING, RULES_MISS_HOST, RULES_MISS_HEADER };

#endif
