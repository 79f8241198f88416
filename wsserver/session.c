/* session.c -- see session.h. */
#include "wsserver/session.h"

#include "base/mem.h"

_Static_assert(HUB_USER_MAX <= UINT8_MAX && HUB_SESSION_MAX <= UINT8_MAX, "lengths fit a byte");

enum { KEY_HEAD = sizeof(int64_t) + 1, KEY_MAX = KEY_HEAD + HUB_USER_MAX + HUB_SESSION_MAX };

void sessions_init(struct sessions *s)
{
    *s = (struct sessions){ .all = NULL };
    list_init(&s->leaving);
    list_init(&s->unstored);
}

static void forget(struct sessions *s, struct session *session)
{
    HASH_DEL(s->all, session);
    session->channel->sessions--;
    list_remove(&session->leaving);
    list_remove(&session->unstored);
    free(session);
}

void sessions_done(struct sessions *s)
{
    struct session *session, *after;
    HASH_ITER (hh, s->all, session, after) {
        forget(s, session);
    }
}

/* Keep the list of unstored ones right after `present` or `row` changed. */
static void settle(struct sessions *s, struct session *session)
{
    bool listed = !list_is_empty(&session->unstored);
    bool must = session->row != (session->present ? ROW_STORED : ROW_ABSENT);
    if (must && !listed) {
        list_append(&s->unstored, &session->unstored);
        s->unstored_count++;
    } else if (listed && !must) {
        list_remove(&session->unstored);
        s->unstored_count--;
    }
}

static size_t write_key(char key[KEY_MAX], const struct channel *channel, struct span user,
                        struct span session)
{
    memcpy(key, &channel->head.id, sizeof(channel->head.id));
    key[KEY_HEAD - 1] = (char)user.len;
    memcpy(key + KEY_HEAD, user.ptr, user.len);
    memcpy(key + KEY_HEAD + user.len, session.ptr, session.len);
    return KEY_HEAD + user.len + session.len;
}

static struct session *find_or_add(struct sessions *s, struct channel *channel, struct span user,
                                   struct span name)
{
    char key[KEY_MAX];
    size_t len = write_key(key, channel, user, name);
    struct session *session;
    HASH_FIND(hh, s->all, key, len, session);
    if (session != NULL)
        return session;
    session = mem_zero(sizeof(*session) + len);
    session->channel = channel;
    session->user_len = (uint8_t)user.len;
    session->session_len = (uint8_t)name.len;
    session->key_len = len;
    memcpy(session->key, key, len);
    list_init(&session->leaving);
    list_init(&session->unstored);
    HASH_ADD_KEYPTR(hh, s->all, session->key, len, session);
    channel->sessions++;
    return session;
}

struct session *session_join(struct sessions *s, struct channel *channel, struct span user,
                             struct span name)
{
    struct session *session = find_or_add(s, channel, user, name);
    session->conns++;
    session->present = true;
    list_remove(&session->leaving);
    settle(s, session);
    return session;
}

/* Graces are of a few lengths, so the place is near the end. */
static void leave_later(struct sessions *s, struct session *session, uint64_t leave_at)
{
    struct list *at = &s->leaving;
    session->leave_at = leave_at;
    while (at->prev != &s->leaving &&
           list_entry(at->prev, struct session, leaving)->leave_at > leave_at)
        at = at->prev;
    list_insert_before(at, &session->leaving);
}

void session_leave(struct sessions *s, struct session *session, uint64_t leave_at)
{
    if (--session->conns == 0)
        leave_later(s, session, leave_at);
}

void session_inherit(struct sessions *s, struct channel *channel, struct span user,
                     struct span name, uint64_t leave_at)
{
    struct session *session = find_or_add(s, channel, user, name);
    session->present = true;
    session->row = ROW_STORED;
    leave_later(s, session, leave_at);
}

void sessions_expire(struct sessions *s, uint64_t now)
{
    list_each_safe (at, after, &s->leaving) {
        struct session *session = list_entry(at, struct session, leaving);
        if (session->leave_at > now)
            return;
        session->present = false;
        /* One that never was stored goes the same way: removed, then forgotten. */
        session->row = ROW_UNKNOWN;
        list_remove(at);
        settle(s, session);
    }
}

uint64_t sessions_next(const struct sessions *s)
{
    if (list_is_empty(&s->leaving))
        return UINT64_MAX;
    return list_entry(s->leaving.next, struct session, leaving)->leave_at;
}

struct engine_session *sessions_changes(const struct sessions *s)
{
    struct engine_session *changes = mem_array(struct engine_session, s->unstored_count);
    struct engine_session *change = changes;
    list_each (at, &s->unstored) {
        const struct session *session = list_entry(at, struct session, unstored);
        const char *user = session->key + KEY_HEAD;
        *change++ = (struct engine_session){
            .channel = session->channel->head.id,
            .user = span_of(user, session->user_len),
            .session = span_of(user + session->user_len, session->session_len),
            .present = session->present,
        };
    }
    return changes;
}

void sessions_stored(struct sessions *s, struct channels *channels)
{
    list_each_safe (at, after, &s->unstored) {
        struct session *session = list_entry(at, struct session, unstored);
        session->row = session->present ? ROW_STORED : ROW_ABSENT;
        settle(s, session);
        if (session->present)
            continue;
        struct channel *channel = session->channel;
        forget(s, session);
        channels_release(channels, channel);
    }
}

void sessions_forgotten(struct sessions *s)
{
    for (struct session *session = s->all; session != NULL; session = session->hh.next) {
        session->row = ROW_UNKNOWN;
        settle(s, session);
    }
}
