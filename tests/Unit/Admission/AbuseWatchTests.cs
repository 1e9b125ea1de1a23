using System.Net;
using ChannelServer.Admission;
using ChannelServer.Relay;
using ChannelServer.Tests.Relay;
using Microsoft.Extensions.Time.Testing;

namespace ChannelServer.Tests.Admission;

/// <summary>Which ends are held against the address that they come from.</summary>
public sealed class AbuseWatchTests
{
    private static readonly IPAddress _address = IPAddress.Parse("203.0.113.7");

    [Theory]
    [InlineData(nameof(EndReason.ChannelUnavailable), false)]
    [InlineData(nameof(EndReason.AddressUnknown), false)]
    [InlineData(nameof(EndReason.ChannelFull), false)]
    [InlineData(nameof(EndReason.ResumeRefused), true)]
    public void Refused_joins_are_charged_and_refused_resumes_are_not(string reason, bool mayJoin)
    {
        AddressLimiter limiter = new(new AddressLimits(0, 0, FailedJoins: 3, 0), LimitMode.Enforce, privateAreClients: false, new FakeTimeProvider());
        AbuseWatch watch = new(new RecordingObserver(), limiter, violations: null);
        for (int i = 0; i < 3; i++)
            watch.SessionRefused(Enum.Parse<EndReason>(reason), _address);
        Assert.Equal(mayJoin, !limiter.Enter(ClientNetwork.Of(_address), opens: false).IsEnforced);
    }
}
