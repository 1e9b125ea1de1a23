using ChannelServer.Transport.Linux;
using Microsoft.Win32.SafeHandles;

namespace ChannelServer.Geo;

/// <summary>
/// Tells whether there is another file, or other content, behind a path than before. Links are followed, so a link that is turned elsewhere shows
/// too. The inode is what tells two files of the same size and date apart, such as an image's, whose files may all bear one date.
/// </summary>
/// <param name="Exists">Whether there is a file that can be opened.</param>
/// <param name="Modified">When it was written to.</param>
/// <param name="Length">Octets.</param>
/// <param name="Inode">Which file of its file system; 0 where that cannot be told.</param>
internal readonly record struct FileIdentity(bool Exists, DateTime Modified, long Length, ulong Inode)
{
    /// <summary>What is behind a path now. Never throws for what a file system does.</summary>
    public static FileIdentity Of(string path)
    {
        try
        {
            // By its handle, so that all of it is said of the same file.
            using SafeFileHandle file = File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete);
            return new FileIdentity(true, File.GetLastWriteTimeUtc(file), RandomAccess.GetLength(file), InodeOf(file));
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return default;
        }
    }

    private static ulong InodeOf(SafeFileHandle file)
    {
        if (!OperatingSystem.IsLinux())
            return 0;
        try
        {
            return LibC.GetInode((int)file.DangerousGetHandle(), out ulong inode) >= 0 ? inode : 0;
        }
        catch (EntryPointNotFoundException)
        {
            // glibc has it since 2.28.
            return 0;
        }
    }
}
