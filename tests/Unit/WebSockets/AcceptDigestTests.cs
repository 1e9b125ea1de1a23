using System.Security.Cryptography;
using System.Text;
using ChannelServer.WebSockets;
using CsCheck;

namespace ChannelServer.Tests.WebSockets;

public sealed class AcceptDigestTests
{
    private const string Guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

    [Fact]
    public void It_is_the_platforms_SHA_1_of_any_key_and_the_GUID() =>
        Gen.Byte.Array[AcceptDigest.KeySize].Sample(
            static key => Assert.Equal(Platform([.. key, .. Encoding.ASCII.GetBytes(Guid)]), Digest(key)), iter: 10_000);

    [Theory]
    [InlineData(0x00)]
    [InlineData(0x7F)]
    [InlineData(0x80)]
    [InlineData(0xFF)]
    public void It_is_of_keys_at_the_edges_too(byte octet)
    {
        byte[] key = [.. Enumerable.Repeat(octet, AcceptDigest.KeySize)];
        Assert.Equal(Platform([.. key, .. Encoding.ASCII.GetBytes(Guid)]), Digest(key));
    }

    [Fact]
    public void It_is_the_sample_of_RFC_6455() =>
        Assert.Equal("B37A4F2CC0624F1690F64606CF385945B2BEC4EA", Convert.ToHexString(Digest("dGhlIHNhbXBsZSBub25jZQ=="u8)));

    private static byte[] Digest(ReadOnlySpan<byte> key)
    {
        byte[] digest = new byte[AcceptDigest.Size];
        AcceptDigest.Write(key, digest);
        return digest;
    }

#pragma warning disable CA5350 // What it is compared with.
    private static byte[] Platform(byte[] message) => SHA1.HashData(message);
#pragma warning restore CA5350
}
