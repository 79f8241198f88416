/* proxy_head.c -- see proxy_head.h. */
#include "http/proxy_head.h"

#include "base/crc32c.h"
#include "base/text.h"

static enum proxy_head_state refuse(struct proxy_head *h, const char *why)
{
    h->why = why;
    return PROXY_HEAD_REFUSED;
}

/* --- version 1 ----------------------------------------------------------------- */

enum { LINE_MAX = 107 }; /* with its CRLF */

static const struct span line_start = SPAN_INIT("PROXY ");

/* A piece up to the next blank, which must be there unless it is the last. */
static bool take_piece(struct span *rest, bool is_last, struct span *piece)
{
    const char *blank = rest->len == 0 ? NULL : memchr(rest->ptr, ' ', rest->len);

    if ((blank == NULL) != is_last)
        return false;
    *piece = span_of(rest->ptr, blank == NULL ? rest->len : (size_t)(blank - rest->ptr));
    *rest = span_after(*rest, piece->len + 1);
    return true;
}

static bool take_ip(struct span *rest, bool is_v6, struct ip *out)
{
    struct span piece;

    return take_piece(rest, false, &piece) && ip_parse(piece, out) &&
           (memchr(piece.ptr, ':', piece.len) != NULL) == is_v6;
}

static bool take_port(struct span *rest, bool is_last, uint16_t *out)
{
    struct span piece;
    uint64_t port;

    if (!take_piece(rest, is_last, &piece) || !text_u64(piece, &port) || port > UINT16_MAX ||
        (piece.len > 1 && piece.ptr[0] == '0'))
        return false;
    *out = (uint16_t)port;
    return true;
}

static enum proxy_head_state read_ends(struct span rest, bool is_v6, struct proxy_head *h)
{
    if (!take_ip(&rest, is_v6, &h->from.ip) || !take_ip(&rest, is_v6, &h->to.ip))
        return refuse(h, "the PROXY line has no two addresses of its family");
    if (!take_port(&rest, false, &h->from.port) || !take_port(&rest, true, &h->to.port))
        return refuse(h, "the PROXY line does not end with two ports");
    h->is_announced = true;
    return PROXY_HEAD_WHOLE;
}

static enum proxy_head_state read_line(struct span line, struct proxy_head *h)
{
    struct span rest = span_after(line, line_start.len);

    if (span_starts_with(rest, SPAN("TCP4 ")))
        return read_ends(span_after(rest, 5), false, h);
    if (span_starts_with(rest, SPAN("TCP6 ")))
        return read_ends(span_after(rest, 5), true, h);
    if (span_equal(rest, SPAN("UNKNOWN")) || span_starts_with(rest, SPAN("UNKNOWN ")))
        return PROXY_HEAD_WHOLE; /* whatever follows means nothing */
    return refuse(h, "the PROXY line is for none of TCP4, TCP6 and UNKNOWN");
}

/* The first CR or LF must be both. */
static enum proxy_head_state parse_line(struct span bytes, struct proxy_head *h)
{
    const size_t most = bytes.len < LINE_MAX ? bytes.len : LINE_MAX;
    size_t end = 0;

    while (end < most && bytes.ptr[end] != '\r' && bytes.ptr[end] != '\n')
        end++;
    if (end + 1 >= LINE_MAX)
        return refuse(h, "the PROXY line has more than 107 bytes");
    if (end < most && (bytes.ptr[end] == '\n' || (end + 1 < most && bytes.ptr[end + 1] != '\n')))
        return refuse(h, "the PROXY line does not end with CR and LF");
    if (end + 1 >= most)
        return PROXY_HEAD_PARTIAL;
    h->len = end + 2;
    return read_line(span_of(bytes.ptr, end), h);
}

/* --- version 2 ----------------------------------------------------------------- */

static const struct span signature = SPAN_INIT("\r\n\r\n\0\r\nQUIT\n");

enum {
    VERSION_AT = 12,
    FAMILY_AT = 13,
    LENGTH_AT = 14,
    ADDRESSES_AT = 16,
    TLV_HEAD = 3,
    TLV_CRC32C = 0x03,
    TLV_AWS = 0xEA,
    AWS_VPC_ENDPOINT_ID = 0x01,
};

static unsigned byte_at(struct span bytes, size_t at)
{
    return (unsigned char)bytes.ptr[at];
}

static uint16_t number_at(struct span bytes, size_t at)
{
    return (uint16_t)(byte_at(bytes, at) << 8 | byte_at(bytes, at + 1));
}

/* The combinations of family and protocol that there are, and how long their addresses are. Only
 * TCP over IP is told from "unspecified". */
static const struct family {
    uint8_t byte, addresses, ip_bytes;
    bool is_tcp;
} families[] = {
    { 0x00, 0, 0, false },                            /* unspecified: it may have anything */
    { 0x11, 12, 4, true },   { 0x12, 12, 4, false },  /* IPv4: TCP, UDP */
    { 0x21, 36, 16, true },  { 0x22, 36, 16, false }, /* IPv6 */
    { 0x31, 216, 0, false }, { 0x32, 216, 0, false }, /* Unix */
};

static const struct family *find_family(unsigned byte)
{
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        if (families[i].byte == byte)
            return &families[i];
    }
    return NULL;
}

