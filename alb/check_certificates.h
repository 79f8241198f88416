/* check_certificates.h -- of `alb check`: which certificates of HTTPS listeners a CDN's edge, such
 * as CloudFront, would refuse, so that every request gets 502 there. */
#ifndef ALB_CHECK_CERTIFICATES_H
#define ALB_CHECK_CERTIFICATES_H

struct config;
struct problems;

/* Each as a warning with the cure. `name`: what the edge asks for, the origin's domain name (or,
 * with AllViewer, the viewers' Host); NULL: whatever it is. `ca_file`: whom the edge trusts; NULL:
 * the system's public authorities. */
void check_certificates(const struct config *config, const char *name, const char *ca_file,
                        struct problems *problems);

#endif
