/* nft.c -- see nft.h. */
#include "alb/nft.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

#include "alb/config_parts.h"
#include "alb/registrations.h"
#include "alb/state_file.h"

/* A family, in nft's words. */
struct family {
    uint8_t number; /* as in struct ip */
    const char *type, *address, *protocol;
};

static const struct family families[] = {
    { 4, "ipv4_addr", "ip", "ipv4" },
    { 6, "ipv6_addr", "ip6", "ipv6" },
};

enum { FAMILIES = sizeof(families) / sizeof(families[0]) };

/* Ports, and whom they are for. */
struct door {
    const char *name; /* of its sets, with the family's number behind; NULL: it has none */
    const struct edge_set *set;
    bool is_open;       /* for everybody */
    uint64_t until_s;   /* since 1970: without a name it is for `set` until then */
    struct addr *binds; /* owned */
    size_t count;
};

/* What nft, which counts in nanoseconds, can hold; in the year 2554. */
static const uint64_t last_s = UINT64_MAX / 1000000000;

/* --- sets ------------------------------------------------------------------------------- */

/* In braces, but nothing when there is none: an empty list is an error to nft. True when there was
 * one. */
static bool print_list(const struct door *d, const struct family *f, const char *begin,
                       const char *between, const char *end, FILE *to)
{
    const struct cidr *items = edge_set_items(d->set);
    const char *before = begin;
    char text[CIDR_TEXT_MAX];

    for (size_t i = 0; i < edge_set_ranges(d->set); i++) {
        if (items[i].ip.family != f->number)
            continue;
        fprintf(to, "%s%s", before, cidr_format(&items[i], text));
        before = between;
    }
    if (before == between)
        fputs(end, to);
    return before == between;
}

static void print_elements(const struct door *d, const struct family *f, FILE *to)
{
    print_list(d, f, "\t\telements = {\n\t\t\t", ",\n\t\t\t", "\n\t\t}\n", to);
}

static void print_set(const struct door *d, const struct family *f, FILE *to)
{
    fprintf(to, "\tset %s%u {\n\t\ttype %s\n\t\tflags interval\n\t\tauto-merge\n", d->name,
            f->number, f->type);
    print_elements(d, f, to);
    fprintf(to, "\t}\n\n");
}

/* --- ports ------------------------------------------------------------------------------ */

static bool is_loopback(const struct ip *ip)
{
    static const struct ip v6 = { 6, { [15] = 1 } };

    return ip->family == 4 ? ip->bytes[0] == 127 : ip_equal(ip, &v6);
}

static int compare(const void *a, const void *b)
{
    return *(const uint16_t *)a - *(const uint16_t *)b;
}

/* Of this family, where others than this machine can reach them; sorted, each once. free() it. */
static uint16_t *ports_of(const struct door *d, const struct family *f, size_t *count)
{
    uint16_t *ports = mem_array(uint16_t, d->count);
    size_t n = 0, kept = 0;
    struct ip ip;

    for (size_t i = 0; i < d->count; i++) {
        if (addr_ip(&d->binds[i], &ip) && ip.family == f->number && !is_loopback(&ip))
            ports[n++] = addr_port(&d->binds[i]);
    }
    qsort(ports, n, sizeof(ports[0]), compare);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || ports[kept - 1] != ports[i])
            ports[kept++] = ports[i];
    }
    *count = kept;
    return ports;
}

/* The end is the wall clock's, as it is alb's. False: none of this family. */
static bool print_who_for_a_while(const struct door *d, const struct family *f, FILE *to)
{
    char begin[32], end[64];

    snprintf(begin, sizeof(begin), "\t\t%s saddr { ", f->address);
    snprintf(end, sizeof(end), " } meta time < %" PRIu64, d->until_s);
    return print_list(d, f, begin, ", ", end, to);
}

/* False: nobody of this family. */
static bool print_who(const struct door *d, const struct family *f, FILE *to)
{
    if (d->name == NULL)
        return print_who_for_a_while(d, f, to);
    if (d->is_open)
        fprintf(to, "\t\tmeta nfproto %s", f->protocol);
    else
        fprintf(to, "\t\t%s saddr @%s%u", f->address, d->name, f->number);
    return true;
}

