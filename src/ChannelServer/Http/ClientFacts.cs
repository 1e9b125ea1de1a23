using System.Net;
using ChannelServer.Relay;

namespace ChannelServer.Http;

/// <summary>What an upgrade request tells of its client. Read once; from then on values only.</summary>
/// <param name="Address">The client's address, or null when it cannot be told.</param>
/// <param name="Sender">What the client's messages say of it.</param>
/// <param name="Languages">The languages it reads.</param>
internal readonly record struct ClientFacts(IPAddress? Address, SenderMetadata Sender, LanguagePriorityList Languages);
