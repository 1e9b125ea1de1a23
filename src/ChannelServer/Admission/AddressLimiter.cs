namespace ChannelServer.Admission;

/// <summary>What is said about a limit that an upgrade breaks.</summary>
/// <param name="Broken">Which; <see cref="RefusalReason.None"/> when none is.</param>
/// <param name="IsEnforced">Whether the upgrade is to be refused for it.</param>
/// <param name="Wait">After what time another try has a chance.</param>
internal readonly record struct LimitVerdict(RefusalReason Broken, bool IsEnforced, TimeSpan Wait);

/// <summary>
/// The limits of each client address: of its network, and for IPv6 of the site around it at eight times. A client whose address does not
/// tell clients apart is counted but not refused: <see cref="TellsClientsApart"/>. Safe for any thread.
/// </summary>
internal sealed class AddressLimiter
{
    /// <summary>How many networks' worth a site may do.</summary>
    public const int SiteFactor = 8;

    /// <summary>Stands for all whose address is not known: ffff::/16 is multicast, never a client.</summary>
    private static readonly ClientNetwork _unknown = new(ulong.MaxValue);

    private readonly AddressTable _networks;
    private readonly AddressTable _sites;
    private readonly LimitMode _mode;
    private readonly bool _trustsPrivate;
    private readonly TimeProvider _time;
    private readonly long _started;

    /// <param name="limits">The limits of one network.</param>
    /// <param name="mode">Whether they refuse, are only told, or do not exist.</param>
    /// <param name="privateAreClients">Whether an address that is not public is a client and not a proxy.</param>
    /// <param name="time">The clock.</param>
    /// <param name="rows">How many networks and sites are remembered.</param>
    public AddressLimiter(AddressLimits limits, LimitMode mode, bool privateAreClients, TimeProvider time, int rows = AddressTable.DefaultRows)
    {
        _networks = new AddressTable(limits, rows);
        _sites = new AddressTable(limits.Times(SiteFactor), rows);
        _mode = mode;
        _trustsPrivate = privateAreClients;
        _time = time;
        _started = time.GetTimestamp();
    }

    private long Now => _time.GetElapsedTime(_started).Ticks;

    /// <summary>
    /// Whether different clients have different addresses. Not when the address is unknown, and not when it is private: then it most
    /// likely is a proxy that nobody has declared, and a limit would refuse everybody.
    /// </summary>
    public bool TellsClientsApart(ClientNetwork network) => network.IsKnown && (_trustsPrivate || network.IsPublic);

    /// <summary>Counts an upgrade. Unless the verdict refuses it, <see cref="Leave"/> must follow, once.</summary>
    public LimitVerdict Enter(ClientNetwork network, bool opens)
    {
        if (_mode == LimitMode.Off)
            return default;
        bool enforces = _mode == LimitMode.Enforce && TellsClientsApart(network);
        long now = Now;
        ulong key = KeyOf(network);
        RefusalReason broken = _networks.Enter(key, opens, enforces, now, out long wait);
        if (network.HasSite && !(enforces && broken != RefusalReason.None))
        {
            RefusalReason siteBroken = _sites.Enter(network.Site, opens, enforces, now, out long siteWait);
            if (siteBroken != RefusalReason.None)
            {
                if (enforces)
                    _networks.Undo(key, opens);
                (broken, wait) = (siteBroken, siteWait);
            }
        }
        return new LimitVerdict(broken, enforces && broken != RefusalReason.None, TimeSpan.FromTicks(wait));
    }

    /// <summary>A connection that entered is closed.</summary>
    public void Leave(ClientNetwork network)
    {
        if (_mode == LimitMode.Off)
            return;
        _networks.Leave(KeyOf(network));
        if (network.HasSite)
            _sites.Leave(network.Site);
    }

    /// <summary>A join has failed.</summary>
    /// <returns>Whether that was one too many.</returns>
    public bool FailJoin(ClientNetwork network)
    {
        if (_mode == LimitMode.Off || !network.IsKnown)
            return false;
        long now = Now;
        bool tooMany = _networks.FailJoin(network.Value, now);
        return (network.HasSite && _sites.FailJoin(network.Site, now)) | tooMany;
    }

    private static ulong KeyOf(ClientNetwork network) => network.IsKnown ? network.Value : _unknown.Value;
}
