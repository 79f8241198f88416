/* presence.c -- see presence.h. */
#include "wsserver/presence.h"

#include <inttypes.h>

#include "base/mem.h"
#include "wsserver/chat_text.h"
#include "wsserver/keyed_hash.h"

struct presence_user {
    UT_hash_handle hh;
    uint32_t sessions, round;
    size_t len;
    char name[];
};

struct presence_reading {
    struct presence *presence;
    struct buf joined, left, counted; /* the insides of "j", "l", "c" */
};

static void buf_start(struct buf *b)
{
    buf_init(b, UINT32_MAX / 2);
}

struct presence_reading *presence_begin(struct presence *presence)
{
    struct presence_reading *r = mem_new(struct presence_reading);
    r->presence = presence;
    buf_start(&r->joined);
    buf_start(&r->left);
    buf_start(&r->counted);
    presence->round++;
    return r;
}

static void put_name(struct buf *to, const struct presence_user *user)
{
    if (buf_len(to) > 0)
        buf_put(to, SPAN(","));
    chat_text_string(to, span_of(user->name, user->len));
}

static void put_user(struct buf *to, const struct presence_user *user)
{
    put_name(to, user);
    buf_print(to, ":{\"n\":%" PRIu32 "}", user->sessions);
}

static struct presence_user *add_user(struct presence *p, struct span name)
{
    struct presence_user *user = mem_zero(sizeof(*user) + name.len);
    user->len = name.len;
    if (name.len > 0)
        memcpy(user->name, name.ptr, name.len);
    HASH_ADD_KEYPTR(hh, p->users, user->name, name.len, user);
    return user;
}

void presence_user(struct presence_reading *r, struct span name, uint32_t sessions)
{
    struct presence_user *user;
    HASH_FIND(hh, r->presence->users, name.ptr, name.len, user);
    struct buf *tell = user == NULL ? &r->joined : &r->counted;
    if (user == NULL)
        user = add_user(r->presence, name);
    user->round = r->presence->round;
    if (user->sessions == sessions)
        return;
    user->sessions = sessions;
    put_user(tell, user);
}

static void drop_unseen(struct presence_reading *r)
{
    struct presence_user *user, *after;
    HASH_ITER (hh, r->presence->users, user, after) {
        if (user->round == r->presence->round)
            continue;
        put_name(&r->left, user);
        HASH_DEL(r->presence->users, user);
        free(user);
    }
}

static void put_head(struct buf *to, struct span channel, uint64_t rev)
{
    buf_put(to, SPAN("{\"t\":\"pres\",\"ch\":"));
    chat_text_string(to, channel);
    buf_print(to, ",\"rev\":%" PRIu64, rev);
}

static void put_part(struct buf *to, const char *opening, struct buf *part, const char *closing)
{
    if (buf_len(part) == 0)
        return;
    buf_put(to, span_text(opening));
    buf_put(to, buf_data(part));
    buf_put(to, span_text(closing));
}

static struct shared_text *finish(struct buf *text)
{
    struct shared_text *shared = shared_text_new(buf_data(text));
    buf_done(text);
    return shared;
}

static struct shared_text *difference(struct presence_reading *r, struct span channel)
{
    struct buf text;
    buf_start(&text);
    put_head(&text, channel, r->presence->rev);
    put_part(&text, ",\"j\":{", &r->joined, "}");
    put_part(&text, ",\"l\":[", &r->left, "]");
    put_part(&text, ",\"c\":{", &r->counted, "}");
    buf_put(&text, SPAN("}"));
    return finish(&text);
}

struct shared_text *presence_end(struct presence_reading **reading, struct span channel,
                                 uint64_t rev)
{
    struct presence_reading *r = *reading;
    struct shared_text *text = NULL;
    drop_unseen(r);
    r->presence->rev = rev;
    if (buf_len(&r->joined) + buf_len(&r->left) + buf_len(&r->counted) > 0) {
        text = difference(r, channel);
        shared_text_drop(&r->presence->snapshot);
    }
    buf_done(&r->joined);
    buf_done(&r->left);
    buf_done(&r->counted);
    mem_free(*reading);
    return text;
}

static struct shared_text *make_snapshot(const struct presence *p, struct span channel)
{
    struct buf text, users;
    buf_start(&text);
    buf_start(&users);
    for (struct presence_user *user = p->users; user != NULL; user = user->hh.next)
        put_user(&users, user);
    put_head(&text, channel, p->rev);
    buf_put(&text, SPAN(",\"full\":true,\"u\":{"));
    buf_put(&text, buf_data(&users));
    buf_put(&text, SPAN("}}"));
    buf_done(&users);
    return finish(&text);
}

struct shared_text *presence_snapshot(struct presence *p, struct span channel)
{
    if (p->snapshot == NULL)
        p->snapshot = make_snapshot(p, channel);
    return shared_text_hold(p->snapshot);
}

void presence_clear(struct presence *p)
{
    struct presence_user *user, *after;
    HASH_ITER (hh, p->users, user, after) {
        HASH_DEL(p->users, user);
        free(user);
    }
    shared_text_drop(&p->snapshot);
    *p = (struct presence){ .users = NULL };
}
