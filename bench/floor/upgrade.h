/* How a connection of the floor comes into its channel: the request head, ids, the response. A part of floor.c, whose state it uses. */

struct fields {
    const char *key, *agent;
    size_t keyLength, agentLength;
};

/* One pass over the header lines; the head ends with CRLF and a NUL. */
static struct fields fieldsOf(const char *head)
{
    static const char key[] = "Sec-WebSocket-Key:", agent[] = "User-Agent:";
    struct fields fields = {0};
    for (const char *line = strchr(head, '\n'), *end; line && line[1]; line = end) {
        line++;
        if (!(end = strchr(line, '\n')))
            break;
        bool isKey = !strncasecmp(line, key, sizeof key - 1);
        if (!isKey && strncasecmp(line, agent, sizeof agent - 1))
            continue;
        const char *value = line + (isKey ? sizeof key : sizeof agent) - 1;
        while (*value == ' ')
            value++;
        *(isKey ? &fields.key : &fields.agent) = value;
        *(isKey ? &fields.keyLength : &fields.agentLength) = (size_t)(end - 1 - value);
    }
    return fields;
}

static void newId(char *out)
{
    static uint8_t pool[4096];
    static size_t left;
    if (left < 16) {
        if (getrandom(pool, sizeof pool, 0) != sizeof pool)
            abort();
        left = sizeof pool;
    }
    left -= 16;
    base64(pool + left, 16, out, "-_", false);
}

static struct channel *find(const char *id)
{
    struct channel *channel = buckets[bucketOf(id)];
    while (channel && memcmp(channel->id, id, ID))
        channel = channel->next;
    return channel;
}

static struct channel *openChannel(void)
{
    struct channel *channel = calloc(1, sizeof *channel);
    newId(channel->id);
    struct channel **bucket = &buckets[bucketOf(channel->id)];
    channel->next = *bucket;
    return *bucket = channel;
}

/* The upgrade; gives the octets used, 0 if the head is not whole, -1 if the connection is gone. */
static ssize_t upgrade(int fd, uint8_t *bytes, size_t length)
{
    static const char path[] = "GET /v1/ws/", guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char *head = (char *)bytes, *end = memmem(bytes, length, "\r\n\r\n", 4);
    if (!end)
        return length < 8192 ? 0 : (drop(fd), -1);
    end[2] = 0;
    struct connection *c = &connections[fd];
    struct fields fields = fieldsOf(head);
    if (memcmp(head, path, sizeof path - 1) || fields.keyLength != 24)
        return drop(fd), -1;
    const char *id = head + sizeof path - 1;
    size_t idLength = strcspn(id, " ?");
    struct channel *channel = idLength == 0 ? openChannel() : idLength == ID ? find(id) : NULL;

    uint8_t digest[20];
    char accept[64];
    memcpy(accept, fields.key, 24);
    memcpy(accept + 24, guid, 36);
    sha1((uint8_t *)accept, 60, digest);
    accept[base64(digest, 20, accept, "+/", true)] = 0;
    char *out = (char *)frame;
    out += sprintf(out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: %s\r\n\r\n", accept);
    if (!channel || channel->seats == SEATS) {
        uint16_t code = channel ? 4409 : 4404;
        *out++ = (char)0x88, *out++ = 2, *out++ = (char)(code >> 8), *out++ = (char)code;
        put(fd, frame, (size_t)(out - (char *)frame), false);
        return drop(fd), -1;
    }
    *out++ = (char)0x81, *out++ = 14 + ID + 10 + 7 + ID + 2;
    out += sprintf(out, "{\"channelid\":\"%.22s\",\"link\":\"/v1/ws/%.22s\"}", channel->id, channel->id);
    char sender[1024];
    char address[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &c->address, address, sizeof address);
    uint16_t n = (uint16_t)(fields.agent && fields.agentLength <= 512
        ? sprintf(sender, "{\"remote\":\"%s\",\"ua\":\"%.*s\"}", address, (int)fields.agentLength, fields.agent)
        : sprintf(sender, "{\"remote\":\"%s\"}", address));
    c->sender = malloc(2u + n);
    memcpy(c->sender, &n, 2);
    memcpy(c->sender + 2, sender, n);
    c->channel = channel;
    channel->fd[channel->seats++] = fd;
    if (heartbeat)
        listPing(fd);
    put(fd, frame, (size_t)(out - (char *)frame), false);
    return end + 4 - head;
}
