/*
 * list.h -- an intrusive doubly linked list.
 *
 * The link lives in the member's own struct, so joining and leaving never
 * allocate, and a member can leave without knowing which list it is in.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_is_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_insert_before(struct list *at, struct list *l)
{
    l->prev = at->prev;
    l->next = at;
    at->prev->next = l;
    at->prev = l;
}

static inline void list_push(struct list *head, struct list *l)
{
    list_insert_before(head->next, l);
}

static inline void list_append(struct list *head, struct list *l)
{
    list_insert_before(head, l);
}

/* Leave; harmless for a link that is in no list but was initialised. */
static inline void list_remove(struct list *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    list_init(l);
}

/* The struct that holds this link. */
#define list_entry(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

#define list_each(at, head) for (struct list *at = (head)->next; at != (head); at = at->next)

/* As list_each, when the body may remove `at` (and only `at`). */
#define list_each_safe(at, after, head)                                                            \
    for (struct list *at = (head)->next, *after = at->next; at != (head);                          \
         at = after, after = at->next)

#endif
