/*
 * rules_facts.h -- what rules ask of requests that can be looked up (rules_asks.h), numbered.
 *
 * The numbers begin at 0 with the fact that is asked for least often: of several that a rule asks
 * for, the one with the lowest number tells most. First all are learned, then who makes an index
 * says which of them it uses; only those are looked for in requests.
 */
#ifndef ALB_RULES_FACTS_H
#define ALB_RULES_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct condition_request;
struct fact;
struct rule;
struct rules_facts;

#define FACT_NONE UINT32_MAX

/* Learns all that these rules ask for, and copies it. */
struct rules_facts *rules_facts_new(const struct rule *rules, size_t count);
void rules_facts_free(struct rules_facts **facts);

/* FACT_NONE: no rule asks for it. */
uint32_t rules_facts_number(const struct rules_facts *facts, const struct fact *fact);

/* Is it a literal, for which a text has to be walked through? */
bool rules_facts_is_piece(const struct rules_facts *facts, uint32_t number);

/* Any number of times, then once `ready`; from then on it is immutable. */
void rules_facts_use(struct rules_facts *facts, uint32_t number);
void rules_facts_ready(struct rules_facts *facts);

/* A request may have more of those in use than that. Then what is here is not all, and who asks
 * must look at every rule. */
enum { REQUEST_FACTS_MAX = 128 };

struct request_facts {
    uint32_t numbers[REQUEST_FACTS_MAX]; /* of `count`, in order; none twice */
    size_t count;
    bool too_many;
};

/* Takes time in proportion to the request's head, and allocates nothing. The texts that are walked
 * through for literals are charged to its budget. */
void rules_facts_of(const struct rules_facts *facts, struct condition_request *request,
                    struct request_facts *out);

#endif
