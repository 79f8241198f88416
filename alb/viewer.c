/* viewer.c -- see viewer.h. */
#include "alb/viewer.h"

#include "http/message.h"

#include "alb/config.h"

bool viewer_is_believed(const struct config *config, const struct ip *peer)
{
    return (config->trusts_edge && edge_set_contains(config->edge, peer)) ||
           edge_set_contains(config->trust, peer);
}

/* --- the fields ------------------------------------------------------------------------- */

/* The last one: it ends with what the peer has put there. */
static const struct http_field *last_field(const struct http_message *m, enum http_name id)
{
    const struct http_field *last = NULL;

    for (const struct http_field *f = http_find(m, id); f != NULL; f = http_find_next(m, f))
        last = f;
    return last;
}

static const struct http_field *address_field(const struct config *config,
                                              const struct http_message *m)
{
    return config->edge_options.viewer_address == VIEWER_BY_CLOUDFRONT
               ? http_find_named(m, SPAN("CloudFront-Viewer-Address"), NULL)
               : last_field(m, HTTP_N_X_FORWARDED_FOR);
}

static bool read_address(const struct config *config, const struct http_message *m,
                         const struct http_field *f, struct viewer *out)
{
    if (f->is_folded)
        return false;
    if (config->edge_options.viewer_address == VIEWER_BY_FORWARDED_FOR)
        return viewer_of_forwarded_for(f->value, out);
    return http_find_named(m, f->name, f) == NULL && viewer_of_cloudfront(f->value, out);
}

static const struct http_field *proto_field(const struct config *config,
                                            const struct http_message *m)
{
    switch ((enum viewer_proto_by)config->edge_options.viewer_proto) {
    case PROTO_BY_FORWARDED_PROTO:
        return http_find(m, HTTP_N_X_FORWARDED_PROTO);
    case PROTO_BY_CLOUDFRONT:
        return http_find_named(m, SPAN("CloudFront-Forwarded-Proto"), NULL);
    case PROTO_BY_HOP:
        break;
    }
    return NULL;
}

/* --- a request ---------------------------------------------------------------------------- */

static bool learn_address(const struct config *config, const struct http_message *m,
                          struct access_client *client)
{
    const struct http_field *f = address_field(config, m);

    return f == NULL || read_address(config, m, f, &client->viewer);
}

/* Said twice is not said. */
static bool learn_proto(const struct config *config, const struct http_message *m,
                        struct access_client *client)
{
    const struct http_field *f = proto_field(config, m);

    if (f == NULL)
        return true;
    if (!f->is_folded && http_find_named(m, f->name, f) == NULL)
        client->viewer_proto = (uint8_t)viewer_proto_of(f->value);
    return client->viewer_proto != VIEWER_PROTO_UNSAID;
}

bool viewer_learn(const struct config *config, const struct http_message *m,
                  struct access_client *client)
{
    viewer_forget(client);
    client->is_believed = viewer_is_believed(config, &client->ip);
    if (!client->is_believed)
        return true;
    const bool has_address = learn_address(config, m, client);
    return learn_proto(config, m, client) && has_address;
}

const struct ip *viewer_source(const struct config *config, const struct access_client *client)
{
    const bool is_peer = config->edge_options.source_ip == SOURCE_PEER || !client->is_believed;

    return is_peer ? &client->ip : &client->viewer.ip;
}