static struct ip ip_at(struct span bytes, size_t at, size_t size)
{
    struct ip ip = { .family = size == 4 ? 4 : 6 };

    memcpy(ip.bytes, bytes.ptr + at, size);
    return ip_of_mapped(ip);
}

static void read_addresses(struct span head, const struct family *family, struct proxy_head *h)
{
    const size_t size = family->ip_bytes, ports = ADDRESSES_AT + 2 * size;

    h->is_announced = family->is_tcp;
    if (!family->is_tcp)
        return;
    h->from = (struct proxy_end){ ip_at(head, ADDRESSES_AT, size), number_at(head, ports) };
    h->to =
        (struct proxy_end){ ip_at(head, ADDRESSES_AT + size, size), number_at(head, ports + 2) };
}

/* Of the whole head, the checksum's own four bytes taken for zeros. */
static bool is_intact(struct span head, struct span checksum)
{
    const size_t at = (size_t)(checksum.ptr - head.ptr);
    uint32_t crc;

    if (checksum.len != 4)
        return false;
    crc = crc32c(0, span_of(head.ptr, at));
    crc = crc32c(crc, SPAN("\0\0\0\0"));
    crc = crc32c(crc, span_after(head, at + 4));
    return crc == ((uint32_t)number_at(checksum, 0) << 16 | number_at(checksum, 2));
}

static bool is_id(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '-')
            return false;
    }
    return text.len > 0 && text.len <= PROXY_ENDPOINT_ID_MAX;
}

static void learn_aws(struct span value, struct proxy_head *h)
{
    const struct span id = span_after(value, 1);

    if (value.len > 0 && byte_at(value, 0) == AWS_VPC_ENDPOINT_ID && is_id(id))
        h->endpoint_id = id;
}

/* Those that it does not know are skipped. */
static enum proxy_head_state read_tlvs(struct span head, struct span rest, struct proxy_head *h)
{
    while (rest.len > 0) {
        if (rest.len < TLV_HEAD || number_at(rest, 1) > rest.len - TLV_HEAD)
            return refuse(h, "a TLV of the PROXY head is longer than the head");
        const struct span value = span_of(rest.ptr + TLV_HEAD, number_at(rest, 1));
        if (byte_at(rest, 0) == TLV_CRC32C && !is_intact(head, value))
            return refuse(h, "the checksum of the PROXY head is not that of its bytes");
        if (byte_at(rest, 0) == TLV_AWS)
            learn_aws(value, h);
        rest = span_after(rest, TLV_HEAD + value.len);
    }
    return PROXY_HEAD_WHOLE;
}

static enum proxy_head_state read_announced(struct span head, struct proxy_head *h)
{
    const struct family *family = find_family(byte_at(head, FAMILY_AT));

    if (family == NULL)
        return refuse(h, "the PROXY head has a family or protocol that there is not");
    if (family->byte == 0)
        return PROXY_HEAD_WHOLE;
    if (head.len < (size_t)ADDRESSES_AT + family->addresses)
        return refuse(h, "the PROXY head is too short for its addresses");
    read_addresses(head, family, h);
    return read_tlvs(head, span_after(head, (size_t)ADDRESSES_AT + family->addresses), h);
}

static enum proxy_head_state parse_binary(struct span bytes, struct proxy_head *h)
{
    if (bytes.len > VERSION_AT && byte_at(bytes, VERSION_AT) >> 4 != 2)
        return refuse(h, "the PROXY head has a version that there is not");
    if (bytes.len > VERSION_AT && (byte_at(bytes, VERSION_AT) & 15) > 1)
        return refuse(h, "the PROXY head has a command that is neither LOCAL nor PROXY");
    if (bytes.len < ADDRESSES_AT)
        return PROXY_HEAD_PARTIAL;
    h->len = (size_t)ADDRESSES_AT + number_at(bytes, LENGTH_AT);
    if (h->len > PROXY_HEAD_MAX)
        return refuse(h, "the PROXY head has more than 4096 bytes");
    if (bytes.len < h->len)
        return PROXY_HEAD_PARTIAL;
    if ((byte_at(bytes, VERSION_AT) & 15) == 0)
        return PROXY_HEAD_WHOLE; /* LOCAL: what it holds means nothing, its family neither */
    return read_announced(span_of(bytes.ptr, h->len), h);
}

/* --- both ---------------------------------------------------------------------- */

/* One is the other's beginning. */
static bool agree(struct span bytes, struct span start)
{
    return bytes.len < start.len ? span_starts_with(start, bytes) : span_starts_with(bytes, start);
}

enum proxy_head_state proxy_head_parse(struct span bytes, struct proxy_head *out)
{
    enum proxy_head_state state;

    *out = (struct proxy_head){ .endpoint_id = SPAN_INIT("") };
    if (agree(bytes, line_start))
        state = bytes.len < line_start.len ? PROXY_HEAD_PARTIAL : parse_line(bytes, out);
    else if (agree(bytes, signature))
        state = bytes.len < signature.len ? PROXY_HEAD_PARTIAL : parse_binary(bytes, out);
    else
        state = refuse(out, "it does not begin with a head of the PROXY protocol");
    if (state != PROXY_HEAD_WHOLE)
        out->len = 0;
    return state;
}

bool proxy_head_begins(struct span bytes)
{
    return span_starts_with(bytes, line_start) || span_starts_with(bytes, signature);
}
