using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Text;

namespace ChannelServer.WebSockets;

/// <summary>What <see cref="RequestHead.TryParse"/> made of the bytes so far.</summary>
internal enum HeadStatus
{
    /// <summary>No end of the head yet: read more and parse again from the start.</summary>
    Incomplete,

    /// <summary>The head is whole and well formed.</summary>
    Complete,

    /// <summary>RFC 9112 forbids it: answer 400 and close.</summary>
    Malformed,

    /// <summary>Over <see cref="RequestHead.MaxBytes"/> or <see cref="RequestHead.MaxFields"/>: answer 431 and close.</summary>
    TooLarge,
}

/// <summary>
/// The request line and header fields of one HTTP/1.x request, as ranges over the caller's bytes. Strict where leniency has
/// been a hole in other servers: no bare LF, no bare CR, no obs-fold, no white space before the colon, exactly one Host in
/// HTTP/1.1, no Content-Length beside Transfer-Encoding (RFC 9112, sections 2 to 6). Allocates nothing; valid as long as the
/// bytes are.
/// </summary>
internal ref struct RequestHead
{
    /// <summary>Octets of a request head, its final empty line included. Ample: browsers send about 600.</summary>
    public const int MaxBytes = 8192;

    /// <summary>Header fields of a request head.</summary>
    public const int MaxFields = 64;

    /// <summary>Every octet that RFC 9110 (5.6.2) allows in a token.</summary>
    private static readonly SearchValues<byte> _tokenOctets = SearchValues.Create(
        "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8);

    /// <summary>Every octet that may not stand in a field value: controls but HTAB (RFC 9110, 5.5).</summary>
    private static readonly SearchValues<byte> _forbiddenInValue = SearchValues.Create(
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 127]);

    private static readonly SearchValues<byte> _visible = SearchValues.Create(
        [.. Enumerable.Range(0x21, 0x7E - 0x21 + 1).Select(octet => (byte)octet)]);

    /// <summary>Every octet of a scheme (RFC 3986, 3.1); so <c>://</c> inside a query is not taken for the end of one.</summary>
    private static readonly SearchValues<byte> _schemeOctets = SearchValues.Create(
        "+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8);

    private ReadOnlySpan<byte> _bytes;
    private FieldRanges _fields;
    private int _fieldCount;

    /// <summary>The method, as sent: methods are case-sensitive.</summary>
    public ReadOnlySpan<byte> Method { get; private set; }

    /// <summary>The path of the request target, neither decoded nor normalised; of an absolute-form target too.</summary>
    public ReadOnlySpan<byte> Path { get; private set; }

    /// <summary>What follows the first <c>?</c> of the target, or nothing.</summary>
    public ReadOnlySpan<byte> Query { get; private set; }

    /// <summary>The minor version of HTTP/1: 0 or 1.</summary>
    public int MinorVersion { get; private set; }

    /// <summary>Octets of the head, its final empty line included. What follows belongs to whoever takes the connection.</summary>
    public int Length { get; private set; }

    /// <summary>Whether the head announces a body: Transfer-Encoding, or a Content-Length other than zero.</summary>
    public bool HasBody { get; private set; }

    /// <summary>Parses the head that begins at the first of <paramref name="bytes"/>.</summary>
    /// <param name="bytes">All that the connection has received so far.</param>
    /// <param name="head">The head; meaningful only when the answer is <see cref="HeadStatus.Complete"/>.</param>
    public static HeadStatus TryParse(ReadOnlySpan<byte> bytes, out RequestHead head)
    {
        head = default;
        head._bytes = bytes;
        int position = 0;
        bool requestLineRead = false;
        while (true)
        {
            ReadOnlySpan<byte> rest = bytes[position..];
            int lineFeed = rest.IndexOf((byte)'\n');
            if (lineFeed < 0)
                return bytes.Length >= MaxBytes ? HeadStatus.TooLarge : rest.IndexOf((byte)0) >= 0 ? HeadStatus.Malformed : HeadStatus.Incomplete;
            if (position + lineFeed + 1 > MaxBytes)
                return HeadStatus.TooLarge;
            if (lineFeed == 0 || rest[lineFeed - 1] != '\r')
                return HeadStatus.Malformed;
            ReadOnlySpan<byte> line = rest[..(lineFeed - 1)];

            if (!requestLineRead)
            {
                // RFC 9112, 2.2: one empty line before the request line is ignored.
                bool isLeadingEmptyLine = line.IsEmpty && position == 0;
                if (!isLeadingEmptyLine)
                {
                    if (!head.TryReadRequestLine(line))
                        return HeadStatus.Malformed;
                    requestLineRead = true;
                }
            }
            else if (line.IsEmpty)
            {
                head.Length = position + 2;
                return head.ObeysMessageRules() ? HeadStatus.Complete : HeadStatus.Malformed;
            }
            else
            {
                if (head._fieldCount == MaxFields)
                    return HeadStatus.TooLarge;
                if (!head.TryReadField(line, position))
                    return HeadStatus.Malformed;
            }

            position += lineFeed + 1;
        }
    }

    /// <summary>The values of every field line of that name, in order, outer white space removed.</summary>
    /// <param name="name">The field's name, in lower case.</param>
    [UnscopedRef]
    public readonly FieldValues Values(ReadOnlySpan<byte> name) => new(_bytes, _fields[.._fieldCount], name);

    /// <summary>The value of the field of that name, if there is exactly one such line.</summary>
    public readonly bool TryGetSingle(ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        FieldValues values = Values(name);
        if (!values.MoveNext())
        {
            value = default;
            return false;
        }
        value = _bytes.Slice(values.CurrentStart, values.Current.Length);
        return !values.MoveNext();
    }

    /// <summary>Whether a list-valued field contains a token, ignoring case (as <c>Connection: keep-alive, Upgrade</c> does).</summary>
    public readonly bool HasToken(ReadOnlySpan<byte> name, ReadOnlySpan<byte> token)
    {
        foreach (ReadOnlySpan<byte> value in Values(name))
        {
            foreach (Range part in value.Split((byte)','))
            {
                if (Ascii.EqualsIgnoreCase(TrimWhiteSpace(value[part]), token))
                    return true;
            }
        }
        return false;
    }

    internal static ReadOnlySpan<byte> TrimWhiteSpace(ReadOnlySpan<byte> value) => value.Trim(" \t"u8);

    private bool TryReadRequestLine(ReadOnlySpan<byte> line)
    {
        int afterMethod = line.IndexOf((byte)' ');
        int beforeVersion = line.LastIndexOf((byte)' ');
        if (afterMethod <= 0 || beforeVersion <= afterMethod + 1)
            return false;
        Method = line[..afterMethod];
        ReadOnlySpan<byte> target = line[(afterMethod + 1)..beforeVersion];
        ReadOnlySpan<byte> version = line[(beforeVersion + 1)..];
        if (Method.ContainsAnyExcept(_tokenOctets) || target.ContainsAnyExcept(_visible))
            return false;
        if (version.Length != 8 || !version.StartsWith("HTTP/1."u8) || version[7] is not ((byte)'0' or (byte)'1'))
            return false;
        MinorVersion = version[7] - '0';
        return TryReadTarget(target);
    }

    /// <summary>RFC 9112, 3.2: origin-form, absolute-form, and the asterisk and authority forms that only OPTIONS and CONNECT use.</summary>
    private bool TryReadTarget(ReadOnlySpan<byte> target)
    {
        if (target[0] != '/')
        {
            int scheme = target.IndexOf("://"u8);
            if (scheme > 0 && !target[..scheme].ContainsAnyExcept(_schemeOctets))
            {
                ReadOnlySpan<byte> authority = target[(scheme + 3)..];
                int end = authority.IndexOfAny((byte)'/', (byte)'?');
                ReadOnlySpan<byte> afterAuthority = end < 0 ? default : authority[end..];
                if (afterAuthority.IsEmpty || afterAuthority[0] == '?')
                {
                    // RFC 9110, 4.2.3: an empty path is the same as "/".
                    Path = "/"u8;
                    Query = afterAuthority.IsEmpty ? default : afterAuthority[1..];
                    return true;
                }
                target = afterAuthority;
            }
            else if (target[0] == '?' || (!Method.SequenceEqual("OPTIONS"u8) && !Method.SequenceEqual("CONNECT"u8)))
            {
                return false;
            }
        }
        int question = target.IndexOf((byte)'?');
        Path = question < 0 ? target : target[..question];
        Query = question < 0 ? default : target[(question + 1)..];
        return true;
    }

    private bool TryReadField(ReadOnlySpan<byte> line, int position)
    {
        int colon = line.IndexOf((byte)':');
        // A line that starts with white space is an obs-fold; white space before the colon is a classic smuggling vector.
        // Neither is a token, so one test refuses both.
        if (colon <= 0 || line[..colon].ContainsAnyExcept(_tokenOctets))
            return false;
        ReadOnlySpan<byte> value = line[(colon + 1)..];
        if (value.ContainsAny(_forbiddenInValue))
            return false;
        ReadOnlySpan<byte> trimmed = TrimWhiteSpace(value);
        int leading = trimmed.IsEmpty ? 0 : value.IndexOfAnyExcept((byte)' ', (byte)'\t');
        _fields[_fieldCount++] = new FieldRange(
            (ushort)position, (ushort)colon, (ushort)(position + colon + 1 + leading), (ushort)trimmed.Length);
        return true;
    }

    private bool ObeysMessageRules()
    {
        int hosts = 0;
        foreach (ReadOnlySpan<byte> host in Values("host"u8))
        {
            hosts++;
            if (host.ContainsAny(" \t,/@"u8))
                return false;
        }
        if (hosts > 1 || (hosts == 0 && MinorVersion == 1))
            return false;

        bool hasTransferEncoding = Values("transfer-encoding"u8).MoveNext();
        bool hasContentLength = false;
        foreach (ReadOnlySpan<byte> length in Values("content-length"u8))
        {
            bool isDecimal = !length.IsEmpty && !length.ContainsAnyExceptInRange((byte)'0', (byte)'9');
            if (!isDecimal || length.Length > 18 || hasContentLength)
                return false;
            hasContentLength = true;
            HasBody |= length.ContainsAnyExcept((byte)'0');
        }
        if (hasTransferEncoding && (hasContentLength || MinorVersion == 0))
            return false;
        HasBody |= hasTransferEncoding;
        return true;
    }

    /// <summary>The values of one field, in the order of their lines.</summary>
    public ref struct FieldValues
    {
        private readonly ReadOnlySpan<byte> _bytes;
        private readonly ReadOnlySpan<FieldRange> _fields;
        private readonly ReadOnlySpan<byte> _name;
        private int _next;

        internal FieldValues(ReadOnlySpan<byte> bytes, ReadOnlySpan<FieldRange> fields, ReadOnlySpan<byte> name)
        {
            _bytes = bytes;
            _fields = fields;
            _name = name;
        }

        /// <summary>The value that the last <see cref="MoveNext"/> found.</summary>
        public ReadOnlySpan<byte> Current { get; private set; }

        internal int CurrentStart { get; private set; }

        /// <summary>Lets <c>foreach</c> walk the values.</summary>
        public readonly FieldValues GetEnumerator() => this;

        /// <summary>Goes to the next line of that name.</summary>
        public bool MoveNext()
        {
            while (_next < _fields.Length)
            {
                FieldRange field = _fields[_next++];
                if (field.NameLength == _name.Length
                    && Ascii.EqualsIgnoreCase(_bytes.Slice(field.NameStart, field.NameLength), _name))
                {
                    CurrentStart = field.ValueStart;
                    Current = _bytes.Slice(field.ValueStart, field.ValueLength);
                    return true;
                }
            }
            return false;
        }
    }

    /// <summary>Where a field stands. Sixteen bits suffice for <see cref="MaxBytes"/>.</summary>
    internal readonly record struct FieldRange(ushort NameStart, ushort NameLength, ushort ValueStart, ushort ValueLength);

    [InlineArray(MaxFields)]
    private struct FieldRanges
    {
        private FieldRange _first;
    }
}
