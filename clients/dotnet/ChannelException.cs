using System.Globalization;
using System.Net;

namespace ChannelServer.Client;

/// <summary>A channel has ended, could not be opened, or does not take a message.</summary>
public sealed class ChannelException : Exception
{
    internal ChannelException(int code, string reason, bool retry, HttpStatusCode? status = null, Exception? inner = null)
        : base(string.Create(CultureInfo.InvariantCulture, $"{reason} ({(status is null ? code : (int)status)})"), inner)
    {
        Code = code;
        Reason = reason;
        Retry = retry;
        Status = status;
    }

    /// <summary>A close code of the protocol; 1006 where the connection was lost or never made.</summary>
    public int Code { get; }

    /// <summary>The reason in words, as the protocol has them.</summary>
    public string Reason { get; }

    /// <summary>Whether a new channel, or a new join, may fare better.</summary>
    public bool Retry { get; }

    /// <summary>The status with which the last attempt to upgrade was refused, if it was.</summary>
    public HttpStatusCode? Status { get; }
}

/// <summary>More messages wait for the server than the options allow. Nothing was queued.</summary>
public sealed class QueueFullException : InvalidOperationException
{
    internal QueueFullException(string limit, int value)
        : base(string.Create(CultureInfo.InvariantCulture, $"The queue of messages that the server has not accepted yet is full: {limit} is {value}."))
    {
        Limit = limit;
    }

    /// <summary>The option that is the limit.</summary>
    public string Limit { get; }
}
