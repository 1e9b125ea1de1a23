/* The encodings of the floor: SHA-1, base64, JSON text, frame headers and masks. Pure functions, for floor.c alone. */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static uint32_t rol(uint32_t v, int n) { return v << n | v >> (32 - n); }

/* SHA-1 of at most 119 octets (FIPS 180-4). */
static void sha1(const uint8_t *text, size_t length, uint8_t digest[20])
{
    uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0}, w[80];
    uint8_t block[128] = {0};
    size_t total = length < 56 ? 64 : 128;
    memcpy(block, text, length);
    block[length] = 0x80;
    block[total - 2] = (uint8_t)(length * 8 >> 8);
    block[total - 1] = (uint8_t)(length * 8);
    for (size_t at = 0; at < total; at += 64) {
        for (int i = 0; i < 16; i++) {
            uint32_t word;
            memcpy(&word, block + at + 4 * i, 4);
            w[i] = ntohl(word);
        }
        for (int i = 16; i < 80; i++)
            w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
        uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
        for (int i = 0; i < 80; i++) {
            uint32_t f = i < 20 ? ((b & c) | (~b & d)) + 0x5A827999
                       : i < 40 ? (b ^ c ^ d) + 0x6ED9EBA1
                       : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDC
                                : (b ^ c ^ d) + 0xCA62C1D6;
            uint32_t t = rol(a, 5) + f + e + w[i];
            e = d, d = c, c = rol(b, 30), b = a, a = t;
        }
        h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
    }
    for (int i = 0; i < 5; i++) {
        uint32_t word = htonl(h[i]);
        memcpy(digest + 4 * i, &word, 4);
    }
}

static size_t base64(const uint8_t *in, size_t length, char *out, const char *last2, bool pad)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    size_t n = 0;
    for (size_t i = 0; i < length; i += 3) {
        uint32_t v = in[i] << 16 | (i + 1 < length ? in[i + 1] << 8 : 0) | (i + 2 < length ? in[i + 2] : 0);
        size_t count = length - i >= 3 ? 4 : length - i + 1;
        for (size_t k = 0; k < 4; k++) {
            uint32_t d = v >> (18 - 6 * k) & 63;
            if (k < count)
                out[n++] = d < 62 ? digits[d] : last2[d - 62];
            else if (pad)
                out[n++] = '=';
        }
    }
    return n;
}

static size_t header(uint8_t *out, uint8_t opcode, size_t length)
{
    out[0] = 0x80 | opcode;
    if (length < 126) {
        out[1] = (uint8_t)length;
        return 2;
    }
    if (length < 65536) {
        out[1] = 126, out[2] = (uint8_t)(length >> 8), out[3] = (uint8_t)length;
        return 4;
    }
    out[1] = 127;
    for (int i = 0; i < 8; i++)
        out[2 + i] = (uint8_t)((uint64_t)length >> (56 - 8 * i));
    return 10;
}

/* Whether JSON wants any octet of this escaped; eight at a time. */
static bool wantsEscape(const uint8_t *text, size_t length)
{
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    uint64_t hit = 0;
    size_t i = 0;
    for (; i + 8 <= length; i += 8) {
        uint64_t v, quote, slash;
        memcpy(&v, text + i, 8);
        quote = v ^ ones * '"', slash = v ^ ones * '\\';
        hit |= ((v - ones * 0x20) & ~v) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash);
    }
    for (; i < length; i++)
        if (text[i] < 0x20 || text[i] == '"' || text[i] == '\\')
            return true;
    return (hit & highs) != 0;
}

static size_t escape(uint8_t *out, const uint8_t *text, size_t length)
{
    size_t n = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < 0x20)
            n += (size_t)sprintf((char *)out + n, "\\u%04x", text[i]);
        else {
            if (text[i] == '"' || text[i] == '\\')
                out[n++] = '\\';
            out[n++] = text[i];
        }
    }
    return n;
}

static bool isSpace(uint8_t octet) { return octet == ' ' || (octet >= 9 && octet <= 13); }

static void unmask(uint8_t *text, size_t length, const uint8_t mask[4])
{
    uint64_t wide;
    uint32_t narrow;
    memcpy(&narrow, mask, 4);
    wide = (uint64_t)narrow << 32 | narrow;
    size_t i = 0;
    for (; i + 8 <= length; i += 8) {
        uint64_t v;
        memcpy(&v, text + i, 8);
        v ^= wide;
        memcpy(text + i, &v, 8);
    }
    for (; i < length; i++)
        text[i] ^= mask[i & 3];
}
