using System.Text;
using ChannelServer.Relay;
using ChannelServer.WebSockets;

namespace ChannelServer.Tests.Relay;

public sealed class EndReasonTests
{
    /// <summary>The table of docs/protocol.md: how a session ends.</summary>
    private static readonly (EndReason Reason, int Code, string Text, bool Retry)[] _table =
    [
        (EndReason.None, 0, "", false),
        (EndReason.ClientClosed, 1000, "", false),
        (EndReason.Disconnected, 0, "", false),
        (EndReason.ServerShutdown, 1001, "server shutdown", true),
        (EndReason.ProtocolError, 1002, "protocol error", false),
        (EndReason.InvalidUtf8, 1007, "invalid utf-8", false),
        (EndReason.BinaryMessage, 1003, "text only", false),
        (EndReason.SlowConsumer, 1008, "slow consumer", false),
        (EndReason.ControlRate, 1008, "rate", false),
        (EndReason.TooManyFragments, 1008, "fragments", false),
        (EndReason.MessageTooBig, 1009, "message too big", false),
        (EndReason.InternalError, 1011, "internal error", true),
        (EndReason.ServiceRestart, 1012, "service restart", true),
        (EndReason.TryAgainLater, 1013, "try again later", true),
        (EndReason.ResumeRefused, 4401, "resume refused", false),
        (EndReason.TakenOver, 4401, "resume refused", false),
        (EndReason.KeptFull, 1008, "rate", false),
        (EndReason.ChannelUnavailable, 4404, "channel unavailable", false),
        (EndReason.AddressUnknown, 4404, "channel unavailable", false),
        (EndReason.ClientTimeout, 4408, "client timeout", true),
        (EndReason.ChannelFull, 4409, "channel full", false),
        (EndReason.ChannelExpired, 4410, "channel expired", false),
        (EndReason.DataLimit, 4413, "data limit", false),
        (EndReason.ExchangeLimit, 4429, "exchange limit", false),
    ];

    [Fact]
    public void A_reason_gives_code_text_and_advice() => Assert.All(_table, static row =>
    {
        Assert.Equal(row.Code, row.Reason.Code());
        Assert.Equal(row.Text, Encoding.UTF8.GetString(row.Reason.Text()));
        Assert.Equal(row.Retry, row.Reason.Retry());
    });

    [Fact]
    public void The_table_has_every_reason() => Assert.Equal(Enum.GetValues<EndReason>().Order(), _table.Select(static row => row.Reason).Order());

    [Fact]
    public void Every_reason_has_a_tag_of_its_own_and_a_close_frame_that_may_be_sent()
    {
        EndReason[] all = Enum.GetValues<EndReason>();
        Assert.Equal(all.Length, all.Select(reason => reason.Tag()).Distinct().Count());
        foreach (EndReason reason in all)
        {
            Assert.Matches("^[a-z0-9_]+$", reason.Tag());
            Assert.True(reason.Code() == 0 || CloseCode.MayBeSent(reason.Code()));
            Assert.True(reason.Text().Length <= 123);
        }
    }
}
