using System.Text;
using ChannelServer.Relay;
using CsCheck;

namespace ChannelServer.Tests.Relay;

public sealed class ChannelIdTests
{
    [Fact]
    public void Any_sixteen_octets_are_22_characters_that_read_back() =>
        Gen.Byte.Array[ChannelId.Octets].Sample(octets =>
        {
            ChannelId id = new(octets);
            byte[] text = new byte[ChannelId.Characters];
            id.Format(text);
            Assert.Equal(Convert.ToBase64String(octets).TrimEnd('=').Replace('+', '-').Replace('/', '_'), Encoding.ASCII.GetString(text));
            Assert.True(ChannelId.TryParse(text, out ChannelId read));
            Assert.Equal(id, read);
            Assert.True(ChannelId.TryParse([.. text, .. "=="u8], out read));
            Assert.Equal(id, read);
        }, iter: 500);

    [Fact]
    public void No_two_texts_name_one_channel()
    {
        // The last character carries four bits beyond the 128; only its canonical form is an id.
        int accepted = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
            .Count(last => Parses("IZ5B8Wj2qR1NlsNbSXQ2F" + last));
        Assert.Equal(4, accepted);
    }

    [Theory]
    [InlineData("IZ5B8Wj2qR1NlsNbSXQ2Fg", true)]
    [InlineData("IZ5B8Wj2qR1NlsNbSXQ2Fg=", true)]
    [InlineData("IZ5B8Wj2qR1NlsNbSXQ2Fg====", true)]
    [InlineData("", false)]
    [InlineData("==", false)]
    [InlineData("=IZ5B8Wj2qR1NlsNbSXQ2Fg", false)]
    [InlineData("IZ5B8Wj2qR1NlsNbSXQ2F", false)]
    [InlineData("IZ5B8Wj2qR1NlsNbSXQ2FgA", false)]
    [InlineData("IZ5B8Wj2qR1NlsNbSXQ2FgAAAAAAAAAAAAAAAAAAAAAA", false)]
    [InlineData("IZ5B8Wj2qR1NlsNbSXQ2+g", false)]
    [InlineData("IZ5B8Wj2qR1NlsNbSXQ2/g", false)]
    [InlineData("IZ5B8Wj2qR1NlsNbSXQ2%g", false)]
    [InlineData("IZ5B8Wj2qR1NlsNbSXQ2 g", false)]
    [InlineData("IZ5B8Wj2qR1NlsNbSXQ2\ng", false)]
    [InlineData("IZ5B8Wj2qR1NlsNbSXQ2F%", false)]
    [InlineData("IZ5B8Wj2qR1NlsNbSXQ2\u00e9g", false)]
    [InlineData("../../../etc/passwd/xxx", false)]
    public void An_id_is_22_canonical_characters(string text, bool isId) => Assert.Equal(isId, Parses(text));

    [Fact]
    public void Any_bytes_get_an_answer() => Gen.Byte.Array[0, 60].Sample(
        text => Assert.True(!ChannelId.TryParse(text, out ChannelId id) || id != default), iter: 2000);

    [Fact]
    public void An_id_does_not_tell_itself()
    {
        Assert.True(ChannelId.TryParse("IZ5B8Wj2qR1NlsNbSXQ2Fg"u8, out ChannelId id));
        Assert.DoesNotContain("IZ5B8", $"{id}", StringComparison.Ordinal);
    }

    [Fact]
    public void Ids_spread_evenly_over_shards()
    {
        Random random = new(1);
        byte[] octets = new byte[ChannelId.Octets];
        int[] counts = new int[3];
        for (int i = 0; i < 3000; i++)
        {
            random.NextBytes(octets);
            counts[new ChannelId(octets).ShardOf(3)]++;
        }
        Assert.All(counts, count => Assert.InRange(count, 850, 1150));
    }

    private static bool Parses(string text) => ChannelId.TryParse(Encoding.UTF8.GetBytes(text), out _);
}
