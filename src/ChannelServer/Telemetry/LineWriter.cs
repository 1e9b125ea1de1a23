namespace ChannelServer.Telemetry;

/// <summary>
/// Takes finished lines from any thread and writes them with few system calls. A caller copies its line into a buffer under a short
/// lock and goes on; one thread of its own writes what has gathered. When the reader of the log does not keep up, lines are dropped
/// and counted, and a line says so as soon as there is room. So are lines that there was no memory for.
/// </summary>
internal sealed class LineWriter : IDisposable
{
    /// <summary>Octets that may wait: some 700 lines.</summary>
    public const int Capacity = 256 * 1024;

    // Lines gather for this long before they are written. It bounds the wake-ups to 50 a second, whatever the load.
    private static readonly TimeSpan Gathering = TimeSpan.FromMilliseconds(20);

    // A log that nobody reads must not hold up the end of the process.
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(2);

    private readonly Stream _output;
    private readonly Func<long, byte[]> _tellDropped;
    private readonly Thread _thread;
    private readonly AutoResetEvent _wake = new(false);
    private readonly ManualResetEventSlim _hurry = new(false);

    // Under the lock.
    private readonly Lock _gate = new();
    private byte[] _gathered = new byte[Capacity];
    private int _length;
    private long _dropped;
    private bool _stopping;

    // Writing thread only.
    private byte[] _writing = new byte[Capacity];

    /// <summary>Starts the writing thread.</summary>
    /// <param name="output">Owned by the writer from here on.</param>
    /// <param name="tellDropped">Makes the line that tells how many lines were dropped.</param>
    public LineWriter(Stream output, Func<long, byte[]> tellDropped)
    {
        _output = output;
        _tellDropped = tellDropped;
        _thread = new Thread(Run) { IsBackground = true, Name = "log" };
        _thread.Start();
    }

    /// <summary>Takes a line, with its line end. Never waits for the output.</summary>
    /// <param name="line">Copied.</param>
    /// <param name="urgent">Write at once: the process may be about to die.</param>
    public void Append(ReadOnlySpan<byte> line, bool urgent = false)
    {
        bool first;
        lock (_gate)
        {
            if (_stopping || line.Length > Capacity - _length)
            {
                _dropped++;
                return;
            }
            first = _length == 0;
            line.CopyTo(_gathered.AsSpan(_length));
            _length += line.Length;
        }
        if (urgent)
            _hurry.Set();
        if (first)
            _wake.Set();
    }

    /// <summary>Counts lines that could not be made.</summary>
    public void Drop(long lines = 1)
    {
        lock (_gate)
            _dropped += lines;
    }

    /// <summary>Writes what has been taken, for a bounded time, and closes the output.</summary>
    public void Dispose()
    {
        lock (_gate)
            _stopping = true;
        _hurry.Set();
        _wake.Set();
        // Where the output is stuck, the thread cannot be ended; it dies with the process.
        // The events stay: a caller that took the lock before may still be about to set them.
        if (_thread.Join(Farewell))
            _output.Dispose();
    }

    private void Run()
    {
        bool stopping;
        do
        {
            _wake.WaitOne();
            _hurry.Wait(Gathering);
            _hurry.Reset();
            int length;
            long dropped;
            lock (_gate)
            {
                (_gathered, _writing) = (_writing, _gathered);
                (length, dropped) = (_length, _dropped);
                (_length, _dropped) = (0, 0);
                stopping = _stopping;
            }
            Write(_writing.AsSpan(0, length));
            if (dropped > 0)
                TellDropped(dropped);
        }
        while (!stopping);
    }

    private void TellDropped(long lines)
    {
        try
        {
            Write(_tellDropped(lines));
        }
        catch (OutOfMemoryException)
        {
            Drop(lines);
        }
    }

    private void Write(ReadOnlySpan<byte> lines)
    {
        try
        {
            _output.Write(lines);
            _output.Flush();
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // Whoever read the log is gone, or standard output is closed (then the platform claims that access is denied). There is no better place to say
            // so, and the server has other work to do.
        }
    }
}
