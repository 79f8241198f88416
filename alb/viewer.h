/*
 * viewer.h -- whom a request is for: the viewer behind an edge that is believed, or the peer.
 *
 * What the peer says of a viewer counts only if [edge] trust names the peer; nothing that
 * anybody else sends is looked at. The peer is who the connection is from or, where a PROXY
 * protocol header is required, whom that announces.
 */
#ifndef ALB_VIEWER_H
#define ALB_VIEWER_H

#include <stdbool.h>

#include "alb/access_log.h"

struct config;
struct http_message;

/* Is it named by [edge] trust? */
bool viewer_is_believed(const struct config *config, const struct ip *peer);

/* Put into `client` what is to be known of this request: for each one, before anything else
 * looks there. False when a believed peer says something that cannot be read, which is passed
 * over. */
bool viewer_learn(const struct config *config, const struct http_message *m,
                  struct access_client *client);

/* There is no request yet. */
static inline void viewer_forget(struct access_client *client)
{
    client->viewer = (struct viewer){ .port = 0 };
    client->viewer_proto = VIEWER_PROTO_UNSAID;
    client->is_believed = false;
}

/* The viewer's address; the peer's when no viewer is known. */
static inline const struct ip *viewer_or_peer(const struct access_client *client)
{
    return client->viewer.ip.family != 0 ? &client->viewer.ip : &client->ip;
}

/* What source-ip conditions compare, by [edge] source_ip. No address (family 0, in no block) when
 * that is to be the viewer's and a believed peer does not say it. */
const struct ip *viewer_source(const struct config *config, const struct access_client *client);

/* Does X-Forwarded-Proto say https: of the viewer, if that is known and asked for, or of the hop?
 */
static inline bool viewer_is_https(const struct access_client *client)
{
    return client->viewer_proto == VIEWER_PROTO_UNSAID ? client->is_https
                                                       : client->viewer_proto == VIEWER_PROTO_HTTPS;
}

#endif
