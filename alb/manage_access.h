/*
 * manage_access.h -- may this request be answered at [management], all in all? And would it be by
 * the configuration that it asks for: whoever sends one from afar can take nothing back that shuts
 * him out, on a machine without a login.
 *
 * Each request is judged anew, by the time of now and the configuration of now: what was right when
 * the connection began counts for nothing.
 */
#ifndef ALB_MANAGE_ACCESS_H
#define ALB_MANAGE_ACCESS_H

#include <stdbool.h>

struct caller;
struct config;
struct http_message;
struct problems;

/* As manage_login(), and the certificate is judged again: by its dates, or as a whole, which costs
 * the verifying of each signature, where others are trusted than when it was shown. NULL, or why
 * not: a literal. Control thread. */
const char *manage_admit(const struct config *config, const struct http_message *m,
                         struct caller *caller);

/* A request as it came: who sent it (NULL, or elsewhere than at [management]: nobody is shut out),
 * and by which head. */
struct manage_sender {
    const struct caller *caller;
    const struct http_message *head;
    bool is_forced; /* a warning will do */
};

/* Would he be let in by `next` with what he has shown, and might he change things? False with an
 * error that names the line and the cure. */
bool manage_keeps(const struct config *next, const struct manage_sender *sender,
                  struct problems *problems);

#endif