static void print_end(const struct door *d, FILE *to)
{
    char until[CLOCK_TEXT_MAX];

    if (d->name == NULL)
        fprintf(to, " comment \"until %.19sZ\"", clock_iso_us(d->until_s * 1000000, until));
    fputs("\n", to);
}

static void print_ports(const struct door *d, const struct family *f, FILE *to)
{
    size_t count;
    uint16_t *ports = ports_of(d, f, &count);

    if (count > 0 && print_who(d, f, to)) {
        for (size_t i = 0; i < count; i++)
            fprintf(to, "%s%u", i == 0 ? " tcp dport { " : ", ", ports[i]);
        fputs(" } accept", to);
        print_end(d, to);
    }
    free(ports);
}

/* Where the configuration opens it to other machines. */
static void print_admin(const struct config *c, FILE *to)
{
    static const struct ip every_one = { 0 };
    char text[IP_TEXT_MAX];
    struct ip ip;

    if (c->admin.len == 0 || !addr_ip(&c->admin, &ip) || is_loopback(&ip))
        return;
    const char *address = families[ip.family == 6].address;
    const char *protocol = families[ip.family == 6].protocol;
    if (memcmp(ip.bytes, every_one.bytes, sizeof(ip.bytes)) == 0)
        fprintf(to, "\t\tmeta nfproto %s", protocol);
    else
        fprintf(to, "\t\t%s daddr %s", address, ip_format(&ip, text));
    fprintf(to, " tcp dport %u accept comment \"admin: open to all, as configured\"\n",
            addr_port(&c->admin));
}

/* --- the whole -------------------------------------------------------------------------- */

/* The first two lines make sure that there is one to delete. */
static const char head[] = "# Made by `alb nft`: load it with `nft -f -`.\n"
                           "table inet postern {}\n"
                           "delete table inet postern\n"
                           "table inet postern {\n";

/* What an error of a connection of ours says is "related" to it. */
static const char always[] =
    "\tchain input {\n"
    "\t\ttype filter hook input priority filter; policy drop;\n"
    "\t\tiif \"lo\" accept\n"
    "\t\tct state established,related accept\n"
    "\t\tct state invalid drop\n"
    "\t\ticmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } "
    "ip6 hoplimit 255 accept\n"
    "\t\tip6 saddr fe80::/10 icmpv6 type mld-listener-query accept\n"
    "\t\tip6 saddr fe80::/10 udp dport 546 accept comment \"DHCPv6\"\n"
    "\t\tudp sport 67 udp dport 68 accept comment \"DHCP\"\n";

static bool has_ports(const struct config *c, struct problems *problems)
{
    static const char why[] =
        "bind: port 0 is any free one, for which there can be no rule: name one";
    const size_t before = problems->errors;

    for (size_t i = 0; i < c->listener_count; i++) {
        const struct listener_config *l = &c->listeners[i];
        if (addr_port(&l->bind) == 0)
            problems_error(problems, config_line(&l->lines, listener_settings, "bind"), "%s", why);
    }
    for (int kind = 0; kind < DOOR_KINDS; kind++) {
        for (size_t i = 0; i < c->doors[kind].bind_count; i++) {
            if (addr_port(&c->doors[kind].binds[i]) == 0)
                problems_error(problems, c->doors[kind].lines[i], "%s", why);
        }
    }
    return problems->errors == before;
}

static struct door edge_door(const struct config *c)
{
    struct door d = { .name = "edge", .set = c->edge, .count = c->listener_count };

    d.is_open = c->edge_any || c->edge_options.enforce == EDGE_OBSERVE;
    d.binds = mem_array(struct addr, d.count);
    for (size_t i = 0; i < d.count; i++)
        d.binds[i] = c->listeners[i].bind;
    return d;
}

static struct door other_door(const struct door_config *c, const char *name)
{
    struct door d = { .name = name, .set = c->allow, .count = c->bind_count };

    d.is_open = c->any;
    d.binds = mem_array(struct addr, d.count);
    for (size_t i = 0; i < d.count; i++)
        d.binds[i] = c->binds[i];
    return d;
}

