using System.Diagnostics.CodeAnalysis;
using ChannelServer.Telemetry;

namespace ChannelServer.Geo;

/// <summary>
/// Takes a new version of the database when there is one: looks every now and then whether another file is behind the path, reads it when it has
/// stopped to change, tests it, and puts it in place of the one in use. Whatever is wrong with the file, the one in use stays.
/// </summary>
/// <remarks>
/// It looks instead of being told (inotify): files are replaced by renames, by links of directories that are turned, and by mounts, on file systems that
/// do not tell. At most two versions are in memory: the one in use and the one under test.
/// </remarks>
internal sealed class GeoWatch : IDisposable
{
    /// <summary>How long a file must not have changed before it is read. Who writes one seldom pauses so long in its midst.</summary>
    public static readonly TimeSpan Settling = TimeSpan.FromSeconds(1);

    private readonly string _path;
    private readonly TimeSpan _interval;
    private readonly GeoSource _source;
    private readonly ILogger _logger;
    private readonly ITimer _timer;

    // Whoever looks. Nobody else ever waits for it.
    private readonly Lock _gate = new();
    private FileIdentity _judged;
    private FileIdentity? _changing;
    private FileIdentity? _toldOf;
    private bool _isDisposed;

    /// <param name="path">The file.</param>
    /// <param name="interval">How often to look; zero for never, unless <see cref="LookNow"/> is called.</param>
    /// <param name="source">Gets what is found.</param>
    /// <param name="logger">Told of each new version, taken or not.</param>
    /// <param name="time">The clock.</param>
    public GeoWatch(string path, TimeSpan interval, GeoSource source, ILogger logger, TimeProvider time)
    {
        _path = path;
        _interval = interval;
        _source = source;
        _logger = logger;
        _timer = time.CreateTimer(static self => ((GeoWatch)self!).Look(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Reads the file for the first time, as it is.</summary>
    /// <param name="error">What is wrong with it, in one line.</param>
    public bool TryOpen([NotNullWhen(false)] out string? error)
    {
        // Before it is read: what changes in between is found at the first look.
        _judged = FileIdentity.Of(_path);
        if (!GeoDatabase.TryOpen(_path, out GeoDatabase? database, out error))
            return false;
        _source.Use(database);
        return true;
    }

    /// <summary>Begins to watch.</summary>
    public void Start() => Arm(_interval);

    /// <summary>Looks now, from any thread, without waiting for what it finds.</summary>
    public void LookNow() => _timer.Change(TimeSpan.Zero, Timeout.InfiniteTimeSpan);

    public void Dispose()
    {
        lock (_gate)
        {
            _isDisposed = true;
            _timer.Dispose();
        }
    }

    private void Look()
    {
        lock (_gate)
        {
            if (_isDisposed)
                return;
            Judge(FileIdentity.Of(_path));
            Arm(_changing is null ? _interval : _interval > TimeSpan.Zero && _interval < Settling ? _interval : Settling);
        }
    }

    private void Arm(TimeSpan wait) => _timer.Change(wait > TimeSpan.Zero ? wait : Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

    private void Judge(FileIdentity seen)
    {
        if (seen == _judged)
        {
            _changing = null;
            return;
        }
        // A file that is only just being written, or replaced by way of none, is looked at again.
        if (seen != _changing)
        {
            _changing = seen;
            return;
        }
        try
        {
            Read(seen);
        }
        catch (OutOfMemoryException)
        {
            // It is too large for what is free, which may change: the next look tries again.
            Tell(seen, "there is no memory for it");
        }
        // What was in use, or is refused, is one large object, which only a full collection finds; and the next version needs its place.
        if (seen.Exists)
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: false);
    }

    private void Read(FileIdentity seen)
    {
        bool isSound = GeoDatabase.TryOpen(_path, out GeoDatabase? database, out string? error);
        FileIdentity now = FileIdentity.Of(_path);
        if (now != seen)
        {
            _changing = now;
            return;
        }
        _judged = seen;
        _changing = null;
        if (!isSound)
        {
            Tell(seen, error!);
            return;
        }
        bool isFirst = _source.Current is null;
        _source.Use(database!);
        _toldOf = null;
        if (isFirst)
            _logger.LocationOn(_path, database!.BuiltAt.UtcDateTime);
        else
            _logger.LocationReplaced(_path, database!.BuiltAt.UtcDateTime);
    }

    /// <summary>Each version is complained about once.</summary>
    private void Tell(FileIdentity seen, string why)
    {
        if (_toldOf == seen)
            return;
        _toldOf = seen;
        _logger.LocationNotReplaced(_path, why);
    }
}