/* That of the listeners, and what else the configuration has. How many. */
static size_t list_doors(const struct config *c, struct door doors[1 + DOOR_KINDS])
{
    size_t count = 1;

    doors[0] = edge_door(c);
    for (int kind = 0; kind < DOOR_KINDS; kind++) {
        if (c->doors[kind].bind_count > 0)
            doors[count++] = other_door(&c->doors[kind], door_names[kind]);
    }
    return count;
}

static void print_doors(const struct door *doors, size_t count, FILE *to,
                        void (*print)(const struct door *, const struct family *, FILE *))
{
    for (size_t i = 0; i < count * FAMILIES; i++)
        print(&doors[i / FAMILIES], &families[i % FAMILIES], to);
}

/* --- for a while ------------------------------------------------------------------------ */

static int compare_ends(const void *a, const void *b)
{
    const struct edge_addition *x = a, *y = b;

    return (x->until_s > y->until_s) - (x->until_s < y->until_s);
}

/* How many from the first on end with it; they are added to the set. */
static size_t take_one_end(const struct edge_addition *items, size_t count, struct edge_set *set)
{
    size_t n = 0;

    for (; n < count && items[n].until_s == items[0].until_s; n++)
        edge_set_add(set, &items[n].block);
    edge_set_build(set);
    return n;
}

/* A rule for each end. A block may be in several: the last end counts. */
static void print_additions(const struct door *edge, const struct edge_additions *additions,
                            FILE *to)
{
    struct edge_additions sorted = edge_additions_copy(additions);

    if (sorted.count > 0)
        qsort(sorted.items, sorted.count, sizeof(sorted.items[0]), compare_ends);
    for (size_t i = 0; i < sorted.count && !edge->is_open;) {
        const uint64_t until_s = sorted.items[i].until_s;
        struct edge_set *set = edge_set_new();
        struct door d = *edge;
        i += take_one_end(&sorted.items[i], sorted.count - i, set);
        d.name = NULL;
        d.set = set;
        d.until_s = until_s < last_s ? until_s : last_s;
        print_doors(&d, 1, to, print_ports);
        edge_set_free(&set);
    }
    edge_additions_done(&sorted);
}

bool nft_print(const struct config *c, const struct edge_additions *additions,
               struct problems *problems, FILE *to)
{
    if (!has_ports(c, problems))
        return false;
    if (c->edge_options.enforce == EDGE_OBSERVE && !c->edge_any)
        problems_warning(problems, config_line(&c->edge_lines, edge_settings, "enforce"),
                         "enforce = observe: the rules let strangers in to the listeners' ports");
    struct door doors[1 + DOOR_KINDS];
    const size_t count = list_doors(c, doors);
    fputs(head, to);
    print_doors(doors, count, to, print_set);
    fputs(always, to);
    print_doors(doors, count, to, print_ports);
    print_admin(c, to);
    print_additions(&doors[0], additions, to);
    fputs("\t}\n}\n", to);
    for (size_t i = 0; i < count; i++)
        free(doors[i].binds);
    return true;
}

static bool read_state(const char *path, struct registrations *said)
{
    struct problems problems;

    if (path[0] == '\0')
        return true;
    problems_init(&problems, path);
    const bool ok = state_file_read(path, said, &problems);
    problems_print(&problems, stderr);
    problems_done(&problems);
    return ok;
}

static bool print_with_state(const struct config *c, const char *state_path,
                             struct problems *problems)
{
    struct registrations said = { 0 };
    const bool ok = read_state(state_path != NULL ? state_path : c->alb.state_file, &said) &&
                    nft_print(c, &said.edge, problems, stdout);

    registrations_done(&said);
    return ok;
}

int nft_file(const char *path, const char *state_path)
{
    struct problems problems;

    problems_init(&problems, path);
    struct config *config = config_read_file(path, &problems);
    const bool ok = config != NULL && print_with_state(config, state_path, &problems);
    problems_print(&problems, stderr);
    problems_done(&problems);
    config_free(&config);
    return ok ? 0 : 1;
}
